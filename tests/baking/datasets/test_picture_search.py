"""Pictures whose paths were written for another place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from builders.datasets.checks import one_sentence
from builders.datasets.folders import save, write_nerfstudio
from duplex.baking.datasets.picture_search import PictureSearch
from duplex.baking.datasets.reading import read_dataset


@pytest.mark.parametrize(
    ("there", "name", "found"),
    [
        (["images/r_0.png"], "/home/user/code/data/images/r_0.jpeg", "images/r_0.png"),
        (["images/r_0.png"], "C:\\Users\\me\\data\\images\\r_0.png", "images/r_0.png"),
        (["images/r_0.png"], "images/R_0.PNG", "images/r_0.png"),
        (["Images/R_0.JPG"], "images/r_0.jpg", "Images/R_0.JPG"),
        (["images/r_0.png"], "data/chair/images/r_0.png", "images/r_0.png"),
        (["r_0.png"], "images/r_0.png", "r_0.png"),
        (["rgb/r_0.png"], "images/r_0.png", "rgb/r_0.png"),
        (["train/r_0.png", "test/r_0.png"], "./lego/train/r_0", "train/r_0.png"),
        (["a/train/r_0.png", "b/train/r_0.png"], "b/train/r_0.jpg", "b/train/r_0.png"),
        (["images/r_0.png", "masks/r_0.png", "depth/r_0.png"], "photos/r_0.png", "images/r_0.png"),
        (["images/v1.2.png"], "photos/v1.2", "images/v1.2.png"),
        (["images/my photo.png"], "images/my%20photo.png", "images/my photo.png"),
        (["images/my photo 1.png"], "file:///home/user/images/my%20photo%201.jpg", "images/my photo 1.png"),
        (["rgb/100%25.png"], "images/100%25.png", "rgb/100%25.png"),
        (["images/re\u0301.png"], "photos/r\u00e9.jpg", "images/re\u0301.png"),
        (["images/r_0.png"], "D:\\Photos\\R_0.HEIC", "images/r_0.png"),
        (["rgb/r_0.Png"], "images/r_0.tiff", "rgb/r_0.Png"),
        (["images/v1.png"], "images/v1.2", None),
        (["images/r_0.png", "images/dynamic_mask_r_0.png"], "/x/r_0.jpg", "images/r_0.png"),
        (["images/._r_0.png"], "images/._r_0.png", None),
        (["images/r_0.png", "images/r_0.jpg"], "photos/r_0.webp", None),
        (["a/r_0.png", "b/r_0.png"], "images/r_0.png", None),
        (["test/r_0.png"], "./train/r_0", None),
        (["lego/test/r_0.png"], "data/train/r_0.png", None),
        (["lego/train/r_0.png"], "data/train/r_0.png", "lego/train/r_0.png"),
        (["r_0.png"], "./train/r_0", "r_0.png"),
        (["images/r_1.png"], "images/r_0.png", None),
        (["masks/r_0.png"], "images/r_0.png", None),
        ([".trash/r_0.png"], "images/r_0.png", None),
        (["images/r_0.bmp"], "images/r_0.png", None),
        (["images/r_0.png"], "", None),
        (["images/r_0.png"], "x" * 5000, None),
        (["images/r_0.png"], "a\0b", None),
    ],
)
def test_a_path_is_found_by_its_longest_ending(tmp_path: Path, there: list[str], name: str, found: str | None) -> None:
    for path in there:
        save(tmp_path / path)
    result = PictureSearch(tmp_path).find(name)
    assert result == (None if found is None else (tmp_path / found).resolve())


def test_what_lies_outside_is_told_and_not_read(tmp_path: Path) -> None:
    save(tmp_path / "images" / "r_0.png")
    inside = tmp_path / "nerf"
    inside.mkdir()
    search = PictureSearch(inside)
    for name in ("../images/r_0.png", "../images/r_0", "..\\images\\r_0.png", str(tmp_path / "images" / "r_0.png")):
        assert search.find(name) is None and search.is_outside(name)
    for name in ("../images/r_1.png", "images/r_0.png", "", "../" * 400 + "x", "a\0b"):
        assert not search.is_outside(name)


@pytest.mark.parametrize("places", [("small", "large"), ("a/rgb", "b/rgb"), (".", "images_4")])
def test_pictures_of_which_two_end_alike_are_refused(tmp_path: Path, places: tuple[str, str]) -> None:
    write_nerfstudio(tmp_path)
    for i in range(10):
        for place in places:
            save(tmp_path / place / f"f_{i}.png")
        (tmp_path / f"images/f_{i}.png").unlink()
    words = (str(Path(place) / "f_0.png") for place in places)
    one_sentence(lambda: read_dataset(tmp_path), "frame images/f_0.png", "expected one", *words)
    for i in range(10):
        (tmp_path / places[0] / f"f_{i}.png").unlink()
    assert read_dataset(tmp_path).missing == 0


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    save(tmp_path / "outside" / "r_0.png")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "images").symlink_to(tmp_path / "outside", target_is_directory=True)
    (inside / "loop").symlink_to(inside, target_is_directory=True)
    assert PictureSearch(inside).find("photos/r_0.png") is None
