"""From a bundle and a camera to an image. :meth:`Renderer.draw` lists the passes of a frame in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import moderngl
import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.render.backends.factory import make_backend
from duplex.app.render.backends.fragment import FragmentBackend
from duplex.app.render.backends.names import AUTO
from duplex.app.render.frame import Frame, FrameOptions, FrameResult, Rgba
from duplex.app.render.gpu import bytes_of, check_texture_size, colors, driver_errors
from duplex.app.render.passes.comparison import ComparisonPass
from duplex.app.render.passes.features import FeaturePass
from duplex.app.render.passes.gbuffer import GBufferPass, GpuShell
from duplex.app.render.passes.present import Mode, PicturePass, TargetPass
from duplex.app.render.passes.tiles import TilePass
from duplex.app.render.targets import FrameTargets, TargetCache
from duplex.app.render.timers import Timers
from duplex.app.render.view_transform import ViewTransform
from duplex.app.render.views import SURFACE_KINDS, Unseen, View, ViewKind, views_of
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera
from duplex.app.scene.orbits import scene_pivot
from duplex.app.scene.reference import Reference

_PICTURE_MODES = {ViewKind.FINAL: Mode.FINAL, ViewKind.ALPHA: Mode.ALPHA}
_TARGET_MODES = {
    ViewKind.MASK: Mode.MASK,
    ViewKind.DEPTH: Mode.DISTANCE,
    ViewKind.NORMAL: Mode.SIGNED,
    ViewKind.UV: Mode.UV,
    ViewKind.FEATURES: Mode.SIGNED,
    ViewKind.LAYER: Mode.POSITIVE,
}


class Renderer:
    """Draws ``bundle`` with OpenGL, for the window, the command line, the Python API and the evaluation.

    It owns meshes, textures, shaders and render targets, and keeps no state between frames: :class:`FrameOptions` go
    in, a :class:`FrameResult` comes out. Raises :class:`~duplex.app.core.errors.DuplexError` if the driver rejects the
    bundle or the backend is not available.
    """

    def __init__(self, ctx: moderngl.Context, bundle: Bundle, backend: str = AUTO):
        self.ctx = ctx
        self.bundle = bundle
        self.views = views_of(bundle)
        low, high = bundle.bounds
        self.center = 0.5 * (low + high)
        self.radius = float(np.linalg.norm(high - low)) / 2 * 1.001
        shells = (bundle.outer, bundle.inner)
        check_texture_size(ctx, max(max(shell.texels.shape) for shell in shells), "features")
        with driver_errors("preparing the bundle"):
            self.shells = [GpuShell.upload(ctx, s.mesh, bundle.double_sided) for s in shells]
            reference = bundle.network.reference
            self._gbuffer = [
                GBufferPass(ctx, shell, layer, reference=reference) for layer, shell in enumerate(self.shells)
            ]
            self._tiles = TilePass(ctx, bundle.network.margin)
            self._features = FeaturePass(ctx, bundle.network, shells)
            self.backend = make_backend(backend, ctx, bundle, self._features)
            self._pictures = {kind: PicturePass(ctx, bundle.network, mode) for kind, mode in _PICTURE_MODES.items()}
        self._targets = TargetCache(ctx, bundle.network, self.backend)
        # created when a view first needs them
        self._surface: list[GBufferPass] = []
        self._layers: FragmentBackend | None = None
        self._comparison: ComparisonPass | None = None
        self._shown: dict[Mode, TargetPass] = {}

    def draw(self, camera: Camera, options: FrameOptions | None = None) -> FrameResult:
        """Draw one frame of ``camera``; the result is valid until the next frame of that size.

        The reference and error views show the final image if the bundle has no reference image for ``camera``. Raises
        :class:`~duplex.app.core.errors.DuplexError` if the size exceeds the driver's limit.
        """
        options = options or FrameOptions()
        if options.view.kind in (ViewKind.REFERENCE, ViewKind.ERROR):
            reference = self.reference_at(camera)
            if reference is not None:
                return self._draw_comparison(camera, reference, options)
            options = replace(options, view=View(ViewKind.FINAL))
        targets = self._targets.at((camera.width, camera.height))
        frame = self._draw_gbuffer(camera, targets, options)
        if options.view.kind in self._pictures:
            return self._draw_picture(frame, targets, options)
        return self._draw_target(camera, frame, targets, options)

    def image(self, camera: Camera, options: FrameOptions | None = None) -> Array:
        """Draw a frame and read it back: (height, width, 4) uint8, top row first, premultiplied alpha."""
        data = np.frombuffer(self.draw(camera, options).texture.read(), np.uint8)
        return data.reshape(camera.height, camera.width, 4)[::-1].copy()

    def distances(self, camera: Camera) -> Array:
        """Distance along each ray from the eye to the outer shell: (height, width) float32, infinite at a miss."""
        targets = self._targets.at((camera.width, camera.height))
        frame = self._draw_gbuffer(camera, targets, FrameOptions())
        surface = colors(self._draw_surface(frame, targets, FrameOptions())[0])[0]
        scale = self.bundle.network.channels_to_space
        margin = self.bundle.network.margin
        values = np.frombuffer(surface.read(), np.float32).reshape(surface.height, surface.width, 4)[::-1]
        inside = values[margin : surface.height - margin, margin : surface.width - margin]
        distance = np.where(inside[..., 3] > 0, inside[..., 2], np.float32(np.inf))
        return distance.repeat(scale, 0).repeat(scale, 1)[-camera.height :, : camera.width].copy()

    @property
    def has_unseen(self) -> bool:
        """Whether the cameras of the bake have not seen all of the shells."""
        return any(shell.seen is not None for shell in self.shells)

    @property
    def gpu_bytes(self) -> int:
        """GPU memory of the bundle and of all render targets in bytes, mip levels not counted."""
        buffers = [buffer for shell in self.shells for buffer in (shell.vertices, shell.indices, shell.seen)]
        return bytes_of(*buffers, *self._features.textures) + self._targets.gpu_bytes

    def transform_of(self, camera: Camera) -> ViewTransform:
        """The matrices of ``camera``, with a depth range that fits this scene."""
        return ViewTransform.of(camera, self.center, self.radius)

    def reference_at(self, camera: Camera) -> Reference | None:
        """The bundle's reference image from the pose of ``camera``, or None."""
        size = min(self.radius, scene_pivot(self.bundle).length)  # a dome is far away
        return next((x for x in self.bundle.references if x.stands_at(camera, size)), None)

    def _background(self, options: FrameOptions) -> Rgba:
        return options.background or (*self.bundle.background, 1.0)

    def _draw_gbuffer(self, camera: Camera, targets: FrameTargets, options: FrameOptions) -> Frame:
        network = self.bundle.network
        timers = options.timers
        transform = self.transform_of(_block_camera(camera, network.channels_to_space).padded(network.margin))
        outer, inner = targets.hits
        hiding = options.unseen is Unseen.HIDE
        with timers.measure("outer shell"):
            self._gbuffer[0].render(transform, hiding=hiding, out=outer)
        with timers.measure("inner shell"):
            self._gbuffer[1].render(transform, _depth(outer), hiding, out=inner)
        with timers.measure("tiles"):
            self._tiles.render(_color(outer), out=targets.tiles)
        hits = [_color(outer), _color(inner)]
        return Frame(transform, hits, _color(targets.tiles), targets.inputs, options.shells)

    def _draw_picture(self, frame: Frame, targets: FrameTargets, options: FrameOptions) -> FrameResult:
        shaded = targets.backend.render(frame, options.timers)
        picture = self._pictures[options.view.kind]
        with options.timers.measure("present"):
            showing = options.unseen is Unseen.SHOW
            picture.render(frame, shaded, self._background(options), showing, out=targets.picture)
        return FrameResult(targets.picture, frame, shaded)

    def _draw_target(self, camera: Camera, frame: Frame, targets: FrameTargets, options: FrameOptions) -> FrameResult:
        """Show an intermediate target instead of the image."""
        view = options.view
        if view.kind in SURFACE_KINDS:
            surface = self._draw_surface(frame, targets, options)[view.shell]
            texture = colors(surface)[1 if view.kind is ViewKind.NORMAL else 0]
        elif view.kind is ViewKind.FEATURES:
            with options.timers.measure("features"):
                self._features.render(frame)
            textures_of_shell = self.bundle.network.feature_channels // 4
            texture = colors(targets.inputs)[view.shell * textures_of_shell + view.texture]
        else:
            texture = self._draw_layers(frame, targets, options.timers)[view.layer][view.texture]
        mode = _TARGET_MODES[view.kind]
        if mode not in self._shown:
            self._shown[mode] = TargetPass(self.ctx, self.bundle.network, mode)
        distance = float(np.linalg.norm(camera.position - self.center))
        distances = (max(distance - self.radius, 0.0), distance + self.radius)
        with options.timers.measure("present"):
            self._shown[mode].render(frame.hits[view.shell], texture, distances, options.display, out=targets.picture)
        return FrameResult(targets.picture, frame)

    def _draw_surface(
        self, frame: Frame, targets: FrameTargets, options: FrameOptions
    ) -> Sequence[moderngl.Framebuffer]:
        """Draw distances, normals and texture coordinates of both shells in float32."""
        if not self._surface:
            self._surface = [GBufferPass(self.ctx, shell, i, surface=True) for i, shell in enumerate(self.shells)]
        outer, inner = targets.surfaces(self.ctx)
        with options.timers.measure("outer surface"):
            self._surface[0].render(frame.transform, out=outer)
        with options.timers.measure("inner surface"):
            self._surface[1].render(frame.transform, _depth(outer), out=inner)
        return outer, inner

    def _draw_layers(self, frame: Frame, targets: FrameTargets, timers: Timers) -> list[list[moderngl.Texture]]:
        """Run the network layer by layer; returns the output textures of each layer, 4 channels per texture."""
        if self._layers is None:
            network = (self.bundle.network, self.bundle.weights)
            self._layers = FragmentBackend(self.ctx, *network, self._features, fused=False)
        if targets.layers is None:
            targets.layers = self._layers.sized(frame.inputs.size)
        targets.layers.render(frame, timers)
        return [colors(*layer) for layer in targets.layers.targets]

    def _draw_comparison(self, camera: Camera, reference: Reference, options: FrameOptions) -> FrameResult:
        """Show ``reference``, or the error of the image against it."""
        out = self._targets.at((camera.width, camera.height)).comparison(self.ctx)
        background = self._background(options)
        drawn = FrameResult(out)
        if options.view.kind is ViewKind.ERROR:
            background = (*self.bundle.background, 1.0)  # reference photos are composited over this background
            drawn = self.draw(camera, replace(options, view=View(ViewKind.FINAL), background=background))
        if self._comparison is None:
            self._comparison = ComparisonPass(self.ctx, self.bundle.references)
        texture = drawn.texture if options.view.kind is ViewKind.ERROR else None
        with options.timers.measure("comparison"):
            self._comparison.render(reference, camera, background, texture, out=out)
        return replace(drawn, picture=out)


def _block_camera(camera: Camera, scale: int) -> Camera:
    """The camera of the G-buffer, whose pixels are blocks of ``scale`` x ``scale`` image pixels.

    Sizes that are no multiple of ``scale`` are rounded up.
    """
    if scale == 1:
        return camera
    width, height = -(-camera.width // scale), -(-camera.height // scale)
    above = height * scale - camera.height  # blocks start at the bottom row, so extra rows are at the top
    return replace(
        camera,
        width=width,
        height=height,
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
