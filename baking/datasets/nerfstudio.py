"""nerfstudio's and instant-ngp's folders: one ``transforms.json``, or a JSON file of another name.

The cameras stay in the file's own frame: nerfstudio's later orienting, centring and scaling, and instant-ngp's
``scale``, ``offset`` and ``aabb_scale``, belong to those programs' training. World: ``+z`` is up.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import MAX_TEXT, MAX_VALUES, Node, shown
from duplex.baking.datasets.colmap.reader import points_of
from duplex.baking.datasets.frames import SPLITS, DatasetFrame, Listing, every_eighth
from duplex.baking.datasets.lens_entries import number_of
from duplex.baking.datasets.transforms import frames_of, matrix_of, picture_name, read_transforms

KIND = "nerfstudio"
FILE = "transforms.json"


def matches(path: Path) -> bool:
    """Whether its file is there, or is ``path`` itself."""
    return (path / FILE).is_file() or (path.is_file() and path.suffix.lower() == ".json")


def read(path: Path, split: str | None = None) -> Listing:
    """Read all splits, not only ``split``; raises :class:`DuplexError` when the file is no such dataset."""
    file = path if path.is_file() else path / FILE
    content, entries = read_transforms(file, "a nerfstudio or instant-ngp dataset")
    entries.sort(key=picture_name)
    frames = frames_of(content, entries, file)
    names = [_key(picture_name(entry)) for entry in entries]
    splits = _named_splits(content, dict(zip(names, frames, strict=True))) or every_eighth(frames)
    up = np.array([0.0, 0.0, 1.0])
    sparse = points_of(file.parent, {frame.picture.name: frame.pose for frame in frames if frame.picture})
    return Listing(KIND, file.parent, file.name, splits, up, to_original=_to_original(content), sparse=sparse)


def _named_splits(content: Node, frames: dict[str, DatasetFrame]) -> dict[str, tuple[DatasetFrame, ...]]:
    """The splits listed in ``train_filenames`` and so on; a missing split gets the frames that no other lists."""
    keys = {split: f"{split}_filenames" for split in SPLITS}
    listed = {split: _listed(content, key, frames) for split, key in keys.items() if key in content}
    if not listed:
        return {}
    taken = {name for names in listed.values() for name in names}
    rest = [name for name in frames if name not in taken]
    train = listed.get("train") or rest
    test = listed.get("test") or listed.get("val") or rest
    chosen = {"train": train, "val": listed.get("val") or test, "test": test}
    return {split: tuple(frames[name] for name in sorted(names)) for split, names in chosen.items()}


def _listed(content: Node, key: str, frames: dict[str, DatasetFrame]) -> list[str]:
    names = content.child(key)
    keys = [_key(names.text(i, longest=MAX_TEXT)) for i in range(len(content.elements(key, MAX_VALUES)))]
    unknown = next((name for name in keys if name not in frames), None)
    if unknown is not None:
        raise DuplexError(
            f"{names.name}: {shown(unknown)}: expected the file_path of a frame: correct or remove the list"
        )
    return list(dict.fromkeys(keys))


def _key(name: str) -> str:
    return str(PurePosixPath(name.replace("\\", "/")))


def _to_original(content: Node) -> Array:
    """The inverse of ``applied_scale`` times ``applied_transform``: from the frame of the file to the original one."""
    scale = number_of(content, "applied_scale")
    scale = 1.0 if scale is None else scale
    applied = np.eye(4)
    if "applied_transform" in content:
        applied[:3] = matrix_of(content, "applied_transform")[:3]
    square = applied[:3, :3] @ applied[:3, :3].T
    size = float(np.trace(square)) / 3
    if not scale > 0 or size <= 0 or np.linalg.det(applied) < 0 or not np.allclose(square / size, np.eye(3), atol=1e-2):
        raise DuplexError(
            f"{content.name}: applied_transform, applied_scale {scale:g}: expected a rotation, a translation and a "
            "positive scale: correct or remove them"
        )
    return np.linalg.inv(np.diag([scale, scale, scale, 1.0]) @ applied)
