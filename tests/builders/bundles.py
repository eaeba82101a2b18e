"""Bundles for tests: their parts, changed and written again, and what a broken one must say."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.bundle import Bundle, BundleShell
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.mesh import BORDER, Mesh
from duplex.app.scene.network import NetworkSpec, NetworkWeights


def parts_of(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_parts(file: Path, parts: dict[str, bytes]) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def network_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """The description of the network in a manifest of format 1 or 2."""
    return manifest["networks"][0] if "networks" in manifest else manifest["network"]  # type: ignore[no-any-return]


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


def with_channels(bundle: Bundle, count: int) -> Bundle:
    """``bundle`` with the first ``count`` features of each shell; its network does not fit them any more."""
    outer, inner = (
        replace(shell, texels=shell.texels[: count // 4], scale=shell.scale[:count], offset=shell.offset[:count])
        for shell in (bundle.outer, bundle.inner)
    )
    return replace(bundle, outer=outer, inner=inner)


def with_values(bundle: Bundle, *values: Array | None) -> Bundle:
    """``bundle`` whose outer and inner shell have the values ``seen``."""
    outer, inner = (
        replace(shell, mesh=replace(shell.mesh, seen=None if each is None else each.astype(np.float32)))
        for shell, each in zip((bundle.outer, bundle.inner), values, strict=True)
    )
    return replace(bundle, outer=outer, inner=inner)


def seen_from_above(bundle: Bundle, fading: float = 0.3) -> Bundle:
    """``bundle`` as if only its part above its middle had been seen; ``fading``: world units."""
    low, high = bundle.bounds
    middle = 0.5 * (low + high)[2]

    def values(mesh: Mesh) -> Array:
        below = (middle - mesh.positions[:, 2]) / fading
        return np.where(below <= 0, 1.0, BORDER * (1 - below).clip(0, 1))

    return with_values(bundle, *(values(shell.mesh) for shell in (bundle.outer, bundle.inner)))


def opaque(shells: Sequence[Mesh]) -> Bundle:
    """A bundle of ``shells`` that is opaque everywhere: what the network draws does not depend on the features."""
    spec = NetworkSpec.shallow(4, 4)
    weights = [np.zeros((x.outputs, x.inputs, x.kernel, x.kernel), np.float32) for x in spec.layers]
    biases = [np.zeros(x.outputs, np.float32) for x in spec.layers]
    biases[-1][:] = 20  # white, and opaque
    texels = np.zeros((1, 8, 8, 4), np.uint8)
    outer, inner = (BundleShell(x, texels, np.ones(4, np.float32), np.zeros(4, np.float32)) for x in shells)
    return Bundle(outer, inner, spec, NetworkWeights(tuple(weights), tuple(biases)))
