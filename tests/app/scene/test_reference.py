"""Reference pictures in a bundle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from builders.bundles import parts_of, refused, with_manifest, write_parts
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.bundle_writer import write_bundle


def test_references_come_back_as_they_were(referenced: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "scene.bundle"
    file.write_bytes(write_bundle(referenced))
    again = read_bundle(file).references
    for a, b in zip(referenced.references, again, strict=True):
        assert a.kind == b.kind and a.camera.to_json() == b.camera.to_json() and np.array_equal(a.rgba, b.rgba)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["references"][0].update(kind="drawing"), ("drawing: expected one of teacher, photo",)),
        (lambda m: m["references"][0]["camera"].update(width=121), ("120 x 90", "121 x 90")),
        (lambda m: m["references"][0]["camera"].update(width=4000), ("4000 x 90", "at most 2048")),
        (lambda m: m["references"].extend(m["references"] * 8), ("18 reference pictures",)),
        (lambda m: m["references"][0].update(picture="../x"), ("does not list",)),
        (lambda m: m["references"][0].update(picture="report.json"), ("not a PNG",)),
        (lambda m: m.update(references={"kind": 3}), ("damaged",)),
        (lambda m: m.update(references=7), ("damaged",)),
    ],
)
def test_broken_references_are_one_sentence(
    referenced: Bundle, tmp_path: Path, change: Callable[[dict], object], words: tuple[str, ...]
) -> None:
    file = tmp_path / "scene.bundle"
    file.write_bytes(write_bundle(referenced))
    with_manifest(file, change)
    refused(file, *words)


def test_references_open_with_standard_tools(referenced: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "scene.bundle"
    file.write_bytes(write_bundle(referenced))
    parts = parts_of(file)
    entry = json.loads(parts["manifest.json"])["references"][1]
    (tmp_path / "picture.png").write_bytes(parts[entry["picture"]])
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.mode == "RGBA" and picture.size == (entry["camera"]["width"], entry["camera"]["height"])
    write_parts(file, {name: content for name, content in parts.items() if name != entry["picture"]})
    refused(file, entry["picture"], "missing")
