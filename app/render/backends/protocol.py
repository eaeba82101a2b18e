"""The interface of backends, which run the shading network on a G-buffer."""

from __future__ import annotations

from typing import Protocol

import moderngl

from duplex.app.render.frame import Frame
from duplex.app.render.timers import Timers


class SizedBackend(Protocol):
    """A backend with its render targets for G-buffers of one size."""

    @property
    def gpu_bytes(self) -> int:
        """GPU memory of the targets in bytes."""
        ...

    def render(self, frame: Frame, timers: Timers) -> list[moderngl.Texture]:
        """Look up features and run the network in the occupied tiles.

        Returns straight RGBA in ``channels_to_space ** 2`` half-float textures, one for each pixel of a block.
        """
        ...


class Backend(Protocol):
    """One way to run the shading network, for any size.

    ``name``: one of :data:`duplex.app.render.backends.names.NAMES`; ``provider``: execution provider of ONNX Runtime,
    empty for other backends.
    """

    name: str
    provider: str

    def sized(self, size: tuple[int, int]) -> SizedBackend:
        """This backend with new targets for G-buffers of ``size``: width and height in pixels, margin included."""
        ...
