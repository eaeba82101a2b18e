"""The hits of rays on the two shells, rasterised by the viewer's own G-buffer passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import moderngl
import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.render.passes.gbuffer import GBufferPass, GpuShell, surface_targets
from duplex.app.render.view_transform import ViewTransform
from duplex.app.scene.camera import Camera
from duplex.app.scene.mesh import Mesh


@dataclass(frozen=True)
class LayerHits:
    """One layer of a view, each (height, width), top row first.

    ``uv``: (..., 2) float32 texture coordinates; ``level``: float32, the level of detail of a texture of one texel,
    so that :math:`level + log2(side)` is that of a real one; ``distance``: float32 world units from the eye;
    ``face``: int32 index of the face that was hit, -1 where the layer is empty.
    """

    uv: Array
    level: Array
    distance: Array
    face: Array


class Rasterizer:
    """Rasterises an outer and an inner shell for one view after another.

    The backs of faces are not seen unless ``double_sided``. ``faces``: the number of faces of each shell.
    """

    def __init__(self, ctx: moderngl.Context, outer: Mesh, inner: Mesh, *, double_sided: bool = False):
        self.ctx = ctx
        points = np.concatenate([outer.positions, inner.positions])
        self.center = 0.5 * (points.min(0) + points.max(0))
        self.radius = float(np.linalg.norm(points - self.center, axis=1).max()) * 1.001
        self.passes = [
            GBufferPass(ctx, GpuShell.upload(ctx, mesh, double_sided), layer, surface=True)
            for layer, mesh in enumerate((outer, inner))
        ]
        self.faces = (len(outer.faces), len(inner.faces))
        self.size: tuple[int, int] | None = None
        self.targets: list[moderngl.Framebuffer] = []

    def layers(self, camera: Camera) -> tuple[LayerHits, LayerHits]:
        """What ``camera`` sees of the outer shell, and of the inner shell behind it."""
        size = (camera.width, camera.height)
        self.ctx.__enter__()  # type: ignore[no-untyped-call]  # now current: another may be, or none if one was freed
        if size != self.size:
            self.size = size
            self.targets = [surface_targets(self.ctx, size) for _ in range(2)]
        view = ViewTransform.of(camera, self.center, self.radius)
        first, second = self.targets
        self.passes[0].render(view, out=first)
        self.passes[1].render(view, first.depth_attachment, out=second)  # type: ignore[arg-type]
        return _read(first), _read(second)

    def each(self, cameras: Iterable[Camera]) -> Iterator[tuple[LayerHits, LayerHits]]:
        """:meth:`layers` of one camera after another."""
        return (self.layers(camera) for camera in cameras)


def _read(target: moderngl.Framebuffer) -> LayerHits:
    width, height = target.size
    data = np.frombuffer(target.read(components=4, dtype="f4"), np.float32).reshape(height, width, 4)[::-1]
    beside = np.frombuffer(target.read(components=4, attachment=1, dtype="f2"), np.float16).reshape(height, width, 4)
    level = beside[::-1, :, 3].astype(np.float32)
    return LayerHits(data[..., :2].copy(), level, data[..., 2].copy(), data[..., 3].astype(np.int32) - 1)
