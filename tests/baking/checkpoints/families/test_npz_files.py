"""Damaged and hostile ``.npz`` files of every family that has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from builders.grid.plenoctree import plenoctree, quantised
from builders.grid.plenoxels import plenoxels, write_npz
from builders.grid.voxels import Content, answers_or_refuses, damaged, random_rays, refused
from builders.hostile import Hostile

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    "content", [plenoxels(), plenoctree(), quantised(plenoctree(), 1)], ids=["grid", "tree", "small"]
)
def test_a_hostile_npz_file_is_refused_and_never_run(tmp_path: Path, content: Content) -> None:
    trace, path = tmp_path / "trace", tmp_path / "evil.npz"
    np.savez(path, allow_pickle=True, **content, extra=np.array([Hostile(f"touch {trace}")], object))
    trace.unlink(missing_ok=True)
    refused(path, "refused unread")
    assert not trace.exists()


def few_colours() -> Content:
    content = quantised(plenoctree(), 1)
    return content | {"quant_colors": content["quant_colors"][:, :9], "quant_map": content["quant_map"] % 9}


@pytest.mark.parametrize("form", ["grid", "SH9", "SG5", "small"])
def test_no_damaged_npz_file_is_more_than_a_sentence(tmp_path: Path, form: str) -> None:
    content = {"grid": plenoxels, "small": few_colours}.get(form, lambda: plenoctree(form))()
    rays = random_rays([-1] * 3, [1] * 3, 20)
    for member in content:
        for value in damaged(content[member]):
            answers_or_refuses(write_npz(tmp_path / "damaged.npz", content | {member: value}), rays)
