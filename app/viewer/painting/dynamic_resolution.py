"""Dynamic resolution: the window draws coarser while the camera moves, where frames would take too long."""

from __future__ import annotations

from dataclasses import dataclass

SCALES = (1.0, 0.71, 0.5, 0.35, 0.25)  # of the window's sides; each step halves the pixels
STILL_SECONDS = 0.15  # after which a camera at rest is drawn at full resolution
TOO_SLOW = 1.15  # relative to the wanted time: above it, draw coarser
FAST_ENOUGH = 0.45  # below it, draw finer, which takes twice as long


@dataclass
class DynamicResolution:
    """Chooses one of :data:`SCALES` frame after frame, to keep a frame within ``wanted`` milliseconds."""

    wanted: float = 1000 / 30
    step: int = 0  # index of the scale while the camera moves
    resting: float = 0.0  # seconds since the camera moved

    def scale(self, milliseconds: float, seconds: float, moving: bool) -> float:
        """The next frame's scale.

        ``milliseconds``: the cost of the last frame; ``seconds``: since it began; ``moving``: whether the camera moves.
        """
        if not moving:
            self.resting += seconds
            return SCALES[0] if self.resting > STILL_SECONDS else SCALES[self.step]
        moved_before = self.resting == 0  # else the cost is that of a frame at rest
        self.resting = 0.0
        if moved_before and milliseconds > TOO_SLOW * self.wanted:
            self.step = min(self.step + 1, len(SCALES) - 1)
        elif moved_before and milliseconds < FAST_ENOUGH * self.wanted:
            self.step = max(self.step - 1, 0)
        return SCALES[self.step]
