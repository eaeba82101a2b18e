"""From a bundle and a camera to a picture. :meth:`Renderer.draw` is the whole frame in order."""

from __future__ import annotations

from dataclasses import dataclass, replace

import moderngl
import numpy as np

from duplex.app.bundle import Bundle, BundleShell
from duplex.app.camera import Array, Camera
from duplex.app.gpu import PassTimers, check_texture_size, color_target, driver_errors
from duplex.app.passes.gbuffer import VIEW_TEXTURES, GBufferPass, GpuShell, View, feature_targets, surface_targets
from duplex.app.passes.present import Mode, PresentPass
from duplex.app.passes.shading import ShadingPasses

FINAL = "final"
SURFACE_VIEWS = {"mask": Mode.MASK, "depth": Mode.DISTANCE, "normal": Mode.SIGNED, "uv": Mode.UV}
LAYERS = ("outer", "inner")


@dataclass
class Targets:
    """Everything a frame draws into, for one picture size; ``surface`` only once a view asks for it."""

    size: tuple[int, int]
    gbuffers: list[moderngl.Framebuffer]
    shaded: list[list[moderngl.Framebuffer]]
    picture: moderngl.Framebuffer
    surface: list[moderngl.Framebuffer] | None = None


@dataclass(frozen=True)
class Shown:
    """What the last pass makes visible: ``textures`` as ``mode`` says, where ``depth`` is covered.

    ``margin``: pixels that the textures reach beyond the picture.
    """

    mode: Mode
    textures: list[moderngl.Texture]
    depth: moderngl.Texture
    margin: int


