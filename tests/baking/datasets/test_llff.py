"""Datasets of LLFF."""

from __future__ import annotations

import io
import math
import pickle
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders.datasets.checks import every_photo, one_sentence, refused
from builders.datasets.folders import at, llff_rows, poses, reference_llff, save, write_llff
from duplex.app.scene.camera import look_at
from duplex.baking.datasets.photos import Dataset
from duplex.baking.datasets.reading import read_cameras, read_dataset


def check_llff(folder: Path, rows: np.ndarray) -> Dataset:
    dataset = read_dataset(folder)
    photos = every_photo(dataset)
    found = np.stack([photo.camera.camera_to_world for photo in photos])
    assert np.allclose(found, reference_llff(rows), atol=1e-9)
    assert np.allclose(found[:, :3, 3].mean(0), 0, atol=1e-9)
    backward = found[:, :3, 2].mean(0)
    assert np.allclose(backward / np.linalg.norm(backward), [0, 0, 1], atol=1e-9)
    assert abs(found[:, 0, 1].sum()) < 1e-9 < found[:, 1, 1].sum()  # the mean up lies over +y
    for pose, row in zip(found, rows, strict=True):
        assert np.allclose((dataset.to_original @ pose)[:3, 3], row[:15].reshape(3, 5)[:, 3])
    assert (dataset.near, dataset.far) == pytest.approx((4 / 3, rows[:, 16].max() / rows[:, 15].min() * 4 / 3))
    assert dataset.kind == "llff" and np.array_equal(dataset.up, [0, 1, 0]) and dataset.forward_facing
    return dataset


def test_llff_follows_the_original_recipe(tmp_path: Path) -> None:
    dataset = check_llff(write_llff(tmp_path, llff_rows(poses(), 16, 12)), llff_rows(poses(), 16, 12))
    assert [p.path.name for p in dataset.photos["test"]] == ["image000.png", "image008.png"]
    camera = dataset.photos["test"][0].camera
    assert (camera.width, camera.height, camera.fx, camera.cx, camera.cy) == (8, 6, 3.5, 4, 3)
    save(tmp_path / "images" / "IMG_1.JPG", 16, 12)
    one_sentence(lambda: read_dataset(tmp_path), "1 pictures for 10 cameras")
    for i in range(2, 11):
        save(tmp_path / "images" / f"IMG_{i:02d}.JPG", 16, 12)
    assert {photo.camera.width for photo in every_photo(read_dataset(tmp_path))} == {16}


def test_llff_reads_the_real_fern(data: Path) -> None:
    rows = np.load(data / "llff" / "fern" / "poses_bounds.npy")
    dataset = check_llff(data / "llff" / "fern", rows)
    photos = every_photo(dataset)
    assert len(photos) == 20 and {(p.camera.width, p.camera.height) for p in photos} == {(504, 378)}
    assert [p.path.stem for p in dataset.photos["test"]] == ["image000", "image008", "image016"]
    assert photos[0].camera.fx == pytest.approx(3260.526 / 8, abs=1e-3)


def test_forward_facing_is_told_from_all_around(tmp_path: Path) -> None:
    around = [
        look_at(at(3 * math.cos(a), 1, 3 * math.sin(a)), at(0, 0, 0), at(0, 1, 0)) for a in np.linspace(0, 5.5, 12)
    ]
    assert not read_dataset(write_llff(tmp_path, llff_rows(around))).forward_facing


@pytest.mark.parametrize(
    ("gone", "names"),
    [
        (range(0, 10, 2), "image{:03d}.png"),
        (range(5), "image{:03d}.png"),
        (range(5, 10), "IMG_{}.png"),
        ([4], "{:02d}.png"),
    ],
)
def test_llff_with_missing_pictures_keeps_the_others_poses(tmp_path: Path, gone: Iterable[int], names: str) -> None:
    write_llff(tmp_path, names=names)
    whole = {p.path: p.camera.camera_to_world for p in every_photo(read_dataset(tmp_path))}
    for i in gone:
        (tmp_path / "images_2" / names.format(i)).unlink()
    dataset = read_dataset(tmp_path)
    assert dataset.missing == len([*gone]) and len(every_photo(dataset)) == 10 - dataset.missing
    assert all(np.array_equal(p.camera.camera_to_world, whole[p.path]) for p in every_photo(dataset))
    assert len(read_cameras(tmp_path, "train", 0.0)) == 8


