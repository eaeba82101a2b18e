"""Quality of a bundle as it will be seen: its own bytes, drawn by the viewer's renderer, at unseen cameras."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from skimage.metrics import structural_similarity

from duplex.app.bundle import Bundle
from duplex.app.camera import Array, Camera
from duplex.app.errors import DuplexError
from duplex.app.renderer import Renderer
from duplex.baking import rendering, spaces
from duplex.baking.datasets import Photo, read_dataset, read_photos
from duplex.baking.pipeline import EVALUATION_STREAM
from duplex.baking.progress import bar
from duplex.baking.rig import Rig
from duplex.baking.scene_arguments import ENCODINGS, world_of
from duplex.baking.teachers import Overrides, Teacher
from duplex.baking.teachers.field import ACTIVATIONS


@dataclass(frozen=True)
class Quality:
    """Agreement of one picture with its reference: PSNR in dB, and SSIM."""

    psnr: float
    ssim: float


def psnr(a: Array, b: Array) -> float:
    """Peak signal-to-noise ratio in dB of two float pictures in [0, 1]; 120 for equal ones."""
    return -10 * math.log10(max(float(np.mean((a.astype(np.float64) - b) ** 2)), 1e-12))


def ssim(a: Array, b: Array) -> float:
    """Structural similarity of two (h, w, 3) float pictures in [0, 1].

    Wang et al., 2004: 11 x 11 Gaussian window with sigma 1.5, mean over pixels and channels.
    """
    return float(
        structural_similarity(
            a, b, channel_axis=-1, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
    )


def compare(pictures: list[tuple[Camera, Callable[[], Array]]], renderer: Renderer, label: str) -> dict[str, Any]:
    """Draw the bundle at each camera and compare with its reference (h, w, 3) float32 in [0, 1].

    Returns ``{"psnr", "ssim", "views": [{"psnr", "ssim"}, ...]}``, the means first.
    """
    found = []
    with bar(label, len(pictures)) as progress:
        for camera, reference in pictures:
            drawn = renderer.image(camera)[..., :3].astype(np.float32) / 255
            wanted = reference()
            found.append(Quality(psnr(drawn, wanted), ssim(drawn, wanted)))
            progress.advance(note=f"{found[-1].psnr:.2f} dB")
    return {
        "psnr": float(np.mean([q.psnr for q in found])),
        "ssim": float(np.mean([q.ssim for q in found])),
        "views": [{"psnr": q.psnr, "ssim": q.ssim} for q in found],
    }


def against_teacher(bundle: Bundle, renderer: Renderer, teacher: Teacher, views: int, size: int) -> dict[str, Any]:
    """Compare with the teacher's standard renderer at ``views`` cameras that the bake never saw."""

    def reference(camera: Camera) -> Array:
        rgba = rendering.render(teacher, camera).cpu().numpy()
        return np.asarray(np.clip(rgba[..., :3] + (1 - rgba[..., 3:]) * np.array(bundle.background, np.float32), 0, 1))

    cameras = unseen_cameras(bundle, views, size)
    return compare([(camera, lambda c=camera: reference(c)) for camera in cameras], renderer, "against the teacher")  # type: ignore[misc]


def against_photos(bundle: Bundle, renderer: Renderer, photos: list[Photo], size: int) -> dict[str, Any]:
    """Compare with photos, box-filtered to a height of ``size`` pixels and put on the teacher's background."""
    pictures = []
    for photo in photos:
        width = max(round(photo.camera.width * size / photo.camera.height), 1)
        pictures.append((photo.camera.resized(width, size), lambda p=photo: p.pixels(size, bundle.background)))
    return compare(pictures, renderer, "against the photos")  # type: ignore[arg-type]


def unseen_cameras(bundle: Bundle, count: int, size: int) -> list[Camera]:
    """Cameras from the bundle's own rig, from a stream of random numbers that no stage of the bake draws from."""
    try:
        rig = Rig.from_json(bundle.rig)
        dataset, seed = int(bundle.rig.get("dataset_cameras", 0)), int(bundle.report.get("seed", 0))
        if not 0 <= dataset <= len(bundle.cameras) or not 0 <= seed < 1 << 63:
            raise ValueError("counts that do not fit")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DuplexError(f"cameras.json: no rig to draw unseen cameras from ({error}): bake again") from None
    if dataset:
        rig = replace(rig, poses=np.stack([camera.camera_to_world for camera in bundle.cameras[-dataset:]]))
    return rig.cameras(count, size, np.random.default_rng([seed, EVALUATION_STREAM]))


def as_baked(teacher: Teacher, bundle: Bundle) -> Teacher:
    """The teacher with near, far, background and space as the bake used them, whatever its configuration says."""
    found = {key: bundle.teacher[key] for key in ("near", "far") if key in bundle.teacher}
    try:
        found = {key: float(value) for key, value in found.items()}
    except (TypeError, ValueError, OverflowError):
        raise DuplexError(f"manifest.json: teacher {found}: expected numbers for near and far: bake again") from None
    space = spaces.from_json(bundle.teacher.get("space"))
    return replace(teacher, scene=replace(teacher.scene, background=bundle.background, space=space, **found))


def overrides_of(bundle: Bundle) -> Overrides:
    """What the bake was told of the teacher's network, so that it is read the same way again."""
    activation, encoding = bundle.teacher.get("activation"), bundle.teacher.get("encoding")
    if activation not in (None, *ACTIVATIONS) or encoding not in (None, *ENCODINGS):
        raise DuplexError(f"manifest.json: teacher: {activation!r} or {encoding!r} is no known name: bake again")
    return Overrides(activation=activation, encoding=encoding)


def photos_of(bundle: Bundle, folder: Path) -> list[Photo]:
    """The test photos of the dataset in ``folder``, with their cameras in the bundle's world."""
    shift, numbers = principal_shift(bundle), bundle.teacher.get("dataset_to_world")
    photos = read_photos(folder, "test", shift)
    if numbers is None:
        return photos
    try:
        to_world = world_of([float(x) for x in numbers], read_dataset(folder).to_original)
    except (TypeError, ValueError):
        raise DuplexError("manifest.json: teacher.dataset_to_world: expected 16 numbers: bake again") from None
    return [replace(photo, camera=photo.camera.moved(to_world)) for photo in photos]


def principal_shift(bundle: Bundle) -> float:
    """The bundle's note of where its teacher's pixels lie (see :class:`duplex.baking.teachers.SceneInfo`)."""
    value = bundle.teacher.get("principal_shift", 0.0)
    if not isinstance(value, int | float) or not abs(value) < 1:
        raise DuplexError(f"manifest.json: principal_shift {value!r}: expected a small number: bake again")
    return float(value)


def facts(bundle: Bundle, path: Path) -> dict[str, Any]:
    """What else the report names: bytes, faces, texels, multiply-adds a pixel, bracketing."""
    return {
        "bundle_bytes": path.stat().st_size,
        "faces": bundle.faces,
        "texels": bundle.texels,
        "macs_per_pixel": bundle.network.macs_per_pixel,
        "bracketing": bundle.report.get("bracketing"),
    }
