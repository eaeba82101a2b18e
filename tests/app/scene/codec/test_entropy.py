"""Entropy coding: what goes in comes out, from tables of whole numbers; streams that end early or late are told."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from duplex.app.core.arrays import Array
from duplex.app.scene.codec.entropy import (
    CLASSES,
    TERMS,
    Decoder,
    Details,
    Encoder,
    EntropyModel,
    classes_of,
    code_coarse,
    code_details,
    present_in,
)

SHAPES = [(4, 6), (8, 12), (16, 24)]


def coefficients(seed: int = 0) -> tuple[Array, Details]:
    """Coefficients (k = 3) whose sizes vary from place to place, with one empty band."""
    rng = np.random.default_rng(seed)
    details: Details = []
    for shape in SHAPES:
        size = 8 * rng.random(shape)[..., None] ** 4
        bands = [np.round(rng.laplace(0, 1, (*shape, 3)) * size).clip(-40, 40).astype(np.int32) for _ in range(3)]
        details.append((bands[0], bands[1], bands[2]))
    details[1][2][:, :, 1] = 0
    return rng.integers(-9, 9, (4, 6, 3)).astype(np.int32), details


def model_of(largest: int = 64) -> EntropyModel:
    zero = np.linspace(65000, 3000, CLASSES)
    weights = np.full((3, 3, TERMS + 1), 500, np.uint16)
    return EntropyModel(weights, np.stack([zero, 64000 - zero / 2], 1).astype(np.uint16), largest)


def encoded(coarse: Array, details: Details, model: EntropyModel) -> tuple[bytes, Array]:
    present = present_in(details)
    coder = Encoder(model)
    code_coarse(coarse.shape[:2], np.array([20, 21, 22]), coder.code, coarse)
    code_details(SHAPES, present, lambda i, k, t, s: coder.code(classes_of(model.weights[i, k], t), s), details)
    return coder.finish(), present


def decoded(content: bytes, present: Array, model: EntropyModel) -> tuple[Array, Details]:
    coder = Decoder(model, content)
    coarse = code_coarse((4, 6), np.array([20, 21, 22]), coder.code, None)
    details = code_details(SHAPES, present, lambda i, k, t, s: coder.code(classes_of(model.weights[i, k], t), s), [])
    coder.finish()
    return coarse, details


def test_what_goes_in_comes_out() -> None:
    coarse, details = coefficients()
    model = model_of()
    content, present = encoded(coarse, details, model)
    assert not present[1, 2, 1]
    found, bands = decoded(content, present, model)
    assert (found == coarse).all()
    assert all((a == b).all() for one, two in zip(details, bands, strict=True) for a, b in zip(one, two, strict=True))
    assert len(content) < 0.5 * sum(band.size for level in details for band in level)


def test_streams_that_end_early_or_late_are_refused() -> None:
    coarse, details = coefficients()
    content, present = encoded(coarse, details, model := model_of())
    for broken in (b"\1\0\0\0" + content, content[:-1], content + b"\0\0\0\0"):
        with pytest.raises(ValueError, match=r"words|word of 0|more bytes"):
            decoded(broken, present, model)
    for short in (content[4:], content[:-4], b""):  # other numbers, or none: the container has checksums
        with contextlib.suppress(ValueError):
            found, _ = decoded(short, present, model)
            assert found.shape == coarse.shape and not (found == coarse).all()


def test_tables_are_whole_positive_and_of_the_stated_probabilities() -> None:
    model = model_of()
    tables = model.tables()
    assert tables.shape == (CLASSES, 129) and tables.dtype == np.int64 and tables.min() >= 1
    assert (tables.sum(1) == 1 << 24).all()
    zero, decay = model.classes.astype(float).T / 65536
    beyond = (1 - zero) * decay**64
    assert np.allclose(tables[:, 64] / (1 << 24), zero + beyond, atol=1e-4)
    assert (tables == tables[:, ::-1]).all()


def test_larger_neighbours_make_a_larger_class() -> None:
    weights = np.array([100, 4096, 0, 0, 0, 0, 0], np.uint16)
    terms = np.zeros((4, TERMS), np.int32)
    terms[:, 0] = [0, 16, 64, 1600]
    classes = classes_of(weights, terms)
    assert (np.diff(classes) > 0).all() and classes[0] == 0 and classes[-1] < CLASSES
