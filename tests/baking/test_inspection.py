"""What a checkpoint is, from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from builders import synthetic
from duplex.app.core.errors import DuplexError
from duplex.baking.inspection import facts, preview_of
from duplex.baking.subject import SceneOptions, read_subject


def test_facts_and_a_picture_of_a_checkpoint(octahedron: Path) -> None:
    subject = read_subject(octahedron, None, "cpu", SceneOptions(background="black"))
    assert facts(subject)["background"] == [0, 0, 0] and facts(subject)["near"] == subject.teacher.scene.near
    preview = preview_of(subject, 32)
    assert preview.picture.shape == (32, 32, 3) and preview.picture.dtype == np.uint8
    assert preview.picture[0].max() == 0 < preview.picture[16, 16].max()
    assert (preview.matter[0] < -synthetic.RADIUS + 0.1).all() and (preview.matter[1] > synthetic.RADIUS - 0.1).all()
    with pytest.raises(DuplexError, match="--size 8: expected 16 to 2048 pixels"):
        preview_of(subject, 8)
