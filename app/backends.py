"""The ways to run the shading network on a frame.

Each is a class of its own; :func:`make_backend` knows them by name, and imports what it needs only then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import moderngl

from duplex.app.bundle import Bundle
from duplex.app.gpu import Timers
from duplex.app.passes.gbuffer import View

if TYPE_CHECKING:
    from duplex.app.passes.features import FeaturePass


@dataclass(frozen=True)
class Frame:
    """What a backend gets of a frame, all but ``view`` of one size.

    ``hits``: both shells'; ``tiles``: a pixel for each tile, 0 where it is empty; ``inputs``: targets for the
    network's inputs, still to be filled.
    """

    view: View
    hits: list[moderngl.Texture]
    tiles: moderngl.Texture
    inputs: moderngl.Framebuffer


class Backend(Protocol):
    """Looks features up and runs the network on them. ``name``: one of :data:`duplex.app.backend_names.NAMES`."""

    name: str

    def resize(self, size: tuple[int, int]) -> None:
        """Make what is needed for frames of ``size``."""
        ...

    def render(self, frame: Frame, timers: Timers) -> list[moderngl.Texture]:
        """Shade the occupied tiles; straight RGBA, a texture of half floats for each pixel of a block."""
        ...

    @property
    def gpu_bytes(self) -> int:
        """What its targets take."""
        ...


def make_backend(name: str, ctx: moderngl.Context, bundle: Bundle, features: FeaturePass) -> Backend:
    """The backend ``name`` for ``bundle``'s network, or the one that runs everywhere for ``auto``.

    Raises :class:`DuplexError` where it cannot run.
    """
    if name == "onnx":
        from duplex.app.onnx_shading import OnnxShading

        return OnnxShading(ctx, bundle.network, bundle.weights, features)
    if name == "compute":
        from duplex.app.passes.compute import ComputeShading

        return ComputeShading(ctx, bundle.network, bundle.weights, features)
    from duplex.app.passes.shading import FragmentShading

    return FragmentShading(ctx, bundle.network, bundle.weights, features)
