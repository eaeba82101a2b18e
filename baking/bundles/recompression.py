"""Stores a bundle that exists in few bytes: its features and network learn to be small, from pictures of the scene."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import moderngl
import numpy as np
import torch

from duplex.app.core.apart import trusting
from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.files import write_atomically
from duplex.app.core.images import over
from duplex.app.core.outputs import check_output
from duplex.app.render.frame import FrameOptions
from duplex.app.render.gpu import create_headless_context
from duplex.app.render.renderer import Renderer
from duplex.app.render.views import Unseen
from duplex.app.scene.bundle import Bundle, BundleShell
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.camera import Camera
from duplex.baking.compression.latents import LatentsMaker, latents_of
from duplex.baking.compression.packing import Compression, StorageConfig, as_it_is, checked_megabytes
from duplex.baking.compression.tuning import Tuner, TuningConfig, features_within
from duplex.baking.distill.features import FeatureTexture
from duplex.baking.distill.shading import SATURATED
from duplex.baking.distill.trainer import DistillConfig, Distiller
from duplex.baking.distill.views import ViewConfig, ViewSet, at_scales, make_view_set, to_bytes
from duplex.baking.evaluation.comparison import photos_of
from duplex.baking.evaluation.teacher_renderer import TeacherRenderer, teacher_of
from duplex.baking.geometry.gbuffers import Rasterizer
from duplex.baking.provenance import rig_of, seed_of, view_size_of
from duplex.baking.runtime.devices import pick_device
from duplex.baking.runtime.progress import Listener, reporting, track
from duplex.baking.settings import check_names, configured, names_of, setting
from duplex.baking.view_sets import training_cameras, views_of_photos

DEFAULT = "default"  # the only preset


@dataclass(frozen=True)
class PictureConfig:
    """From how many pictures is learned."""

    views: int = setting(400, "pictures of the scene to learn from", low=2, high=100_000)


@dataclass(frozen=True)
class RecompressionConfig:
    """The settings of a recompression."""

    pictures: PictureConfig = field(default_factory=PictureConfig)
    tuning: TuningConfig = field(default_factory=TuningConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)


@dataclass(frozen=True)
class Sources:
    """What is learned from: the checkpoint ``teacher``, or the bundle's own pictures; and photos of a ``data`` set."""

    teacher: Path | None = None
    data: Path | None = None
    device: str = "auto"


def compress(  # noqa: PLR0913 - keyword arguments of the public API
    scene: Bundle | str | Path,
    output: str | Path,
    *,
    megabytes: float | None = None,
    teacher: str | Path | None = None,
    data: str | Path | None = None,
    progress: Listener | None = None,
    device: str = "auto",
    trusted: bool = False,
    **settings: Any,
) -> Bundle:
    """Store a scene in few bytes, without reference pictures, and return it as it is stored.

    Args:
        scene: A bundle, or its file.
        output: The bundle to write.
        megabytes: That it may take; by default what ``rate_weight`` gives.
        teacher: A checkpoint to learn from; by default the scene's own pictures are learned from.
        data: A dataset whose photos are learned from too.
        progress: Called with each :class:`~duplex.baking.runtime.progress.ProgressEvent`; its exceptions end the work.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"auto"``.
        trusted: Decode pictures in this process, not in one of its own that may crash without harm.
        settings: Any setting of ``duplex-bake compress --help`` by its name with underscores, such as ``rate_steps=0``.

    Raises:
        DuplexError: The scene cannot be stored so, or a setting is unknown.
    """
    check_names(settings, names_of(RecompressionConfig))
    config = configured(RecompressionConfig, {DEFAULT: {}}, DEFAULT, settings)
    megabytes = checked_megabytes(megabytes)
    with reporting(progress), trusting(trusted):
        check_output(Path(output), "the bundle to write")
        bundle = scene if isinstance(scene, Bundle) else read_bundle(scene, trusted=trusted)
        sources = Sources(Path(teacher) if teacher else None, Path(data) if data else None, device)
        write_atomically(Path(output), recompress(bundle, config, sources, megabytes))
    return read_bundle(output, trusted=True)  # it was written here


def recompress(bundle: Bundle, config: RecompressionConfig, sources: Sources, megabytes: float | None = None) -> bytes:
    """The bytes of a small file of ``bundle``, of at most ``megabytes`` if they are given.

    Raises :class:`DuplexError` for what cannot learn, or be made so small.
    """
    if not config.tuning.rate_steps:
        return as_it_is(bundle, config.storage, megabytes)
    with learning(bundle, config, sources) as learner:
        return learner.file(learner.tuned(config.tuning, megabytes), megabytes)


