"""How finely the window draws: coarser while the camera moves, where that is needed for a smooth movement."""

from __future__ import annotations

from dataclasses import dataclass

SCALES = (1.0, 0.71, 0.5, 0.35, 0.25)  # of the window's side: each has half the pixels of the one before
STILL_SECONDS = 0.15  # until a camera that rests is drawn in full
TOO_SLOW, QUICK_ENOUGH = 1.15, 0.45  # of the wanted time: a finer step takes twice as long


@dataclass
class DynamicResolution:
    """Chooses one of :data:`SCALES` frame after frame, to keep a frame within ``wanted`` milliseconds."""

    wanted: float = 1000 / 30
    step: int = 0  # while moving
    resting: float = 0.0  # seconds since the camera moved

    def scale(self, milliseconds: float, seconds: float, moving: bool) -> float:
        """The next frame's scale; ``milliseconds``: what the last one took, ``seconds``: how long ago it began."""
        if not moving:
            self.resting += seconds
            return SCALES[0] if self.resting > STILL_SECONDS else SCALES[self.step]
        fresh, self.resting = self.resting == 0, 0.0
        if fresh and milliseconds > TOO_SLOW * self.wanted:
            self.step = min(self.step + 1, len(SCALES) - 1)
        elif fresh and milliseconds < QUICK_ENOUGH * self.wanted:
            self.step = max(self.step - 1, 0)
        return SCALES[self.step]
