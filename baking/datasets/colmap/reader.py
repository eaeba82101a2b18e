"""COLMAP's folders: reconstructions in ``sparse`` or in a folder like it, pictures in ``images`` or ``input``.

Of several reconstructions (``sparse/0``, ``sparse/1``) the one with the most images is read. COLMAP's world has no up
direction; the mean of the cameras' up vectors stands for it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import MAX_NUMBER, shown
from duplex.baking.datasets.colmap import binary as colmap_binary
from duplex.baking.datasets.colmap import text as colmap_text
from duplex.baking.datasets.colmap.model import PointRows, PosedImage
from duplex.baking.datasets.frames import DatasetFrame, Listing, SparsePoints, every_eighth
from duplex.baking.datasets.lens import Lens
from duplex.baking.datasets.picture_search import PictureSearch
from duplex.baking.datasets.pictures import SUFFIXES, find_picture

KIND = "colmap"
SPARSE = ("sparse", "colmap/sparse", "colmap_sparse", "colmap_text", "colmap", "distorted/sparse")
STEMS = ("cameras", "images", "points3D")
MAX_MODELS = 32  # in one of them
MAX_DEPTH, MAX_FOLDERS = 4, 200  # of folders that are looked at where none of these names is there
DISTORTED = "distorted"  # as 3D Gaussian splatting calls the reconstruction of the photos as they were taken
FOLDERS = ("images", "images_2", "images_4", "images_8", "input", ".")  # largest first; names may hold the folder
FORMATS: tuple[tuple[str, ModuleType], ...] = ((".bin", colmap_binary), (".txt", colmap_text))
SAME_POSE = 1e-5  # difference of two poses' numbers, below which they are the same
MAX_CAMERAS_FOR_DEPTH = 100
NEAR_PERCENT, FAR_PERCENT = 0.1, 99.9  # those of LLFF's bounds


def matches(path: Path) -> bool:
    """Whether a reconstruction is there, or ``path`` is its folder or one of its files."""
    return _found(path) is not None


def read(path: Path, split: str | None = None) -> Listing:
    """Read all splits, not only ``split``; raises :class:`DuplexError` when a file is damaged."""
    found = _found(path)
    assert found is not None
    folder, reconstruction = found
    model, suffix, reader = reconstruction.folder, reconstruction.suffix, reconstruction.reader
    lenses = reader.read_cameras(model / f"cameras{suffix}")
    file = model / f"images{suffix}"
    images = sorted(reader.read_images(file), key=lambda image: image.name)
    pictures = _pictures(folder, images, ("input", *FOLDERS) if model.is_relative_to(folder / DISTORTED) else FOLDERS)
    frames = [_frame(image, lenses, picture, file) for image, picture in zip(images, pictures, strict=True)]
    eyes = np.stack([frame.pose[:3, 3] for frame in frames])
    sparse = _sparse_points(images, eyes, model / f"points3D{suffix}", reader)
    near, far = (None, None) if sparse is None else _depths(frames, sparse.positions)
    source = str(file.relative_to(folder))
    return Listing(KIND, folder, source, every_eighth(frames), _mean_up(frames), near=near, far=far, sparse=sparse)


def points_of(folder: Path, poses: dict[str, Array]) -> SparsePoints | None:
    """The points of the reconstruction in ``folder``, if it has the same ``poses`` (4, 4) by the pictures' names.

    None where there is none, where it is of another frame, and where a file of it is damaged.
    """
    try:
        model = _usual_model(folder)
        if model is None:
            return None
        file = model.folder / f"images{model.suffix}"
        images = [x for x in model.reader.read_images(file) if Path(x.name).name in poses]
        own = [image.pose(str(file)) for image in images]
        named = [poses[Path(image.name).name] for image in images]
        if not images or not np.allclose(own, named, rtol=0, atol=SAME_POSE):
            return None
        eyes = np.array(own)[:, :3, 3]
        return _sparse_points(images, eyes, model.folder / f"points3D{model.suffix}", model.reader)
    except DuplexError:
        return None


@dataclass(frozen=True)
class Reconstruction:
    """A reconstruction: its ``folder``, and the ``suffix`` and ``reader`` of its files."""

    folder: Path
    suffix: str
    reader: ModuleType

    def image_count(self) -> int:
        """How many images it has posed; -1 where its file is damaged."""
        try:
            return len(self.reader.read_images(self.folder / f"images{self.suffix}"))
        except DuplexError:
            return -1


def _found(path: Path) -> tuple[Path, Reconstruction] | None:
    """The dataset's folder and its reconstruction: in a usual place, or given itself, or the only one below."""
    if (usual := _usual_model(path)) is not None:
        return path, usual
    if (given := _given_model(path)) is not None:
        return _root_of(given.folder), given
    places = {x.parent if x.name.isdecimal() else x for x in _folders_below(path) if _model_in(x) is not None}
    only = _largest_in(places.pop()) if len(places) == 1 else None
    return None if only is None else (path, only)


def _usual_model(folder: Path) -> Reconstruction | None:
    """The reconstruction with the most images in the first usual place that holds any."""
    for name in SPARSE:
        place = folder / name
        inside = place.is_dir() and place.resolve().is_relative_to(folder.resolve())
        if inside and (found := _largest_in(place)) is not None:
            return found
    return None


