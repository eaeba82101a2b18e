"""The render targets of a frame, and a cache of them by image size."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import moderngl

from duplex.app.render.backends.fragment import SizedFragmentBackend
from duplex.app.render.backends.protocol import Backend, SizedBackend
from duplex.app.render.gpu import bytes_of, check_texture_size, color_target, driver_errors
from duplex.app.render.passes.features import input_targets
from duplex.app.render.passes.gbuffer import hit_targets, surface_targets
from duplex.app.render.passes.tiles import tile_targets
from duplex.app.scene.bundle import SHELLS
from duplex.app.scene.network import NetworkSpec

MAX_SIZES = 3


@dataclass
class FrameTargets:
    """All render targets for one image size.

    ``hits``, ``tiles``, ``inputs``, ``surface`` and ``layers`` have G-buffer size with the network's margin;
    ``picture`` and ``compared`` have image size. ``backend`` owns the targets of the network. ``surface``, ``layers``
    and ``compared`` are allocated when a view first needs them.
    """

    hits: list[moderngl.Framebuffer]
    tiles: moderngl.Framebuffer
    inputs: moderngl.Framebuffer
    picture: moderngl.Framebuffer
    backend: SizedBackend
    surface: list[moderngl.Framebuffer] | None = None
    layers: SizedFragmentBackend | None = None
    compared: moderngl.Framebuffer | None = None

    @property
    def gpu_bytes(self) -> int:
        """GPU memory of all targets in bytes."""
        optional = [x for x in (self.compared, *(self.surface or [])) if x is not None]
        own = bytes_of(*self.hits, self.tiles, self.inputs, self.picture, *optional)
        return own + self.backend.gpu_bytes + (self.layers.gpu_bytes if self.layers else 0)

    def surfaces(self, ctx: moderngl.Context) -> list[moderngl.Framebuffer]:
        """The surface targets of the outer and the inner shell, allocated at the first call."""
        if self.surface is None:
            self.surface = [surface_targets(ctx, self.inputs.size) for _ in SHELLS]
        return self.surface

    def comparison(self, ctx: moderngl.Context) -> moderngl.Framebuffer:
        """The target of the reference and error views, allocated at the first call."""
        if self.compared is None:
            self.compared = ctx.framebuffer([color_target(ctx, self.picture.size, "f1")])
        return self.compared


class TargetCache:
    """Render targets by image size. It keeps the 3 sizes used last.

    Dynamic resolution switches between sizes while the camera moves, and must not allocate then.
    """

    def __init__(self, ctx: moderngl.Context, network: NetworkSpec, backend: Backend):
        self.ctx = ctx
        self.network = network
        self.backend = backend
        self._by_size: OrderedDict[tuple[int, int], FrameTargets] = OrderedDict()

    @property
    def gpu_bytes(self) -> int:
        """GPU memory of all cached targets in bytes."""
        return sum(targets.gpu_bytes for targets in self._by_size.values())

    def at(self, size: tuple[int, int]) -> FrameTargets:
        """The targets for images of ``size``, width and height in pixels.

        Raises :class:`~duplex.app.core.errors.DuplexError` if the driver cannot allocate them.
        """
        if size not in self._by_size:
            while len(self._by_size) >= MAX_SIZES:
                self._by_size.popitem(last=False)
            with driver_errors(f"a picture of {size[0]} x {size[1]}"):
                self._by_size[size] = self._make(size)
        self._by_size.move_to_end(size)
        return self._by_size[size]

    def _make(self, size: tuple[int, int]) -> FrameTargets:
        scale = self.network.channels_to_space
        margin = self.network.margin
        width, height = (-(-side // scale) + 2 * margin for side in size)
        padded = (width, height)
        check_texture_size(self.ctx, max(*size, *padded), "a picture")
        return FrameTargets(
            hits=[hit_targets(self.ctx, padded) for _ in SHELLS],
            tiles=tile_targets(self.ctx, padded),
            inputs=input_targets(self.ctx, padded, self.network),
            picture=self.ctx.framebuffer([color_target(self.ctx, size, "f1")]),
            backend=self.backend.sized(padded),
        )
