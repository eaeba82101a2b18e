"""Damaged members of every MLP family that torch saves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from builders import synthetic
from builders.hostile import refused
from builders.mlp.fastnerf import fast_module
from builders.mlp.kilonerf import BOX_FILE, as_finetuned, kilo_state
from builders.mlp.layernorm import layernorm_state
from builders.mlp.naive import State, random_points
from builders.mlp.nerf_pl import HPARAMS, pl_content, pl_states
from builders.mlp.tinynerf_slang import slang_state
from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.loading import load_teacher

DAMAGED = 40  # damaged members that are tried of each family
DAMAGES: dict[str, Callable[[Tensor], object]] = {
    "scalar": lambda t: torch.tensor(1.0),
    "empty": lambda t: t[:0],
    "flat": lambda t: t.reshape(-1),
    "deep": lambda t: t[None],
    "transposed": lambda t: t.T if t.ndim == 2 else t.flip(0)[1:],
    "wider": lambda t: torch.cat([t, t], -1),
    "endless": lambda t: torch.zeros(1).expand(1 << 40),
    "whole": lambda t: t.to(torch.int64),
    "none": lambda t: None,
    "text": lambda t: "weights",
    "list": lambda t: [t, t],
}


def families(folder: Path) -> dict[str, tuple[State, Callable[[dict[str, Any]], object]]]:
    """Members of a file of each family that torch saves, and what makes its content of them."""
    (folder / "bbox.txt").write_text(BOX_FILE)
    pl = pl_content(*pl_states(), HPARAMS, "hparams")
    return {
        "nerf_pl": (pl["state_dict"], lambda s: pl | {"state_dict": s}),
        "brandontrabucco/nerf": (layernorm_state(), lambda s: s),
        "tinynerf-slang": (slang_state(), lambda s: s),
        "fastnerf": (dict(fast_module().state_dict()), lambda s: s),
        "KiloNeRF": (as_finetuned(kilo_state())["model_state_dict"], lambda s: {"model_state_dict": s}),
    }


@pytest.mark.parametrize("family", ["nerf_pl", "brandontrabucco/nerf", "tinynerf-slang", "fastnerf", "KiloNeRF"])
def test_damaged_members_are_refused_or_harmless(tmp_path: Path, family: str) -> None:
    members, content = families(tmp_path)[family]
    file, (points, directions) = tmp_path / "model.pth", random_points(5)
    every = [(key, damage) for key in members for damage in DAMAGES]
    for place in np.random.default_rng(0).choice(len(every), DAMAGED, replace=False):
        key, damage = every[place]
        torch.save(content(members | {key: DAMAGES[damage](members[key])}), file)
        try:
            teacher = load_teacher(file)
        except DuplexError as error:
            assert "\n" not in str(error) and str(tmp_path) in str(error), (key, damage)
            continue
        sigma, latent = teacher.fine.density(points)  # what was read can be used
        assert sigma.shape == (5,) and teacher.fine.color(latent, directions).shape == (5, 3), (key, damage)


SECOND: list[tuple[str, str, Callable[[], State]]] = [
    ("network_fn_state_dict", "network_fine_state_dict", synthetic.nerf_pytorch_state),
    ("model_coarse_state_dict", "model_fine_state_dict", synthetic.flexible_state),
]


@pytest.mark.parametrize(("coarse", "fine", "state"), SECOND)
@pytest.mark.parametrize("value", [torch.ones(3), 7, "weights", [1], {"a": 1}, {7: torch.ones(2)}, True])
def test_a_second_network_that_is_none_is_refused(
    tmp_path: Path, coarse: str, fine: str, state: Callable[[], State], value: object
) -> None:
    file = tmp_path / "model.pth"
    torch.save({coarse: state(), fine: value}, file)
    refused(file)


@pytest.mark.parametrize(("coarse", "fine", "state"), SECOND)
@pytest.mark.parametrize("value", [None, {}])
def test_without_a_second_network_the_first_takes_all_samples(
    tmp_path: Path, coarse: str, fine: str, state: Callable[[], State], value: object
) -> None:
    file = tmp_path / "model.pth"
    torch.save({coarse: state(), fine: value}, file)
    teacher = load_teacher(file)
    assert teacher.fine is teacher.coarse