def _folders_below(folder: Path) -> list[Path]:
    """Folders inside ``folder``, of a bounded depth and number; no hidden ones and no links."""
    found: list[Path] = []
    for place, folders, _ in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        folders[:] = sorted(x for x in folders if depth < MAX_DEPTH and not x.startswith("."))
        found += [path for x in folders if not (path := Path(place, x)).is_symlink()]
        if len(found) > MAX_FOLDERS:
            break
    return found


def _given_model(path: Path) -> Reconstruction | None:
    """The reconstruction whose folder ``path`` is, the folder above it, or one of its files."""
    is_part = path.is_file() and path.stem in STEMS
    place = (path.parent if is_part else path).absolute()
    return _largest_in(place) if place.is_dir() else None


def _root_of(model: Path) -> Path:
    """The folder of the dataset to which a reconstruction's folder belongs: the nearest one with pictures."""
    place = model.parent if model.name.isdecimal() else model
    roots = [x for x in model.parents if any(place == x / name for name in SPARSE)]
    return next((x for x in (model, *roots) if any((x / name).is_dir() for name in FOLDERS[:-1])), [*roots, model][0])


def _largest_in(place: Path) -> Reconstruction | None:
    """The reconstruction with the most images in ``place`` or in its numbered folders."""
    numbered = sorted(x for x in place.iterdir() if x.name.isdecimal() and x.is_dir())[:MAX_MODELS]
    found = [model for x in (*numbered, place) if (model := _model_in(x)) is not None]
    return max(found, key=Reconstruction.image_count) if len(found) > 1 else found[0] if found else None


def _model_in(folder: Path) -> Reconstruction | None:
    for suffix, reader in FORMATS:
        if all((folder / f"{stem}{suffix}").is_file() for stem in STEMS[:2]):
            return Reconstruction(folder, suffix, reader)
    return None


def _pictures(folder: Path, images: list[PosedImage], folders: tuple[str, ...]) -> list[Path | None]:
    """The images' pictures in the first of ``folders`` that has any of them, or wherever their paths end alike."""
    for name in folders:
        found = [_picture(folder, name, image.name) for image in images]
        if any(found):
            return found
    search = PictureSearch(folder)
    return [search.find(image.name) for image in images]


def _picture(folder: Path, pictures: str, name: str) -> Path | None:
    """The picture, or a smaller version of it in another format."""
    whole = f"{pictures}/{name}"
    return find_picture(folder, whole, ("",)) or find_picture(folder, whole.rpartition(".")[0], SUFFIXES)


def _frame(image: PosedImage, lenses: dict[int, Lens], picture: Path | None, file: Path) -> DatasetFrame:
    name = f"{file}: frame {shown(image.name)}"
    if image.camera not in lenses:
        raise DuplexError(
            f"{name}: camera {image.camera}: expected one that the file of cameras holds: copy both again"
        )
    return DatasetFrame(name, image.pose(name), lenses[image.camera], picture)


def _mean_up(frames: list[DatasetFrame]) -> Array:
    up = np.mean([frame.pose[:3, 1] for frame in frames], axis=0)
    length = np.linalg.norm(up)
    return np.asarray(up / length) if length > 1e-6 else np.array([0.0, -1.0, 0.0])


def _sparse_points(images: list[PosedImage], eyes: Array, file: Path, reader: ModuleType) -> SparsePoints | None:
    """The points in ``file`` and which cameras, at ``eyes`` (k, 3), see them; None without any."""
    rows: PointRows | None = reader.read_points(file) if file.is_file() else None
    if rows is None or not np.isfinite(rows.positions).all(-1).any():
        return None
    known = np.abs(rows.positions).max(-1) < MAX_NUMBER  # and finite
    row_of = np.cumsum(known) - 1
    eye_of = {image.number: i for i, image in enumerate(images)}
    pairs = [(eye_of[n], row_of[p]) for n, p in rows.sightings.tolist() if n in eye_of and known[p]]
    return SparsePoints(rows.positions[known], eyes, np.array(pairs, np.int64).reshape(-1, 2))


def _depths(frames: list[DatasetFrame], points: Array) -> tuple[float | None, float | None]:
    """Smallest and largest depth of the points (n, 3) in the cameras' views; None, None if they see none."""
    depths = []
    for frame in frames[:: -(-len(frames) // MAX_CAMERAS_FOR_DEPTH)]:
        seen = _depths_in(frame, points)
        if len(seen):
            depths.append(np.percentile(seen, [NEAR_PERCENT, FAR_PERCENT]))
    if not depths:
        return None, None
    return float(np.min(depths)), float(np.max(depths))


def _depths_in(frame: DatasetFrame, points: Array) -> Array:
    assert frame.lens.size is not None
    camera = frame.lens.camera(frame.pose, frame.lens.size, frame.name)
    with np.errstate(all="ignore"):  # a damaged file may hold points that overflow
        pixels, depth = camera.project(points)
    u, v = pixels.T
    inside = (depth > 0) & (u >= 0) & (u <= camera.width) & (v >= 0) & (v <= camera.height)
    return np.asarray(depth[inside])
