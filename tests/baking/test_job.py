"""What a bake needs of the machine."""

from __future__ import annotations

from pathlib import Path

from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.config import bake_config
from duplex.baking.job import BakeJob, needs
from duplex.baking.rig import Rig
from duplex.baking.runtime.memory import GIB


def test_needs_grow_with_the_settings(octahedron: Path) -> None:
    teacher = load_teacher(octahedron)
    draft, high = (
        needs(BakeJob(teacher, bake_config(name, {}), Rig.from_scene(teacher.scene))) for name in ("draft", "high")
    )
    assert 2 < draft.memory / GIB < 3 and 0.4 < draft.disk / GIB < 0.6
    assert 4 < high.memory / GIB < 12 and 25 < high.disk / GIB < 28
    assert draft.gpu == 0
