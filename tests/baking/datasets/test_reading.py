"""What datasets of every kind have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from builders.datasets.checks import one_sentence, refused
from builders.datasets.colmap import write_colmap
from builders.datasets.folders import save, write_nerfstudio
from duplex.baking.datasets.reading import read_cameras, read_dataset, read_photos


@pytest.mark.parametrize("writer", [write_nerfstudio, lambda folder: write_colmap(folder, True)])
def test_half_of_the_pictures_may_be_missing(tmp_path: Path, writer: Callable[[Path], Path]) -> None:
    folder = writer(tmp_path)
    for path in sorted((folder / "images").iterdir())[:5]:
        path.unlink()
    dataset = read_dataset(folder)
    assert dataset.missing == 5 and len(dataset.photos["train"]) == 4 and len(dataset.photos["test"]) == 1
    assert len(read_cameras(folder, "train", 0.0)) == 8


def test_pictures_of_several_sizes_scale_their_cameras(tmp_path: Path) -> None:
    save(write_nerfstudio(tmp_path) / "images/f_0.png", 16, 12)
    first, second = (photo.camera for photo in read_photos(tmp_path, "test", 0.0))
    assert (first.fx, first.fy, first.cx, first.cy) == (14, 13, 8.4, 5.8) and (second.fx, second.cx) == (7, 4.2)
    save(tmp_path / "images/f_0.png", 16, 11)
    refused(tmp_path, "f_0.png", "16 x 11", "8 x 6")


def test_a_folder_of_no_kind_names_all_that_was_looked_for(tmp_path: Path) -> None:
    names = ("transforms.json", "poses_bounds.npy", "sparse/0")
    one_sentence(lambda: read_dataset(tmp_path), "transforms_train.json", *names)
    refused(tmp_path, "transforms_test.json", *names)
    (tmp_path / "sparse").mkdir()
    (tmp_path / "sparse/cameras.bin").write_bytes(b"")
    refused(tmp_path, *names)
