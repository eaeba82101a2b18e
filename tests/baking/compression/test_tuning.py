"""Features that learn to be small: fewer bytes than rounding alone for better pictures, and the size that was asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import duplex
from duplex.app.core.metrics import psnr
from duplex.baking.bundles.recompression import compress

SMALL = {"views": 40, "rate_steps": 120, "coefficient_rate": 0.02, "tuned_network_rate": 0.002}  # for few steps


def likeness(first: duplex.Bundle, second: duplex.Bundle) -> float:
    one, two = (np.asarray(duplex.render(b, 2, size=(128, 128), background=(1.0, 1.0, 1.0))) for b in (first, second))
    return psnr(one[..., :3].astype(np.float32) / 255, two[..., :3].astype(np.float32) / 255)


def test_a_price_on_bytes_makes_the_file_smaller(baked: Path, tmp_path: Path) -> None:
    rounded, learned = tmp_path / "rounded.bundle", tmp_path / "learned.bundle"
    compress(baked, rounded, rate_steps=0)
    compress(baked, learned, views=6, rate_steps=60, rate_weight=1e5)
    assert learned.stat().st_size < rounded.stat().st_size - 3000
    assert likeness(duplex.load(baked), duplex.load(learned)) > 20


@pytest.mark.slow
def test_learning_is_smaller_and_better_than_rounding(baked: Path, tmp_path: Path) -> None:
    scene = duplex.load(baked)
    learned = compress(baked, tmp_path / "learned.bundle", rate_weight=1000.0, **SMALL)
    size = (tmp_path / "learned.bundle").stat().st_size
    rounded = compress(baked, tmp_path / "rounded.bundle", megabytes=size / 1e6, rate_steps=0)
    assert likeness(scene, learned) > likeness(scene, rounded) + 1
    assert not learned.references and len(learned.cameras) == len(scene.cameras)


@pytest.mark.slow
def test_the_size_that_was_asked_is_kept_and_teacher_and_photos_teach(
    baked: Path, octahedron: Path, photos_folder: Path, tmp_path: Path
) -> None:
    events = []
    small = compress(
        duplex.load(baked),
        tmp_path / "small.bundle",
        megabytes=0.05,
        teacher=octahedron,
        data=photos_folder,
        progress=events.append,
        views=16,
        rate_steps=60,
    )
    assert 0.035e6 < (tmp_path / "small.bundle").stat().st_size <= 0.05e6
    assert likeness(duplex.load(baked), small) > 24
    assert {"pictures", "compression"} <= {event.stage for event in events}


def test_what_cannot_be_is_one_sentence(baked: Path, tmp_path: Path) -> None:
    output = tmp_path / "small.bundle"
    with pytest.raises(duplex.DuplexError, match=r"--megabytes 0: expected more than 0"):
        compress(baked, output, megabytes=0.0)
    with pytest.raises(duplex.DuplexError, match=r"this scene takes 0\.\d\d MB .*--faces"):
        compress(baked, output, megabytes=0.001, rate_steps=0)
    with pytest.raises(duplex.DuplexError, match=r"rate_step=3: .*did you mean rate_steps"):
        compress(baked, output, rate_step=3)
    assert not output.exists()