def test_llff_pictures_in_doubt_are_refused(tmp_path: Path) -> None:
    write_llff(tmp_path, names="IMG_{}.png")
    (tmp_path / "images_2" / "IMG_0.png").unlink()
    refused(tmp_path, "9 pictures for 10 cameras")
    save(tmp_path / "images_2" / "more_1.png")
    save(tmp_path / "images_2" / "more_2.png")
    refused(tmp_path, "11 pictures for 10 cameras")


class Bomb:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("exploded"),)


def npy(shape: tuple[int, ...], content: bytes) -> bytes:
    """A NumPy file that announces float64 of ``shape``."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue() + content


def test_llff_pickles_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = write_llff(tmp_path) / "poses_bounds.npy"
    array = io.BytesIO()
    np.save(array, np.array([[Bomb()] * 17], object), allow_pickle=True)
    for content in (array.getvalue(), pickle.dumps(Bomb())):
        file.write_bytes(content)
        refused(tmp_path, "poses_bounds.npy", "plain numbers")
        assert not (tmp_path / "exploded").exists()
        np.load(file, allow_pickle=True)
        (tmp_path / "exploded").unlink()  # it would have gone off


def test_llff_files_of_other_contents_are_refused(tmp_path: Path) -> None:
    file = write_llff(tmp_path) / "poses_bounds.npy"
    good = llff_rows(poses()).tobytes()
    for content, word in (
        (b"", "plain numbers"),
        (npy((10, 17), good[:-8]), "plain numbers"),
        (npy((10, 17), good).replace(b"(10, 17)", b"(9**9, )"), "plain numbers"),
        (npy((10, 17), good).replace(b"}", b" "), "plain numbers"),
        (npy((10, 17), good + bytes(1 << 20)), "bytes"),
        (npy((10, 16), good), "(10, 16)"),
        (npy((17,), good), "(17,)"),
        (npy((0, 17), good), "0 cameras"),
    ):
        file.write_bytes(content)
        refused(tmp_path, word)
    file.write_bytes(npy((10**7, 17), good))
    tracemalloc.start()
    refused(tmp_path, "plain numbers")
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_llff_numbers_that_make_no_camera_are_refused(tmp_path: Path) -> None:
    good = llff_rows(poses())
    write_llff(tmp_path)
    for column, value, word in (
        (3, np.nan, "holds nan"),
        (0, np.inf, "holds"),
        (14, np.nan, "focal length nan"),
        (14, 0, "focal length 0"),
        (4, np.nan, "height nan"),
        (15, 0, "depths 0"),
        (16, np.inf, "depths"),
        (15, np.nan, "depths nan"),
    ):
        rows = good.copy()
        rows[0, column] = value
        np.save(tmp_path / "poses_bounds.npy", rows)
        refused(tmp_path, "poses_bounds.npy: frame 0", word)


def test_llff_reads_pictures_of_full_size_in_their_folder(tmp_path: Path) -> None:
    folder = write_llff(tmp_path)
    (folder / "images_2").rename(folder / "images_1")
    save(folder / "images_1" / "._image000.png")  # as macOS leaves it
    assert read_dataset(folder, 0.0).missing == 0


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\n\n"])
def test_llff_takes_the_pictures_that_its_list_names(tmp_path: Path, ending: str) -> None:
    folder = write_llff(tmp_path)
    pictures = next(x for x in sorted(folder.iterdir()) if x.is_dir())
    names = sorted(x.name for x in pictures.iterdir())
    for name in ("image000a.png", "image004a.png"):  # that could not be posed
        save(pictures / name)
    refused(folder, "no telling which is whose")
    (folder / "view_imgs.txt").write_text(ending.join(reversed(names)) + ending)
    rows = read_dataset(folder, 0.0).photos
    assert [photo.path.name for photo in rows["test"]] == [names[-1], names[-9]]
    (folder / "view_imgs.txt").write_text(ending.join(names[:-1]))
    refused(folder, "no telling which is whose")
