"""Settings that map the values of a render target to colours."""

from __future__ import annotations

from dataclasses import dataclass

RAMPS = {  # five RGB colours in [0, 1], from the lowest value to the highest
    "grey": ((0, 0, 0), (0.25, 0.25, 0.25), (0.5, 0.5, 0.5), (0.75, 0.75, 0.75), (1, 1, 1)),
    "heat": ((0, 0, 0.05), (0.45, 0.05, 0.35), (0.9, 0.25, 0.15), (1, 0.7, 0.1), (1, 1, 0.85)),
    "signed": ((0.1, 0.25, 0.75), (0.55, 0.7, 0.95), (0.95, 0.95, 0.95), (0.95, 0.6, 0.5), (0.7, 0.1, 0.1)),
}


@dataclass(frozen=True)
class Display:
    """How a render target is shown: its first three channels as RGB, or one channel through a colour ramp.

    ``channel``: 0 to 3, None for RGB; ``ramp``: a key of :data:`RAMPS`; ``low``, ``high``: values at the ends of the
    ramp.
    """

    channel: int | None = None
    ramp: str = "heat"
    low: float = -1.0
    high: float = 1.0
