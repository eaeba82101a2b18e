"""A first look at a bundle while it arrives: all of the scene from its beginning, coarser, and never anything wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from duplex.app.core.errors import DuplexError
from duplex.app.core.metrics import psnr
from duplex.app.render.offscreen import render
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.bundle_writer import write_bundle
from duplex.app.scene.codec.streaming import first_look
from duplex.assets import DEMO_BUNDLE
from duplex.baking.compression.packing import StorageConfig, as_it_is


@pytest.fixture(scope="module")
def small(demo: Bundle) -> bytes:
    return as_it_is(demo, StorageConfig(feature_step=4.0, references=2))


def picture(scene: Bundle) -> np.ndarray:
    return np.asarray(render(scene, 1, size=(200, 200), background=(1.0, 1.0, 1.0)))[..., :3].astype(np.float32) / 255


def test_the_beginning_shows_the_scene(small: bytes, tmp_path: Path) -> None:
    file = tmp_path / "small.bundle"
    file.write_bytes(small)
    whole = read_bundle(file)
    needed = next(n for n in range(0, len(small), 2000) if first_look(small[:n]) is not None)
    assert needed < 0.75 * len(small)
    file.write_bytes(first_look(small[:needed]) or b"")
    early = read_bundle(file)
    assert len(whole.references) == 2 and not early.references
    assert (early.outer.mesh.faces == whole.outer.mesh.faces).all()
    found = psnr(picture(early), picture(whole))
    assert 24 < found < 60
    file.write_bytes(first_look(small) or b"")
    assert psnr(picture(read_bundle(file)), picture(whole)) > 90


def test_120_kilobytes_of_the_demo_show_all_of_it(demo: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "early.bundle"
    file.write_bytes(first_look(DEMO_BUNDLE.read_bytes()[:120_000]) or b"")
    early = read_bundle(file)
    assert np.array_equal(early.outer.mesh.positions, demo.outer.mesh.positions)
    assert psnr(picture(early), picture(demo)) > 24


def test_offsets_lead_to_the_parts_and_too_little_is_nothing_yet(small: bytes) -> None:
    for count in (0, 10, 500, 3000):
        assert first_look(small[:count]) is None


def test_the_beginning_of_something_else_is_a_sentence(demo: Bundle, small: bytes) -> None:
    for content in (b"\x89PNG" + bytes(100), small[:60] + b"\xff" * 4000, b"PK\x03\x04" + bytes(60)):
        with pytest.raises(DuplexError, match=r"beginning|damaged"):
            first_look(content)
    large = write_bundle(demo)
    assert first_look(large[: len(large) // 2]) is None
