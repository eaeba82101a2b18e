"""Packed features: to bytes and back, and what does not fit is refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from safetensors import numpy as safetensors

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.codec.entropy import CLASSES, TERMS, EntropyModel
from duplex.app.scene.codec.features import PackedFeatures, read_texels

SHAPE = [32, 64, 8]
Tensors = dict[str, Array]


@pytest.fixture
def packed() -> PackedFeatures:
    rng = np.random.default_rng(0)
    bands = []
    for height, width in ((8, 16), (16, 32)):
        three = [np.round(rng.laplace(0, 1, (height, width, 5))).astype(np.int32) for _ in range(3)]
        bands.append((three[0], three[1], three[2]))
    zero = np.linspace(60000, 3000, CLASSES)
    model = EntropyModel(
        np.full((2, 3, TERMS + 1), 800, np.uint16), np.stack([zero, 60000 - zero / 2], 1).astype(np.uint16), 80
    )
    return PackedFeatures(
        rng.integers(-20, 20, (8, 16, 5)).astype(np.int32),
        bands,
        np.array([[20, 1, 1], [40, 40, 30], [64, 64, 50]], np.int32),
        rng.integers(-1_280_000, 1_280_000, (5, 8)).astype(np.int32),
        np.full(8, 128 << 22, np.int32),
        model,
        np.full(5, 30, np.uint8),
    )


def test_to_bytes_and_back(packed: PackedFeatures) -> None:
    parts = packed.write()
    texels = read_texels(b"".join(parts), [len(part) for part in parts[:2]], SHAPE, "x")
    assert texels.dtype == np.uint8 and texels.shape == tuple(SHAPE)
    assert (texels == packed.texels()).all() and 20 < texels.std() < 100
    assert sum(map(len, parts[1:])) < 5 * 32 * 64  # less than 8 bits for a coefficient


def test_texels_are_whole_numbers_of_whole_numbers(packed: PackedFeatures) -> None:
    value = packed.coarse[:, :, :1] * 0 + np.array([3, 0, 0, 0, 0])
    flat = [tuple(np.zeros_like(band) for band in level) for level in packed.details]
    alone = PackedFeatures(value, flat, packed.scales, packed.mix, packed.shift, packed.entropy, packed.coarse_classes)  # type: ignore[arg-type]
    expected = [min(max((3 * 20 * int(m) + (128 << 22)) >> 22, 0), 255) for m in packed.mix[0]]
    assert (alone.texels() == np.array(expected)).all()


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.pop("mix"),
        lambda t: t.update(mix=t["mix"].astype(np.float32)),
        lambda t: t.update(mix=t["mix"][:, :4]),
        lambda t: t.update(scales=np.zeros((3, 3), np.int32)),
        lambda t: t.update(scales=t["scales"][:2]),
        lambda t: t.update(scales=np.ones((40, 3), np.int32)),
        lambda t: t.update(largest=np.array([0], np.uint16)),
        lambda t: t.update(largest=np.array([60000], np.uint16)),
        lambda t: t.update(weights=np.full_like(t["weights"], 65535)),
        lambda t: t.update(classes=np.zeros_like(t["classes"])),
        lambda t: t.update(coarse_classes=np.full(5, 200, np.uint8)),
        lambda t: t.update(present=t["present"][:1]),
    ],
)
def test_a_model_that_does_not_fit_is_refused(packed: PackedFeatures, change: Callable[[Tensors], object]) -> None:
    model, coarse, fine = packed.write()
    tensors = dict(safetensors.load(model))
    change(tensors)
    broken = bytes(safetensors.save({name: np.ascontiguousarray(value) for name, value in tensors.items()}))
    with pytest.raises(DuplexError, match="x: not the features of a shell"):
        read_texels(broken + coarse + fine, [len(broken), len(coarse)], SHAPE, "x")


def test_few_bytes_do_not_make_many_texels(packed: PackedFeatures) -> None:
    model, coarse, fine = packed.write()
    with pytest.raises(DuplexError, match="4096 x 4096 texels in"):
        read_texels(model + coarse + fine, [len(model), len(coarse)], [4096, 4096, 8], "x")
    for cut in (10, len(model) - 1, len(model) + 3):
        with pytest.raises(DuplexError, match="not the features of a shell"):
            read_texels((model + coarse + fine)[:cut], [len(model), len(coarse)], SHAPE, "x")
