from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.baking.capture.decoding import tags, upright
from duplex.baking.capture.shots import photos_of, read_shots
from duplex.baking.datasets.decoding import TURNS

BACK = {5: 5, 6: 8, 7: 7, 8: 6}  # the turn that undoes another, if it is another


def gradient() -> Array:
    """A picture (30, 40, 3) that no turn leaves as it is."""
    y, x = np.mgrid[:30, :40]
    return np.stack([6 * x, 8 * y, np.full_like(x, 90)], -1).astype(np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(orientation: int, tmp_path: Path) -> None:
    picture = Image.fromarray(gradient())
    turn = TURNS.get(BACK.get(orientation, orientation))
    exif = Image.Exif()
    exif[0x0112] = orientation
    (picture if turn is None else picture.transpose(turn)).save(tmp_path / "photo.png", exif=exif)
    assert tags(str(tmp_path / "photo.png")) == [40, 30, orientation, 0.0, ""]
    assert np.array_equal(upright(str(tmp_path / "photo.png"), 0)[..., :3], gradient())
    assert upright(str(tmp_path / "photo.png"), 20).shape == (15, 20, 4)


def test_a_lens_is_read(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker", "Model"
    exif.get_ifd(0x8769)[0xA405] = 26
    exif.get_ifd(0x8769)[0xA434] = "Wide"
    for i in range(3):
        Image.fromarray(gradient()).save(tmp_path / f"{i}.jpg", exif=exif)
    shots = read_shots(photos_of(tmp_path))
    assert {shot.lens for shot in shots} == {(40, 30, 30.0, "Maker Model Wide")}


@pytest.mark.parametrize("value", [0, 1, 65535, "wide"])
def test_an_impossible_focal_length_is_none(value: object, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = value
    Image.fromarray(gradient()).save(tmp_path / "photo.jpg", exif=exif)
    assert tags(str(tmp_path / "photo.jpg"))[3] == 0


def test_heic_photos_are_read(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    for i in range(3):
        heif.from_pillow(Image.fromarray(gradient()).resize((160, 120))).save(tmp_path / f"{i}.HEIC", quality=95)
    shots = read_shots(photos_of(tmp_path))
    assert [(shot.width, shot.height) for shot in shots] == [(160, 120)] * 3
    assert np.abs(upright(str(shots[0].path), 40)[..., :3].astype(int) - gradient()).mean() < 6


def test_a_damaged_heic_photo_is_told(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    for i in range(3):
        (tmp_path / f"{i}.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(200))
    with pytest.raises(DuplexError, match="0 photos that can be read"):
        read_shots(photos_of(tmp_path))


def test_photos_are_looked_for_in_the_usual_folders(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.fromarray(gradient()).save(tmp_path / "images" / "b.png")
    Image.fromarray(gradient()).save(tmp_path / "images" / ".a.png")
    assert [file.name for file in photos_of(tmp_path)] == ["b.png"]
    assert photos_of(tmp_path / "nowhere") == []
