"""The ways to run the shading network on a frame.

Each is a class of its own; :func:`make_backend` knows them by name, and imports what it needs only then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import moderngl

from duplex.app.render.gpu import Timers
from duplex.app.render.passes.gbuffer import View
from duplex.app.scene.bundle import Bundle

if TYPE_CHECKING:
    from duplex.app.render.passes.features import FeaturePass


@dataclass(frozen=True)
class Frame:
    """What a backend gets of a frame, all but ``view`` of one size.

    ``hits``: both shells'; ``tiles``: a pixel for each tile, 0 where it is empty; ``inputs``: targets for the
    network's inputs, still to be filled; ``shaded``: what the backend's :meth:`Backend.make_targets` gave.
    """

    view: View
    hits: list[moderngl.Texture]
    tiles: moderngl.Texture
    inputs: moderngl.Framebuffer
    shaded: Any


class Backend(Protocol):
    """Looks features up and runs the network on them.

    ``name``: one of :data:`duplex.app.render.backends.names.NAMES`.
    """

    name: str

    def make_targets(self, size: tuple[int, int]) -> Any:
        """What frames of ``size`` are shaded into, and with."""
        ...

    def render(self, frame: Frame, timers: Timers) -> list[moderngl.Texture]:
        """Shade the occupied tiles; straight RGBA, a texture of half floats for each pixel of a block."""
        ...

    def gpu_bytes(self, targets: Any) -> int:
        """What ``targets`` take."""
        ...


def make_backend(name: str, ctx: moderngl.Context, bundle: Bundle, features: FeaturePass) -> Backend:
    """The backend ``name`` for ``bundle``'s network, or the one that runs everywhere for ``auto``.

    Raises :class:`DuplexError` where it cannot run.
    """
    if name == "onnx":
        from duplex.app.render.backends.onnx import OnnxShading

        return OnnxShading(ctx, bundle.network, bundle.weights, features)
    if name == "compute":
        from duplex.app.render.backends.compute import ComputeShading

        return ComputeShading(ctx, bundle.network, bundle.weights, features)
    from duplex.app.render.backends.fragment import FragmentShading

    return FragmentShading(ctx, bundle.network, bundle.weights, features)
