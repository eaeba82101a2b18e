"""Named views of a scene, which are kept beside the settings, one file for each scene."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from duplex.app.core.errors import DuplexError
from duplex.app.core.files import write_atomically
from duplex.app.core.tree import Node, parse_json
from duplex.app.scene.camera import Camera
from duplex.app.viewer.camera.kept_paths import file_beside_settings

MOST = 200  # of a scene
MAX_FILE = 1 << 20  # bytes
LONGEST_NAME = 80


@dataclass(frozen=True)
class Bookmark:
    """A ``camera`` with a ``name``."""

    name: str
    camera: Camera


def bookmarks_of(scene: Path) -> list[Bookmark]:
    """The bookmarks of the bundle at ``scene``; none where their file is missing or damaged."""
    file = file_beside_settings("bookmarks", scene)
    try:
        if not file.is_file() or file.stat().st_size > MAX_FILE:
            return []
        node = Node(parse_json(file.read_bytes()), "bookmarks")
        entries = node.elements("bookmarks", MOST)
        return [
            Bookmark(entry.text("name")[:LONGEST_NAME], Camera.from_json(entry.child("camera"))) for entry in entries
        ]
    except (OSError, ValueError, DuplexError):
        return []


def keep_bookmarks(bookmarks: list[Bookmark], scene: Path) -> None:
    """Keep at most :data:`MOST` ``bookmarks`` for the bundle at ``scene``; raises OSError."""
    file = file_beside_settings("bookmarks", scene)
    file.parent.mkdir(parents=True, exist_ok=True)
    entries = [{"name": each.name, "camera": each.camera.to_json()} for each in bookmarks[:MOST]]
    write_atomically(file, json.dumps({"bookmarks": entries}).encode())