@dataclass(frozen=True)
class Learner:
    """Makes small files of ``bundle`` from the same pictures ``sets``; ``step``: of the quantisation."""

    bundle: Bundle
    sets: list[ViewSet]
    compression: Compression
    step: float
    device: torch.device

    def tuned(self, config: TuningConfig, megabytes: float | None = None, make: LatentsMaker = latents_of) -> Tuner:
        """What has learned to be small; ``megabytes``: of the file; ``make``: how features are stored."""
        tuner = Tuner(_distiller_of(self.bundle, self.device), self.bundle.shells, config, self.step, make)
        tuner.train(self.sets, self.bundle.background, features_within(megabytes, self.compression.fixed))
        return tuner

    def file(self, tuner: Tuner, megabytes: float | None = None) -> bytes:
        """The bytes of a file of what the ``tuner`` learned."""
        stored = replace(self.bundle, weights=tuner.distiller.student.network.exported())
        return self.compression.file_within(tuner.packed, self.step, megabytes, stored)


@contextmanager
def learning(bundle: Bundle, config: RecompressionConfig, sources: Sources) -> Iterator[Learner]:
    """The pictures to learn from are made once."""
    ctx = create_headless_context()
    compression = Compression(bundle, config.storage, ctx)
    rasterizer = Rasterizer(ctx, *(each.mesh for each in compression.meshes), double_sided=bundle.double_sided)
    with TemporaryDirectory() as folder:
        sets = _view_sets(bundle, config.pictures, sources, rasterizer, Path(folder))
        yield Learner(bundle, sets, compression, config.storage.feature_step, pick_device(sources.device))
        sets.clear()  # they map files of the folder


def _view_sets(
    bundle: Bundle, config: PictureConfig, sources: Sources, rasterizer: Rasterizer, folder: Path
) -> list[ViewSet]:
    """What is learned from: drawn pictures, and photos if there are any."""
    size = view_size_of(bundle)
    cameras = training_cameras(
        rig_of(bundle), ViewConfig(views=config.views, view_size=size), seed_of(bundle), rasterizer
    )
    draw = _teachers(bundle, sources.teacher, sources.device) if sources.teacher else _own(bundle, rasterizer.ctx)
    pictures = []
    with track("pictures", len(cameras)) as progress:
        for camera in cameras:
            pictures.append(draw(camera))
            progress.advance()
    sets = [make_view_set(cameras, pictures, rasterizer, bundle.network, folder / "hits")]
    if sources.data:
        scaled = at_scales(photos_of(bundle, sources.data, "train"), DistillConfig().crop_size, 2 * size)
        photos = views_of_photos(scaled, bundle.network, rasterizer, folder)
        sets += [photos] if photos else []
    return sets


def _teachers(bundle: Bundle, checkpoint: Path, device: str) -> Callable[[Camera], Array]:
    """Draws the teacher, (h, w, 4) uint8, premultiplied; opaque if the bundle's network is."""
    renderer = TeacherRenderer(teacher_of(bundle, checkpoint, device), bundle)
    opaque = _is_opaque(bundle)

    def draw(camera: Camera) -> Array:
        rgba = renderer.rgba(camera)
        if opaque:
            rgba = np.concatenate([over(rgba, bundle.background), np.ones_like(rgba[..., 3:])], -1)
        return to_bytes(rgba)

    return draw


def _own(bundle: Bundle, ctx: moderngl.Context) -> Callable[[Camera], Array]:
    """Draws the bundle itself, (h, w, 4) uint8, premultiplied."""
    renderer = Renderer(ctx, bundle)
    options = FrameOptions(background=(0, 0, 0, 0), unseen=Unseen.SHOW)
    return lambda camera: renderer.image(camera, options)


def _distiller_of(bundle: Bundle, device: torch.device) -> Distiller:
    """The training of a student that draws what ``bundle`` does."""
    sides = {shell.texels.shape[1:3] for shell in bundle.shells}
    side = next(iter(sides))[0]
    if sides != {(side, side)}:
        raise DuplexError("textures of different sides: features cannot learn: expected --rate-steps 0")
    config = DistillConfig(doublings=())
    distiller = Distiller(bundle.network, side, config, seed_of(bundle), device, _is_opaque(bundle))
    distiller.step = config.steps
    distiller.student.network.load(bundle.weights)
    for texture, shell in zip(distiller.student.textures, bundle.shells, strict=True):
        _load(texture, shell)
    return distiller


def _is_opaque(bundle: Bundle) -> bool:
    """Whether all that the shells cover is opaque, whatever is learned."""
    weight, bias = bundle.weights.weights[-1][3::4], bundle.weights.biases[-1][3::4]
    return bool((weight == 0).all() and (bias >= SATURATED).all())


def _load(texture: FeatureTexture, shell: BundleShell) -> None:
    texels = shell.texels.transpose(1, 2, 0, 3).reshape(texture.side * texture.side, -1)
    values = shell.offset + shell.scale / 255 * texels.astype(np.float32)
    if np.abs(values).max() > 1 + 1e-3:
        raise DuplexError("features beyond -1 to 1: features cannot learn: expected --rate-steps 0")
    with torch.no_grad():
        texture.texels.copy_(torch.from_numpy(values.clip(-1, 1)))
