"""Families of checkpoints from outside the package."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import torch

from builders import synthetic
from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints import registry
from duplex.baking.checkpoints.families.mlp import nerf_pytorch_flexible
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides, SceneInfo
from duplex.baking.geometry.density import DensityConfig as Options  # any class that a stranger's file may pickle

NAME = f"{Options.__module__}.{Options.__qualname__}"


class OutsideFamily(Family):
    name = "outside"
    state_classes = (NAME,)

    def matches(self, checkpoint: Checkpoint) -> bool:
        return checkpoint.kind == "torch" and checkpoint.root.at("options").kind == NAME

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        field = nerf_pytorch_flexible.network(checkpoint.root.at("weights").tensors(), overrides)
        return LoadedFields.single(field, SceneInfo(coarse_samples=checkpoint.root.at("options").whole("grid", 4, 64)))


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(registry, "_registered", [])
    file = tmp_path / "own.pt"
    torch.save({"weights": synthetic.flexible_state(), "options": Options(grid=33)}, file)
    return file


def test_a_family_from_outside_is_loaded_once_it_is_registered(checkpoint: Path) -> None:
    with pytest.raises(DuplexError, match=f"refused unread.*{NAME}"):
        load_teacher(checkpoint)
    registry.register(OutsideFamily())
    teacher = load_teacher(checkpoint)
    assert teacher.family == "outside" and teacher.scene.coarse_samples == 33 and teacher.coarse is teacher.fine


def test_a_name_is_registered_once(checkpoint: Path) -> None:
    registry.register(OutsideFamily())
    with pytest.raises(DuplexError, match="outside: registered already"):
        registry.register(OutsideFamily())


@pytest.mark.parametrize("broken", [False, True])
def test_entry_points_of_installed_packages_are_families(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    class Point(EntryPoint):
        def load(self) -> Any:
            if broken:
                raise ImportError("no such module")
            return OutsideFamily()

    point = Point("outside", "outside_package:FAMILY", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == registry.ENTRY_POINTS else [])
    registry._installed.cache_clear()
    try:
        if broken:
            with pytest.raises(DuplexError, match=r"entry point outside.*outside_package:FAMILY.*no such module"):
                load_teacher(checkpoint)
        else:
            assert load_teacher(checkpoint).family == "outside"
    finally:
        registry._installed.cache_clear()


def test_every_built_in_family_has_a_name_of_its_own() -> None:
    names = [family.name for family in registry.BUILT_IN]
    assert len(set(names)) == len(names)
