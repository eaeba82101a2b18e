"""What a backend is: one way to run the shading network on a frame."""

from __future__ import annotations

from typing import Protocol

import moderngl

from duplex.app.render.frame import Frame
from duplex.app.render.timers import Timers


class SizedBackend(Protocol):
    """A backend with its render targets for frames of one size."""

    @property
    def gpu_bytes(self) -> int:
        """Bytes that the targets take on the GPU."""
        ...

    def render(self, frame: Frame, timers: Timers) -> list[moderngl.Texture]:
        """Look the features up and shade the occupied tiles.

        Returns straight RGBA, one half-float texture for each pixel of a block (``channels_to_space``).
        """
        ...


class Backend(Protocol):
    """Runs the shading network; ``name``: one of :data:`duplex.app.render.backends.names.NAMES`.

    ``provider``: what executes the model where that is not the graphics driver, otherwise empty.
    """

    name: str
    provider: str

    def sized(self, size: tuple[int, int]) -> SizedBackend:
        """This backend with new targets for frames of ``size``, width and height in pixels with the margin."""
        ...
