"""Named views outlive the window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from duplex.app.scene.bundle import Bundle
from duplex.app.viewer.camera import kept_paths
from duplex.app.viewer.camera.bookmarks import MOST, Bookmark, bookmarks_of, keep_bookmarks


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_paths, "settings_file", lambda: tmp_path / "duplex" / "viewer.json")


def test_bookmarks_come_back_for_their_scene_alone(demo: Bundle) -> None:
    scene = Path("a.bundle")
    assert bookmarks_of(scene) == []
    keep_bookmarks([Bookmark(f"vue {i}", camera) for i, camera in enumerate(demo.cameras)], scene)
    found = bookmarks_of(scene)
    assert [each.name for each in found] == [f"vue {i}" for i in range(len(demo.cameras))]
    assert np.allclose(found[3].camera.camera_to_world, demo.cameras[3].camera_to_world)
    assert bookmarks_of(Path("b.bundle")) == []
    keep_bookmarks([], scene)
    assert bookmarks_of(scene) == []


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"bookmarks": 3}', b'{"bookmarks": [{"name": 1}]}', b"x" * 2_000_000]
)
def test_a_damaged_file_is_no_bookmarks(content: bytes) -> None:
    file = kept_paths.file_beside_settings("bookmarks", Path("a.bundle"))
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert bookmarks_of(Path("a.bundle")) == []


def test_their_number_is_bounded(demo: Bundle) -> None:
    keep_bookmarks([Bookmark("x", demo.cameras[0])] * (MOST + 5), Path("a.bundle"))
    assert len(bookmarks_of(Path("a.bundle"))) == MOST
