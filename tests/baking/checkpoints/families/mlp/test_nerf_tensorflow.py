"""bmild's networks against a naive one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from builders.hostile import Hostile, refused
from builders.mlp.keras import KERAS, write_keras
from builders.mlp.naive import Reference, State, agree, differ, ftd, layer
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.spaces import Ndc

PAIR = ("model_000200.npy", "model_fine_000200.npy")


def keras_reference(state: State) -> Reference:
    def reference(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        e = ftd(x, 10)
        h = e
        for i in range(8):
            h = torch.relu(layer(state, f"pts.{i}", h))
            if i == 4:
                h = torch.cat([e, h], -1)
        view = torch.relu(layer(state, "views", torch.cat([layer(state, "feature", h), ftd(d, 4)], -1)))
        return torch.relu(layer(state, "alpha", h)[:, 0]), torch.sigmoid(layer(state, "rgb", view))

    return reference


@pytest.mark.parametrize("given", [*PAIR, ""])
def test_tensorflow_pair_is_loaded_from_either_file_and_from_the_folder(tmp_path: Path, given: str) -> None:
    coarse, fine = (write_keras(tmp_path / name, KERAS, seed) for seed, name in enumerate(PAIR))
    write_keras(tmp_path / "model_000100.npy", KERAS, 7)
    np.save(tmp_path / "poses_bounds.npy", np.zeros((2, 17)))
    (tmp_path / "args.txt").write_text("dataset_type = blender\nwhite_bkgd = True\nN_samples = 32\nN_importance = 48\n")
    teacher = load_teacher(tmp_path / given)
    assert teacher.family == "nerf-tensorflow"
    assert (teacher.scene.coarse_samples, teacher.scene.fine_samples, teacher.scene.background[0]) == (32, 48, 1)
    agree(teacher.coarse, keras_reference(coarse))
    agree(teacher.fine, keras_reference(fine))
    assert differ(teacher.coarse, keras_reference(fine))


def test_a_lone_tensorflow_file_serves_as_coarse_and_fine(tmp_path: Path) -> None:
    for name in (*PAIR, "weights.npy"):
        folder = tmp_path / name.removesuffix(".npy")
        folder.mkdir()
        state = write_keras(folder / name, KERAS, 1)
        teacher = load_teacher(folder / name)
        assert teacher.coarse is teacher.fine
        agree(teacher.fine, keras_reference(state))


def test_tensorflow_network_without_view_directions(tmp_path: Path) -> None:
    shapes = {"pts.0": (16, 39), "pts.1": (16, 16), "pts.2": (16, 16), "output": (4, 16)}
    state = write_keras(tmp_path / "model_000001.npy", shapes, 3)

    def reference(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        h = ftd(x, 6)
        for i in range(3):
            h = torch.relu(layer(state, f"pts.{i}", h))
        raw = layer(state, "output", h)
        return torch.relu(raw[:, 3]), torch.sigmoid(raw[:, :3])

    agree(load_teacher(tmp_path).fine, reference)


def test_broken_tensorflow_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "model_000001.npy"
    for change, word in (
        ({"pts.5": (24, 86)}, "86 inputs"),
        ({"rgb": (4, 12)}, "4 outputs"),
        ({"pts.0": (24, 64)}, "64"),
        ({"feature": (24, 20)}, "20 inputs"),
    ):
        write_keras(file, KERAS | change, 1)
        refused(file, word)
    write_keras(file, KERAS, 1)
    write_keras(tmp_path / PAIR[1].replace("200", "001"), KERAS | {"alpha": (1, 25)}, 1)
    refused(file, "model_fine_000001.npy", "25 inputs")
    content = np.load(file, allow_pickle=True)
    content[3][0] = np.nan
    np.save(file, content, allow_pickle=True)
    refused(file, "NaN", f"{file}: 3 ")
    content[3] = Hostile(f"touch {tmp_path / 'trace'}")
    np.save(file, content, allow_pickle=True)
    refused(file, "refused unread")
    np.save(file, np.zeros((3, 4), np.float32))
    refused(file, "unknown family")
    assert not (tmp_path / "trace").exists()


def test_bmild_fern_is_loaded_from_its_folder(data: Path) -> None:
    teacher = load_teacher(data / "checkpoints" / "bmild-fern")
    assert teacher.coarse is not teacher.fine and isinstance(teacher.scene.space, Ndc)
    assert (teacher.scene.coarse_samples, teacher.scene.fine_samples) == (64, 128)
    assert teacher.fine.describe()["network"] == "8 layers of 256, skip into layer 5"
