"""DirectVoxGO's files against a naive field."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from builders.grid.dvgo import DVGO_KINDS, HIGH, LOW, dvgo, write_dvgo
from builders.grid.naive_dvgo import naive_dvgo
from builders.grid.voxels import Content, agree, answers_or_refuses, damaged, loaded, random_rays, refused
from builders.hostile import Hostile
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("kind", [*DVGO_KINDS, "planes"])
def test_dvgo_matches_a_naive_one(tmp_path: Path, kind: str) -> None:
    content, rays = dvgo(kind), random_rays(LOW, HIGH)
    path = write_dvgo(tmp_path / "fine_last.tar", content, legacy="release" in kind)
    assert agree(loaded(path, *rays), naive_dvgo(content, *rays))
    teacher = load_teacher(path)
    assert teacher.family == "DirectVoxGO" and teacher.coarse is teacher.fine
    assert np.allclose(teacher.scene.bounds, [LOW, HIGH])
    assert teacher.scene.space.name == ("ndc" if kind == "planes" else "world")


def transposed(name: str) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        content["model_state_dict"][name] = content["model_state_dict"][name].transpose(2, 4)

    return change


def sine_and_cosine_by_turns(content: Content) -> None:
    weight = content["model_state_dict"]["rgbnet.0.weight"]  # 6 features, 3 coordinates, 9 sines, 9 cosines
    columns = [*range(9), *(9 + 9 * t + 3 * d + f for f in range(3) for t in range(2) for d in range(3))]
    content["model_state_dict"]["rgbnet.0.weight"] = weight[:, columns]


def directions_first(content: Content) -> None:
    weight = content["model_state_dict"]["rgbnet.0.weight"]
    content["model_state_dict"]["rgbnet.0.weight"] = torch.cat([weight[:, 21:], weight[:, :21]], 1)


def shift_from_opacity(content: Content) -> None:
    content["model_state_dict"]["act_shift"] = torch.tensor([math.log(1 / (1 - 0.3) - 1)])


def no_mask(content: Content) -> None:
    del content["model_state_dict"]["mask_cache.mask"]


DVGO_MISTAKES = [
    transposed("density.grid"), transposed("k0.grid"), transposed("mask_cache.mask"), sine_and_cosine_by_turns,
    directions_first, shift_from_opacity, no_mask,
]  # fmt: skip


@pytest.mark.parametrize("mistake", range(len(DVGO_MISTAKES)))
def test_every_misreading_of_dvgo_would_be_seen(tmp_path: Path, mistake: int) -> None:
    content, rays = dvgo("direct", (5, 5, 5)), random_rays(LOW, HIGH)
    path = write_dvgo(tmp_path / "fine_last.tar", content)
    assert agree(loaded(path, *rays), naive_dvgo(content, *rays))
    state = dict(content["model_state_dict"])
    if mistake == 2:
        state["mask_cache.mask"] = state["mask_cache.mask"][None, None]
    wrong = {**content, "model_state_dict": state}
    DVGO_MISTAKES[mistake](wrong)
    if mistake == 2:
        state["mask_cache.mask"] = state["mask_cache.mask"][0, 0]
    assert not agree(loaded(path, *rays), naive_dvgo(wrong, *rays))


def test_dvgo_scene_comes_from_the_configuration(tmp_path: Path) -> None:
    path = write_dvgo(tmp_path / "fine_last.tar", dvgo())
    scene = load_teacher(path).scene
    assert (scene.near, scene.far, scene.background) == (2, 6, (1, 1, 1)) and "no config.py" in scene.assumed[0]
    (tmp_path / "config.py").write_text(
        "expname = 'dvgo_Family'\ndata = dict(\n    datadir='./data', dataset_type='tankstemple', white_bkgd=False,\n"
        "    movie_render_kwargs=dict(scale=1.0), inverse_y=True)\ncoarse_train = dict(N_iters=5000)\n"
    )
    scene = load_teacher(path).scene
    assert scene.background == (0, 0, 0) and scene.far > 6 and not scene.hemisphere and "--near" in scene.assumed[0]
    (tmp_path / "config.py").write_text("data = dict(dataset_type='blender', white_bkgd=True)")
    scene = load_teacher(path, overrides=Overrides(near=1.5)).scene
    assert (scene.near, scene.far, scene.background, scene.assumed) == (1.5, 6, (1, 1, 1), ())
    trace = tmp_path / "trace"
    (tmp_path / "config.py").write_text(f"import os\ndata = dict(dataset_type=os.system('touch {trace}'))")
    load_teacher(path)
    assert not trace.exists()
    (tmp_path / "config.py").write_text("data = dict(")
    refused(path, "config.py", "mend it")


def test_dvgo_honours_the_activation_and_the_encoding(tmp_path: Path) -> None:
    path, rays = write_dvgo(tmp_path / "fine_last.tar", dvgo()), random_rays(LOW, HIGH)
    plain = loaded(path, *rays)
    exponential = loaded(path, *rays, activation="exp")
    rate = (100 / np.prod((HIGH - LOW).astype(float))) ** (1 / 3)
    assert np.allclose(np.log1p(exponential[0] / rate) * rate, plain[0], rtol=1e-3, atol=1e-5)
    assert not np.allclose(loaded(path, *rays, encoding="ftd")[1], plain[1], atol=1e-2)


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("rgbnet.2.0.weight", None, ("rgbnet.2",)),
        ("rgbnet.0.weight", torch.zeros(8, 20), ("rgbnet.0", "inputs")),
        ("rgbnet.3.weight", torch.zeros(4, 8), ("rgbnet.3",)),
        ("k0.grid", None, ("k0.grid", "missing")),
        ("k0.grid", torch.zeros(1, 6, 5, 4), ("k0.grid", "shape")),
        ("density.grid", torch.zeros(1, 2, 5, 4, 6), ("density.grid", "(1, 2, 5, 4, 6)")),
        ("density.grid", torch.zeros(1, 1, 0, 4, 6), ("density.grid", "(1, 1, 0, 4, 6)")),
        ("density.grid", torch.full((1, 1, 5, 4, 6), torch.nan), ("density.grid", "NaN")),
        ("density.grid", torch.zeros(1, dtype=torch.int8).expand(10**11), ("density.grid", "(100000000000,)")),
        ("density.grid", torch.zeros(1).expand(1, 1, 5000, 5000, 5000), ("density.grid", "more than")),
        ("density.grid", torch.zeros(1).expand(1, 1, 500, 50, 50), ("density.grid", "repeats")),
        ("xyz_max", torch.from_numpy(LOW), ("box", "positive size")),
        ("xyz_min", torch.zeros(2), ("xyz_min", "shape")),
        ("viewfreq", torch.ones(99), ("viewfreq", "99")),
        ("mask_cache.xyz2ijk_scale", None, ("mask_cache.xyz2ijk_scale",)),
        ("act_shift", torch.tensor([torch.inf]), ("act_shift",)),
        ("density.xy_plane", torch.zeros(1, 8, 5, 4), ("TensoRFGrid",)),
        ("scene_center", torch.zeros(3), ("unbounded", "DirectContractedVoxGO")),
    ],
)
def test_broken_dvgo_files_are_refused_in_one_sentence(
    tmp_path: Path, member: str, value: Any, words: tuple[str, ...]
) -> None:
    content = dvgo()
    content["model_state_dict"][member] = value
    if value is None:
        del content["model_state_dict"][member]
    refused(write_dvgo(tmp_path / "broken.tar", content), *words)


@pytest.mark.parametrize(("option", "value"), [("num_voxels_base", None), ("num_voxels_base", -1), ("nearest", True)])
def test_impossible_dvgo_options_are_refused_in_one_sentence(tmp_path: Path, option: str, value: Any) -> None:
    content = dvgo()
    content["model_kwargs"][option] = value
    refused(write_dvgo(tmp_path / "broken.tar", content), option)


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("where", ["model_kwargs", "model_state_dict", "optimizer_state_dict"])
def test_a_hostile_dvgo_file_is_refused_and_never_run(tmp_path: Path, where: str, legacy: bool) -> None:
    content, trace = dvgo(), tmp_path / "trace"
    content[where]["extra"] = Hostile(f"touch {trace}")
    refused(write_dvgo(tmp_path / "evil.tar", content, legacy), "refused unread")
    assert not trace.exists()


@pytest.mark.parametrize("kind", ["residual", "first release", "planes"])
def test_no_damaged_dvgo_file_is_more_than_a_sentence(tmp_path: Path, kind: str) -> None:
    rays = random_rays(LOW, HIGH, 20)
    for part in ("model_state_dict", "model_kwargs"):
        for member, original in dvgo(kind)[part].items():
            spoiled = [v.astype(v.dtype.newbyteorder("=")) for v in damaged(original) if v.dtype.kind != "U"]
            tensors = [torch.from_numpy(v) for v in spoiled] if part == "model_state_dict" else spoiled
            for value in [*tensors, None, "x", {}, [1], torch.ones(3).to_sparse()]:
                content = dvgo(kind)
                content[part][member] = value
                answers_or_refuses(write_dvgo(tmp_path / "damaged.tar", content), rays)
