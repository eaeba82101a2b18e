"""Bundles for tests: their parts, changed and written again, and what a broken one must say."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from duplex.app.core.errors import DuplexError
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.network import NetworkWeights


def parts_of(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_parts(file: Path, parts: dict[str, bytes]) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def with_manifest(file: Path, change: Callable[[dict], object], keep_sizes: bool = False) -> None:
    """Rewrite the bundle with a changed manifest (and, unless ``keep_sizes``, true sizes)."""
    parts = parts_of(file)
    manifest = json.loads(parts["manifest.json"])
    change(manifest)
    if not keep_sizes:
        manifest["parts"] = {name: len(content) for name, content in parts.items() if name != "manifest.json"}
    parts["manifest.json"] = json.dumps(manifest).encode()
    write_parts(file, parts)


def refused(file: Path, *words: str) -> None:
    with pytest.raises(DuplexError) as error:
        read_bundle(file)
    text = str(error.value)
    assert "\n" not in text
    assert file.name in text and all(word in text for word in words), text


def without_numbers(bundle: Bundle) -> Bundle:
    """Weights that are sound by themselves, but the last layer's products are infinite, and their sums no numbers."""
    *others, before, last = bundle.weights.weights
    weights = (*others, 1000 * before, (np.sign(last) * 3e38).astype(np.float32))
    return replace(bundle, weights=NetworkWeights(weights, bundle.weights.biases))
