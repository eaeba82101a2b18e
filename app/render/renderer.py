"""From a bundle and a camera to a picture. :meth:`Renderer.draw` is the whole frame in order."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import moderngl
import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.render.backends.factory import Frame, make_backend
from duplex.app.render.backends.fragment import FragmentShading
from duplex.app.render.backends.names import AUTO
from duplex.app.render.gpu import PassTimers, Timers, bytes_of, check_texture_size, color_target, colors, driver_errors
from duplex.app.render.passes.comparison import ComparisonPass
from duplex.app.render.passes.features import FeaturePass, input_targets
from duplex.app.render.passes.gbuffer import GBufferPass, GpuShell, View, hit_targets, surface_targets
from duplex.app.render.passes.present import Display, Mode, PicturePass, TargetPass
from duplex.app.render.passes.tiles import TilePass, tile_targets
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera
from duplex.app.scene.reference import Reference

FINAL, ALPHA = "final", "alpha"
REFERENCE, ERROR = "reference", "error"
SURFACE_VIEWS = {"mask": Mode.MASK, "depth": Mode.DISTANCE, "normal": Mode.SIGNED, "uv": Mode.UV}
LAYERS = ("outer", "inner")
SIZES_KEPT = 3
AS_COLORS = Display()
_PICTURES = {FINAL: Mode.FINAL, ALPHA: Mode.ALPHA}


@dataclass
class Targets:
    """Everything a frame draws into, for one picture size: all but ``picture`` reach a margin beyond it.

    ``shaded``: the backend's; ``surface``, ``layers`` and ``compared`` only once a view asks for them.
    """

    hits: list[moderngl.Framebuffer]
    tiles: moderngl.Framebuffer
    inputs: moderngl.Framebuffer
    picture: moderngl.Framebuffer
    shaded: Any
    surface: list[moderngl.Framebuffer] | None = None
    layers: list[list[moderngl.Framebuffer]] | None = None
    compared: moderngl.Framebuffer | None = None


class Renderer:
    """Draws ``bundle`` with OpenGL; the window, the command line and the evaluation all use this one."""

    def __init__(self, ctx: moderngl.Context, bundle: Bundle, backend: str = AUTO):
        self.ctx, self.bundle = ctx, bundle
        self.timers: Timers = PassTimers(ctx, enabled=False)
        low, high = bundle.bounds
        self.center = 0.5 * (low + high)
        self.radius = float(np.linalg.norm(high - low)) / 2 * 1.001
        shells = (bundle.outer, bundle.inner)
        check_texture_size(ctx, max(max(shell.texels.shape) for shell in shells), "features")
        with driver_errors("preparing the bundle"):
            self.shells = [GpuShell.upload(ctx, (s.positions, s.uvs, s.faces), bundle.double_sided) for s in shells]
            self.gbuffer = [GBufferPass(ctx, shell, layer) for layer, shell in enumerate(self.shells)]
            self.tiles = TilePass(ctx, bundle.network.margin)
            self.features = FeaturePass(ctx, bundle.network, shells)
            self.shading = make_backend(backend, ctx, bundle, self.features)
            self.picture = {name: PicturePass(ctx, bundle.network, mode) for name, mode in _PICTURES.items()}
        self.views = _views(bundle)
        self._surface: list[GBufferPass] | None = None
        self._layers: FragmentShading | None = None
        self._comparison: ComparisonPass | None = None
        self.shaded: list[moderngl.Texture] = []  # what the backend gave for the last frame
        self._shown: dict[Mode, TargetPass] = {}
        self._targets: OrderedDict[tuple[int, int], Targets] = OrderedDict()

    def draw(
        self,
        camera: Camera,
        background: tuple[float, float, float, float] | None = None,
        view: str = FINAL,
        display: Display = AS_COLORS,
    ) -> moderngl.Framebuffer:
        """Draw one frame of ``camera`` and return the picture, which lives until the next call.

        ``background``: straight RGBA, by default the teacher's; ``view``: one of :attr:`views`, shown as ``display``
        says. Where the bundle has no reference from ``camera``, the views that need one are the final picture.
        """
        if view in (REFERENCE, ERROR):
            return self._compared(camera, background or (*self.bundle.background, 1.0), view)
        targets = self.targets_for((camera.width, camera.height))
        scale, margin = self.bundle.network.channels_to_space, self.bundle.network.margin
        blocks = (-(-camera.width // scale), -(-camera.height // scale))
        seen = View.of(_with_blocks(camera, blocks, scale).padded(margin), self.center, self.radius)
        frame = self._draw_gbuffer(seen, targets)
        if view in self.picture:
            shaded = self.shaded = self.shading.render(frame, self.timers)
            with self.timers.measure("present"):
                self.picture[view].render(
                    frame.hits[0],
                    shaded,
                    frame.tiles,
                    background or (*self.bundle.background, 1.0),
                    out=targets.picture,
                )
            return targets.picture
        if view.startswith(LAYERS):
            mode, texture = self._shell_view(frame, targets, *view.split(" ", 1))
        else:
            mode, texture = Mode.POSITIVE, self._layer_view(frame, targets, view)
        if mode not in self._shown:
            self._shown[mode] = TargetPass(self.ctx, self.bundle.network, mode)
        hits = frame.hits[LAYERS.index(view.split(" ")[0]) if view.startswith(LAYERS) else 0]
        distance = float(np.linalg.norm(camera.position - self.center))
        distances = (max(distance - self.radius, 0.0), distance + self.radius)
        with self.timers.measure("present"):
            self._shown[mode].render(hits, texture, distances, display, out=targets.picture)
        return targets.picture

    def image(
        self, camera: Camera, background: tuple[float, float, float, float] | None = None, view: str = FINAL
    ) -> Array:
        """:meth:`draw`, read back: (height, width, 4) uint8, top row first, premultiplied by alpha."""
        picture = self.draw(camera, background, view)
        data = np.frombuffer(picture.color_attachments[0].read(), np.uint8)  # type: ignore[union-attr]
        return data.reshape(camera.height, camera.width, 4)[::-1].copy()

    @property
    def gpu_bytes(self) -> int:
        """What the scene and the targets of the last frames take on the GPU, without mip levels."""
        buffers = [buffer for shell in self.shells for buffer in (shell.vertices, shell.indices)]
        total = bytes_of(*buffers, *self.features.textures)
        for made in self._targets.values():
            seldom = [made.compared, *(made.surface or []), *(target for x in made.layers or [] for target in x)]
            total += bytes_of(*made.hits, made.tiles, made.inputs, made.picture, *seldom)
            total += self.shading.gpu_bytes(made.shaded)
        return total

    def _draw_gbuffer(self, seen: View, targets: Targets) -> Frame:
        outer, inner = targets.hits
        with self.timers.measure("outer shell"):
            self.gbuffer[0].render(seen, out=outer)
        with self.timers.measure("inner shell"):
            self.gbuffer[1].render(seen, _depth(outer), out=inner)
        with self.timers.measure("tiles"):
            self.tiles.render(_color(outer), out=targets.tiles)
        return Frame(seen, [_color(outer), _color(inner)], _color(targets.tiles), targets.inputs, targets.shaded)

    def _shell_view(self, frame: Frame, targets: Targets, layer: str, kind: str) -> tuple[Mode, moderngl.Texture]:
        number = LAYERS.index(layer)
        if kind not in SURFACE_VIEWS:
            textures = self.bundle.network.feature_channels // 4
            index = int(kind.removeprefix("features "))
            with self.timers.measure("features"):
                self.features.render(frame)
            return Mode.SIGNED, colors(targets.inputs)[number * textures + index]
        if self._surface is None:
            self._surface = [GBufferPass(self.ctx, shell, i, surface=True) for i, shell in enumerate(self.shells)]
        if targets.surface is None:
            targets.surface = [surface_targets(self.ctx, targets.inputs.size) for _ in LAYERS]
        first, second = targets.surface
        with self.timers.measure("outer surface"):
            self._surface[0].render(frame.view, out=first)
        with self.timers.measure("inner surface"):
            self._surface[1].render(frame.view, _depth(first), out=second)
        return SURFACE_VIEWS[kind], colors(targets.surface[number])[1 if kind == "normal" else 0]

    def _layer_view(self, frame: Frame, targets: Targets, view: str) -> moderngl.Texture:
        if self._layers is None:
            network = (self.bundle.network, self.bundle.weights)
            self._layers = FragmentShading(self.ctx, *network, self.features, fused=False)
        if targets.layers is None:
            targets.layers = self._layers.make_targets(frame.inputs.size)
        self._layers.render(replace(frame, shaded=targets.layers), self.timers)
        layer, _, channels = view.removeprefix("layer ").partition(" channels ")
        return colors(*targets.layers[int(layer) - 1])[int(channels.split("-")[0]) // 4]

    def reference_at(self, camera: Camera) -> Reference | None:
        """The bundle's picture of what ``camera`` sees, if it has one."""
        return next((x for x in self.bundle.references if x.stands_at(camera, self.radius)), None)

    def _compared(
        self, camera: Camera, background: tuple[float, float, float, float], view: str
    ) -> moderngl.Framebuffer:
        reference = self.reference_at(camera)
        if reference is None:
            return self.draw(camera, background)
        targets, drawn = self.targets_for((camera.width, camera.height)), None
        if targets.compared is None:
            targets.compared = self.ctx.framebuffer([color_target(self.ctx, (camera.width, camera.height), "f1")])
        if view == ERROR:
            background = (*self.bundle.background, 1.0)  # a photo may have no other
            drawn = _color(self.draw(camera, background))
        if self._comparison is None:
            self._comparison = ComparisonPass(self.ctx, self.bundle.references)
        with self.timers.measure("comparison"):
            self._comparison.render(reference, camera, background, drawn, out=targets.compared)
        return targets.compared

    def targets_for(self, size: tuple[int, int]) -> Targets:
        """What pictures of ``size`` are drawn into.

        Those of the last few sizes are kept: a window that draws coarser while it moves makes none anew.
        """
        if size not in self._targets:
            while len(self._targets) >= SIZES_KEPT:
                self._targets.popitem(last=False)
            with driver_errors(f"a picture of {size[0]} x {size[1]}"):
                self._targets[size] = self._make_targets(size)
        self._targets.move_to_end(size)
        return self._targets[size]

    def _make_targets(self, size: tuple[int, int]) -> Targets:
        scale, margin = self.bundle.network.channels_to_space, self.bundle.network.margin
        width, height = (-(-side // scale) + 2 * margin for side in size)
        padded = (width, height)
        check_texture_size(self.ctx, max(*size, *padded), "a picture")
        return Targets(
            [hit_targets(self.ctx, padded) for _ in LAYERS],
            tile_targets(self.ctx, padded),
            input_targets(self.ctx, padded, self.bundle.network),
            self.ctx.framebuffer([color_target(self.ctx, size, "f1")]),
            self.shading.make_targets(padded),
        )


def _views(bundle: Bundle) -> list[str]:
    """Every target that can be shown, by the name that :meth:`Renderer.draw` takes."""
    textures = bundle.network.feature_channels // 4
    names = [FINAL, ALPHA]
    for layer in LAYERS:
        names += [f"{layer} {kind}" for kind in SURFACE_VIEWS]
        names += [f"{layer} features {i}" for i in range(textures)]
    for number, layer_spec in enumerate(bundle.network.layers, 1):
        names += [f"layer {number} channels {c}-{c + 3}" for c in range(0, layer_spec.outputs, 4)]
    return [*names, REFERENCE, ERROR] if bundle.references else names


def _with_blocks(camera: Camera, blocks: tuple[int, int], scale: int) -> Camera:
    """The camera whose pixels are blocks of ``scale`` times ``scale`` pixels of ``camera``."""
    if scale == 1:
        return camera
    above = blocks[1] * scale - camera.height  # rows are counted from the bottom, where blocks begin
    return replace(
        camera,
        width=blocks[0],
        height=blocks[1],
        fx=camera.fx / scale,
        fy=camera.fy / scale,
        cx=camera.cx / scale,
        cy=(camera.cy + above) / scale,
    )


def _color(framebuffer: moderngl.Framebuffer) -> moderngl.Texture:
    return colors(framebuffer)[0]


def _depth(framebuffer: moderngl.Framebuffer) -> moderngl.Texture:
    depth = framebuffer.depth_attachment
    assert isinstance(depth, moderngl.Texture)
    return depth
