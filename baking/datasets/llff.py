"""LLFF's folders: ``poses_bounds.npy`` and pictures in ``images``, ``images_2``, ``images_4`` or ``images_8``.

A row of the file is a 3 x 5 matrix [R | t | height, width, focal length] and the least and greatest depth seen. The
axes of R are down, right, backwards. As in ``load_llff_data`` of nerf-pytorch, the world is scaled so that the least
depth is 4/3, and put into the frame of the average camera: ``+y`` is up, and the cameras look along ``-z``.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import MAX_NUMBER
from duplex.baking.datasets.frames import MAX_FRAMES, DatasetFrame, Listing, checked_pose, every_eighth
from duplex.baking.datasets.lens import Lens
from duplex.baking.datasets.pictures import pictures_in

KIND = "llff"
FILE = "poses_bounds.npy"
VIEWS = "view_imgs.txt"  # names of the pictures that LLFF's imgs2poses could pose, in the order of the rows
FOLDERS = ("images", "images_1", "images_2", "images_4", "images_8")  # largest first
COLUMNS = 17
BOUND_FACTOR = 0.75
MAX_BYTES = MAX_FRAMES * COLUMNS * 8 + 10240
MAX_SIDE = 1 << 17
MIN_DEPTH = 1e-9
MAX_LINE = 1024  # bytes


def matches(path: Path) -> bool:
    """Whether its file is there, or is ``path`` itself."""
    return (path / FILE).is_file() or (path.is_file() and path.name == FILE)


def read(path: Path, split: str | None = None) -> Listing:
    """Read all splits, not only ``split``; raises :class:`DuplexError` when the file is no such dataset."""
    folder = path.parent if path.is_file() else path
    file = folder / FILE
    rows = _read_rows(file)
    poses, optics, depths = _checked(rows, file)
    scale = 1 / (BOUND_FACTOR * float(depths.min()))
    poses[:, :3, 3] *= scale
    average = average_pose(poses)
    frames = [
        DatasetFrame(f"{file}: frame {i}", np.linalg.inv(average) @ pose, Lens((round(w), round(h)), f, f), picture)
        for i, (pose, (h, w, f), picture) in enumerate(zip(poses, optics, _pictures(folder, len(rows)), strict=True))
    ]
    return Listing(
        KIND,
        folder,
        FILE,
        every_eighth(frames),
        up=np.array([0.0, 1.0, 0.0]),
        near=float(depths.min()) * scale,
        far=float(depths.max()) * scale,
        to_original=np.diag([1 / scale, 1 / scale, 1 / scale, 1.0]) @ average,
    )


def average_pose(poses: Array) -> Array:
    """The average camera of ``poses`` (n, 4, 4): mean position, mean direction and mean up, as (4, 4).

    Cameras evenly around a thing have no such direction, or their mean up is the same one: the first camera's axes
    stand in for those.
    """
    backward, up = poses[:, :3, 2].sum(0), poses[:, :3, 1].sum(0)
    if np.linalg.norm(backward) < 1e-6:
        backward = poses[0, :3, 2]
    right = np.cross(up, backward)
    if np.linalg.norm(right) < 1e-6:
        first = poses[0, :3, :3]
        right = np.cross(first[:, np.argmin(np.abs(backward @ first))], backward)
    average = np.eye(4)
    average[:3, 2] = backward / np.linalg.norm(backward)
    average[:3, 0] = right / np.linalg.norm(right)
    average[:3, 1] = np.cross(average[:3, 2], average[:3, 0])
    average[:3, 3] = poses[:, :3, 3].mean(0)
    return average


def _read_rows(file: Path) -> Array:
    """The file's array, (n, 17) float64; pickled content is refused."""
    if file.stat().st_size > MAX_BYTES:
        raise DuplexError(f"{file}: {file.stat().st_size} bytes: expected at most {MAX_FRAMES} rows of 17 numbers")
    try:
        numbers = np.load(file, mmap_mode="r", allow_pickle=False)  # mapped: no memory is taken for an impossible shape
    except Exception:  # numpy lets through whatever the parser of its header meets
        numbers = None
    if not isinstance(numbers, np.ndarray) or numbers.dtype.kind not in "fiub":
        raise DuplexError(f"{file}: not a NumPy file of plain numbers, or a damaged one: expected LLFF poses")
    if numbers.ndim != 2 or numbers.shape[1] != COLUMNS:
        raise DuplexError(
            f"{file}: {numbers.dtype} of shape {numbers.shape}: expected (pictures, 17) numbers: make it again with "
            "LLFF's imgs2poses"
        )
    rows = numbers
    if not 1 <= len(rows) <= MAX_FRAMES:
        raise DuplexError(f"{file}: {len(rows)} cameras: expected 1 to {MAX_FRAMES}")
    return np.array(rows, np.float64)