class Renderer:
    """Draws ``bundle`` with OpenGL; the window, the command line and the evaluation all use this one."""

    def __init__(self, ctx: moderngl.Context, bundle: Bundle):
        self.ctx, self.bundle = ctx, bundle
        self.timers = PassTimers(ctx, enabled=False)
        low, high = bundle.bounds
        self.center = 0.5 * (low + high)
        self.radius = float(np.linalg.norm(high - low)) / 2 * 1.001
        check_texture_size(ctx, max(max(shell.texels.shape) for shell in (bundle.outer, bundle.inner)), "features")
        with driver_errors("preparing the bundle"):
            self.shells = [_upload(ctx, shell, bundle.network.mip_levels) for shell in (bundle.outer, bundle.inner)]
            self.gbuffer = [GBufferPass(ctx, shell, layer) for layer, shell in enumerate(self.shells)]
            self.shading = ShadingPasses(ctx, bundle.network, bundle.weights)
        self.views = _views(bundle)
        self._surface: list[GBufferPass] | None = None
        self._present: dict[tuple[Mode, int], PresentPass] = {}
        self._targets: Targets | None = None

    def draw(
        self,
        camera: Camera,
        background: tuple[float, float, float, float] | None = None,
        view: str = FINAL,
    ) -> moderngl.Framebuffer:
        """Draw one frame of ``camera`` and return the picture, which lives until the next call.

        ``background``: straight RGBA, by default the teacher's; ``view``: one of :attr:`views`.
        """
        targets = self._targets_for((camera.width, camera.height))
        scale, margin = self.bundle.network.channels_to_space, self.bundle.network.margin
        blocks = (-(-camera.width // scale), -(-camera.height // scale))
        seen = View.of(_with_blocks(camera, blocks, scale).padded(margin), self.center, self.radius)
        if view.startswith(LAYERS) and view.split(" ", 1)[1] in SURFACE_VIEWS:
            shown = self._draw_surface(seen, targets, *view.split(" ", 1))
        else:
            self._draw_gbuffers(seen, targets)
            if view.startswith(LAYERS):
                shown = self._features(targets, view)
            else:
                self._draw_shading(seen, targets)
                shown = self._shaded(targets, view)
        distance = float(np.linalg.norm(camera.position - self.center))
        distances = (max(distance - self.radius, 0.0), distance + self.radius)
        with self.timers.measure("present"):
            color = background or (*self.bundle.background, 1.0)
            self._present_pass(shown).render(shown.depth, shown.textures, color, distances, out=targets.picture)
        return targets.picture

    def image(
        self, camera: Camera, background: tuple[float, float, float, float] | None = None, view: str = FINAL
    ) -> Array:
        """:meth:`draw`, read back: (height, width, 4) uint8, top row first, premultiplied by alpha."""
        picture = self.draw(camera, background, view)
        data = np.frombuffer(picture.read(components=4), np.uint8)
        return data.reshape(camera.height, camera.width, 4)[::-1].copy()

    def network_inputs(self, camera: Camera) -> tuple[Array, Array]:
        """What the shading network saw when :meth:`draw` last drew ``camera``.

        Returns inputs (channels, height + 2 margin, width + 2 margin) float32 and the coverage (height, width)
        bool of the same G-buffer without its margin, top row first.
        """
        assert self._targets is not None
        buffers = self._targets.gbuffers
        textures = self.bundle.network.feature_channels // 4
        first, second = (_colors(buffer) for buffer in buffers)
        order = [*first[:textures], *second, *first[textures:]]
        planes = [np.frombuffer(t.read(), np.float16).reshape(*t.size[::-1], 4)[::-1] for t in order]
        margin = self.bundle.network.margin
        depth = _depth(buffers[0])
        covered = np.frombuffer(depth.read(alignment=4), np.float32).reshape(*depth.size[::-1])[::-1] < 1
        inner = covered[margin : covered.shape[0] - margin, margin : covered.shape[1] - margin]
        return np.concatenate(planes, -1).transpose(2, 0, 1).astype(np.float32), inner

    def _draw_gbuffers(self, seen: View, targets: Targets) -> None:
        outer, inner = targets.gbuffers
        with self.timers.measure("gbuffer outer"):
            self.gbuffer[0].render(seen, out=outer)
        with self.timers.measure("gbuffer inner"):
            self.gbuffer[1].render(seen, _depth(outer), out=inner)

    def _draw_shading(self, seen: View, targets: Targets) -> None:
        textures = self.bundle.network.feature_channels // 4
        first, second = (_colors(buffer) for buffer in targets.gbuffers)
        inputs = [*first[:textures], *second, *first[textures : textures + VIEW_TEXTURES]]
        box = _screen_box(self.bundle.bounds, seen, targets.gbuffers[0].size, self.bundle.network.margin)
        shrink = 0
        for i, (layer, framebuffers) in enumerate(zip(self.shading.layers, targets.shaded, strict=True)):
            shrink += layer.layer.kernel // 2
            for framebuffer in framebuffers:
                framebuffer.scissor = (max(box[0] - shrink, 0), max(box[1] - shrink, 0), box[2], box[3])
            with self.timers.measure(f"shading {i + 1}"):
                layer.render(inputs, out=framebuffers)
            inputs = [texture for framebuffer in framebuffers for texture in _colors(framebuffer)]

    def _features(self, targets: Targets, view: str) -> Shown:
        layer, _, index = view.partition(" features ")
        buffer = targets.gbuffers[LAYERS.index(layer)]
        return Shown(Mode.SIGNED, [_colors(buffer)[int(index)]], _depth(buffer), self.bundle.network.margin)

    def _shaded(self, targets: Targets, view: str) -> Shown:
        depth = _depth(targets.gbuffers[0])
        if view in (FINAL, "alpha"):
            last = [texture for buffer in targets.shaded[-1] for texture in _colors(buffer)]
            return Shown(Mode.FINAL if view == FINAL else Mode.ALPHA, last, depth, 0)
        layer, _, channels = view.removeprefix("layer ").partition(" channels ")
        textures = [texture for buffer in targets.shaded[int(layer) - 1] for texture in _colors(buffer)]
        margin = sum(x.kernel // 2 for x in self.bundle.network.layers[int(layer) :])
        return Shown(Mode.POSITIVE, [textures[int(channels.split("-")[0]) // 4]], depth, margin)

    def _draw_surface(self, seen: View, targets: Targets, layer: str, kind: str) -> Shown:
        if self._surface is None:
            self._surface = [GBufferPass(self.ctx, shell, i, surface=True) for i, shell in enumerate(self.shells)]
        if targets.surface is None:
            size = targets.gbuffers[0].size
            targets.surface = [surface_targets(self.ctx, size) for _ in LAYERS]
        first, second = targets.surface
        with self.timers.measure("gbuffer outer"):
            self._surface[0].render(seen, out=first)
        with self.timers.measure("gbuffer inner"):
            self._surface[1].render(seen, _depth(first), out=second)
        buffer = targets.surface[LAYERS.index(layer)]
        texture = _colors(buffer)[1 if kind == "normal" else 0]
        return Shown(SURFACE_VIEWS[kind], [texture], _depth(buffer), self.bundle.network.margin)

    def _present_pass(self, shown: Shown) -> PresentPass:
        key = (shown.mode, shown.margin)
        if key not in self._present:
            self._present[key] = PresentPass(self.ctx, self.bundle.network, *key)
        return self._present[key]

    def _targets_for(self, size: tuple[int, int]) -> Targets:
        if self._targets is None or self._targets.size != size:
            self._targets = None  # free the old ones first
            scale, margin = self.bundle.network.channels_to_space, self.bundle.network.margin
            width, height = (-(-side // scale) + 2 * margin for side in size)
            textures = self.bundle.network.feature_channels // 4
            check_texture_size(self.ctx, max(*size, width, height), "a picture")
            with driver_errors(f"a picture of {size[0]} x {size[1]}"):
                self._targets = Targets(
                    size,
                    [feature_targets(self.ctx, (width, height), textures, layer) for layer in range(2)],
                    self.shading.targets((width, height)),
                    self.ctx.framebuffer([color_target(self.ctx, size, "f1")]),
                )
        return self._targets


def _upload(ctx: moderngl.Context, shell: BundleShell, mip_levels: int) -> GpuShell:
    geometry = GpuShell.upload(ctx, shell.positions, shell.uvs, shell.faces)
    return geometry.with_features(ctx, shell.texels, shell.scale, shell.offset, mip_levels)


def _views(bundle: Bundle) -> list[str]:
    """Every target that can be shown, by the name that :meth:`Renderer.draw` takes."""
    textures = bundle.network.feature_channels // 4
    names = [FINAL, "alpha"]
    for layer in LAYERS:
        names += [f"{layer} {kind}" for kind in SURFACE_VIEWS]
        names += [f"{layer} features {i}" for i in range(textures)]
    for number, layer_spec in enumerate(bundle.network.layers, 1):
        names += [f"layer {number} channels {c}-{c + 3}" for c in range(0, layer_spec.outputs, 4)]
    return names


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


def _colors(framebuffer: moderngl.Framebuffer) -> list[moderngl.Texture]:
    return [texture for texture in framebuffer.color_attachments if isinstance(texture, moderngl.Texture)]


def _depth(framebuffer: moderngl.Framebuffer) -> moderngl.Texture:
    depth = framebuffer.depth_attachment
    assert isinstance(depth, moderngl.Texture)
    return depth


def _screen_box(bounds: Array, seen: View, size: tuple[int, int], reach: int) -> tuple[int, int, int, int]:
    """The pixels (x, y, width, height) of a target of ``size`` that a world box and ``reach`` around it can touch."""
    corners = np.array([[bounds[i][0], bounds[j][1], bounds[k][2], 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    clip = corners @ seen.world_to_clip.T
    if (clip[:, 3] <= 1e-6).any():  # the camera is beside or inside the box
        return 0, 0, *size
    pixels = (clip[:, :2] / clip[:, 3:] * 0.5 + 0.5) * size
    low = np.clip(np.floor(pixels.min(0)) - reach - 1, 0, size).astype(int)
    high = np.clip(np.ceil(pixels.max(0)) + reach + 1, 0, size).astype(int)
    return int(low[0]), int(low[1]), int(max(high[0] - low[0], 0)), int(max(high[1] - low[1], 0))
