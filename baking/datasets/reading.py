"""Posed photos: one small module for each kind of dataset, recognised by the files in its folder.

A folder with the files of several kinds counts as the first of: blender, nerfstudio, llff, colmap.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from duplex.app.core.errors import DuplexError
from duplex.app.core.file_kinds import wrong_kind
from duplex.app.core.tree import shown
from duplex.app.scene.camera import Camera
from duplex.baking.datasets import blender, llff, nerfstudio
from duplex.baking.datasets.colmap import reader as colmap
from duplex.baking.datasets.frames import Listing
from duplex.baking.datasets.photos import Dataset, Photo, camera_of, dataset_of, photos_of
from duplex.baking.datasets.pictures import pictures_in

MAX_INSIDE = 50  # of the files and folders in a folder without a dataset, those that are looked at
KINDS: tuple[ModuleType, ...] = (blender, nerfstudio, llff, colmap)


def read_dataset(path: Path, principal_shift: float = 0.0) -> Dataset:
    """All photos of the dataset at ``path`` that can be read: its folder, or the file with its cameras.

    ``principal_shift``: as :class:`duplex.baking.fields.field.SceneInfo` has it. Raises :class:`DuplexError` when the
    folder is of no known kind, when none of its pictures is there, or when a file is damaged.
    """
    return dataset_of(_listing(path, None), principal_shift)


def read_photos(path: Path, split: str, principal_shift: float) -> list[Photo]:
    """The photos of ``split`` (train, val or test) that can be read; raises as :func:`read_dataset` does."""
    listing = _listing(path, split)
    return list(photos_of(listing.frames[split], listing, principal_shift).values())


def read_cameras(path: Path, split: str, principal_shift: float) -> list[Camera]:
    """The cameras of ``split``; pictures may be missing where the dataset states their size.

    Cameras of Blender datasets without a stated size are 800 x 800.
    """
    listing = _listing(path, split)
    return [camera_of(frame, listing.assumed, principal_shift) for frame in listing.frames[split]]


def _listing(path: Path, split: str | None) -> Listing:
    kind = _kind_of(path)
    if kind is None:
        poses = path.suffix == ".npy"  # of LLFF under another name, likelier than weights
        raise (None if poses else wrong_kind(path, "the folder of a dataset")) or _no_dataset(path, split)
    listing: Listing = kind.read(path, split)
    return listing


def is_dataset(path: Path) -> bool:
    """Whether ``path`` is a dataset of a known kind, whatever state its files are in."""
    return _kind_of(path) is not None


def _kind_of(path: Path) -> ModuleType | None:
    return next((kind for kind in KINDS if kind.matches(path)), None)


def _no_dataset(path: Path, split: str | None) -> DuplexError:
    inside = sorted(path.iterdir())[:MAX_INSIDE] if path.is_dir() else []
    below = next((x for x in inside if x.is_dir() and not x.name.startswith(".") and _kind_of(x)), None)
    if below is not None:
        return DuplexError(f"{path}: no dataset in this folder, but in {shown(below.name)}: give that folder")
    if path.is_dir() and pictures_in(path, path):
        return DuplexError(
            f"{path}: no dataset, but photos without cameras: find these with duplex-train poses {shown(path.name)} "
            "-o FOLDER, and give that folder"
        )
    return DuplexError(
        f"{path}: no dataset {'in this file' if path.is_file() else 'in this folder'}: expected "
        f"transforms_{split or 'train'}.json (Blender), transforms.json (nerfstudio, instant-ngp), "
        "poses_bounds.npy (LLFF) or sparse/0/cameras.bin and images.bin (COLMAP, .txt too): give the folder that "
        "holds one of them"
    )
