"""What datasets of every kind have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from builders.datasets.checks import every_photo, one_sentence, refused
from builders.datasets.colmap import write_colmap, write_posed_colmap
from builders.datasets.folders import poses, save, write_cameras, write_llff, write_nerfstudio
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


@pytest.mark.parametrize("writer", [write_nerfstudio, write_llff, lambda folder: write_cameras(folder, poses())])
def test_a_folder_above_names_the_one_that_holds_a_dataset(tmp_path: Path, writer: Callable[[Path], Path]) -> None:
    for name in (".git", "a", "nerf"):
        (tmp_path / name).mkdir()
    writer(tmp_path / "nerf")
    writer(tmp_path / ".git")
    one_sentence(lambda: read_dataset(tmp_path), "no dataset in this folder, but in nerf: give that folder")


@pytest.mark.parametrize("name", ["transforms.json", "my_cameras.json", "Transforms_Left.JSON"])
def test_a_file_of_cameras_is_a_dataset(tmp_path: Path, name: str) -> None:
    (write_nerfstudio(tmp_path) / "transforms.json").rename(tmp_path / name)
    dataset = read_dataset(tmp_path / name)
    assert dataset.kind == "nerfstudio" and len(every_photo(dataset)) == 10 and dataset.missing == 0
    assert len(read_photos(tmp_path / name, "test", 0.0)) == len(read_cameras(tmp_path / name, "test", 0.0)) == 2


@pytest.mark.parametrize("split", ["train", "test", "val"])
def test_a_file_of_a_split_stands_for_its_dataset(tmp_path: Path, split: str) -> None:
    write_cameras(tmp_path, poses()[:7], "transforms_test.json")
    write_cameras(tmp_path, poses(), f"transforms_{split}.json")
    dataset = read_dataset(tmp_path / f"transforms_{split}.json")
    assert dataset.kind == "blender" and set(dataset.photos) == {"test", split} and len(dataset.photos[split]) == 10


def test_poses_of_llff_are_a_dataset(tmp_path: Path) -> None:
    dataset = read_dataset(write_llff(tmp_path) / "poses_bounds.npy")
    assert dataset.kind == "llff" and len(every_photo(dataset)) == 10
    (tmp_path / "notes.txt").write_text("of the day")
    one_sentence(lambda: read_dataset(tmp_path / "notes.txt"), "notes.txt", "expected the folder of a dataset")


@pytest.mark.parametrize(
    ("sparse", "given"),
    [
        ("sparse/0", "sparse/0"),
        ("sparse/0", "sparse"),
        ("sparse/0", "sparse/0/cameras.bin"),
        ("sparse", "sparse/images.bin"),
        ("colmap/sparse/1", "colmap/sparse/1"),
        ("colmap/sparse/1", "colmap/sparse"),
        (".", "."),
        (".", "points3D.bin"),
    ],
)
def test_a_part_of_a_reconstruction_is_a_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sparse: str, given: str
) -> None:
    write_colmap(tmp_path, True, sparse=sparse)
    assert len(every_photo(read_dataset(tmp_path / given))) == 10
    monkeypatch.chdir(tmp_path if given.endswith(".bin") else tmp_path / given)
    assert len(every_photo(read_dataset(Path(given) if given.endswith(".bin") else Path()))) == 10


def test_a_reconstruction_that_is_given_is_the_one_that_is_read(tmp_path: Path) -> None:
    write_posed_colmap(tmp_path, poses()[:4], "sparse/0")
    write_posed_colmap(tmp_path, poses(), "sparse/1")
    assert len(every_photo(read_dataset(tmp_path))) == len(every_photo(read_dataset(tmp_path / "sparse"))) == 10
    assert len(every_photo(read_dataset(tmp_path / "sparse/0"))) == 4