def _checked(rows: Array, file: Path) -> tuple[Array, Array, Array]:
    """Poses (n, 4, 4) in our axes; height, width, focal length (n, 3); depths (n, 2)."""
    matrices = rows[:, :15].reshape(-1, 3, 5)
    depths = rows[:, 15:]
    fixed = np.concatenate([matrices[:, :, 1:2], -matrices[:, :, 0:1], matrices[:, :, 2:4]], -1)
    poses = np.stack([checked_pose(pose, f"{file}: frame {i}") for i, pose in enumerate(fixed)])
    for i, ((height, width, focal), (near, far)) in enumerate(zip(matrices[:, :, 4], depths, strict=True)):
        if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE and np.isfinite(focal)):
            raise DuplexError(
                f"{file}: frame {i}: height {height:g}, width {width:g}, focal length {focal:g}: expected the "
                "picture's size in pixels and a finite number: export it again"
            )
        if not MIN_DEPTH <= near <= far < MAX_NUMBER:
            raise DuplexError(
                f"{file}: frame {i}: depths {near:g} to {far:g}: expected 0 < near <= far: export it again"
            )
    return poses, matrices[:, :, 4], depths


def _pictures(folder: Path, count: int) -> list[Path | None]:
    """The picture of each row; None for those that are absent."""
    folders = [pictures for name in FOLDERS if (pictures := pictures_in(folder / name, folder))]
    if not folders:
        return [None] * count
    pictures = folders[0]
    if len(pictures) == count:
        return list(pictures)
    named = _lines_of(folder / VIEWS, count)
    if len(named) == count and len(set(named)) == count:
        by_name = {path.name: path for path in pictures}
        return [by_name.get(name) for name in named]
    complete = next((others for others in folders if len(others) == count), [])
    rows = _rows_by_name(pictures, [path.stem for path in complete]) or _rows_by_number(pictures, count)
    if rows is None:
        raise DuplexError(
            f"{pictures[0].parent}: {len(pictures)} pictures for {count} cameras in {FILE}, and no telling which is "
            "whose: expected one for each: restore or remove the pictures that were changed"
        )
    by_row = dict(zip(rows, pictures, strict=True))
    return [by_row.get(row) for row in range(count)]


def _lines_of(file: Path, most: int) -> list[str]:
    """The lines of a small text that are not empty; none of a longer one."""
    if not file.is_file() or file.stat().st_size > most * MAX_LINE:
        return []
    lines = file.read_text("utf-8", errors="replace").splitlines()
    return [name for line in lines if (name := line.strip())]


def _rows_by_name(pictures: list[Path], stems: list[str]) -> list[int] | None:
    """Rows of pictures whose names appear in a complete folder."""
    rows = {stem: row for row, stem in reversed([*enumerate(stems)])}  # the first of equal names
    if len(pictures) > len(stems) or not all(path.stem in rows for path in pictures):
        return None
    return [rows[path.stem] for path in pictures]


def _rows_by_number(pictures: list[Path], count: int) -> list[int] | None:
    """Rows of pictures with consecutive numbers, some of them missing; None where the first number is ambiguous.

    LLFF's own names, image000 and so on, begin at 0; others are taken to begin at 0 or at 1, or to end at both ends.
    """
    endings = [re.search(r"(\d{1,9})$", path.stem) for path in pictures]
    numbers = [int(ending[1]) for ending in endings if ending]
    if len(numbers) != len(pictures) or len({*numbers}) != len(numbers) or len(numbers) > count:
        return None
    if min(numbers) == 0 or all(re.fullmatch(r"image\d+", path.stem) for path in pictures):
        first = 0
    elif max(numbers) - min(numbers) + 1 == count or max(numbers) == count:
        first = max(numbers) - count + 1
    else:
        return None
    rows = [number - first for number in numbers]
    return rows if max(rows) < count else None
