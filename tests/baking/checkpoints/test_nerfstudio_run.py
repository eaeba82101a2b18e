"""Damaged and hostile runs of nerfstudio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from builders.hash.nerfacto import COARSEST, nerfacto_options, nerfacto_state
from builders.hash.nerfstudio_run import config_text, save_run
from builders.hash.vanilla import vanilla_state
from builders.hostile import WRONG, Hostile, refused, survived
from duplex.baking.checkpoints.loading import load_teacher


def test_damaged_nerfstudio_runs_are_refused(tmp_path: Path) -> None:
    good = nerfacto_state()
    table = "field.mlp_base.model.0.hash_table"
    nan = good[table].clone()
    nan[3, 1] = torch.nan
    changes: list[tuple[dict[str, Any], tuple[str, ...]]] = [
        ({table: nan}, ("NaN", "hash_table")),
        ({table: good[table][:-8]}, ("hash grid", "damaged")),
        ({table: good[table].flatten()}, ("hash_table", "(4096,)")),
        ({"field.num_levels": torch.tensor(0)}, ("num_levels",)),
        ({"field.num_levels": torch.tensor([4, 4])}, ("num_levels",)),
        ({"field.log2_hashmap_size": torch.tensor(60)}, ("log2_hashmap_size",)),
        ({"field.max_res": torch.tensor(float("nan"))}, ("max_res",)),
        ({"field.aabb": torch.zeros(2, 3)}, ("field.aabb",)),
        ({"field.mlp_base.model.1.layers.1.weight": torch.zeros(7, 5)}, ("takes 5 inputs",)),
        ({"field.mlp_head.layers.0.weight": torch.zeros(12, 9)}, ("takes 9 inputs",)),
        ({"field.mlp_head.layers.2.weight": torch.zeros(4, 12)}, ("layers.2",)),
        ({"field.mlp_head.layers.1.bias": None}, ("layers.1", "missing")),
        ({"field.embedding_appearance.embedding.weight": None}, ("embedding_appearance",)),
        ({"field.mlp_head.layers.1.weight": torch.zeros(12, 12, dtype=torch.int64)}, ("int64",)),
    ]
    for i, (change, words) in enumerate(changes):
        state = {key: value for key, value in (good | change).items() if value is not None}
        refused(save_run(tmp_path / str(i), state, config_text("nerfacto", nerfacto_options())), *words)
    vanilla = vanilla_state()
    del vanilla["field_fine.mlp_base.layers.3.weight"]
    refused(save_run(tmp_path / "hole", vanilla, None), "layers")
    wide = vanilla_state() | {"field_fine.mlp_base.layers.4.weight": torch.zeros(16, 80)}
    refused(save_run(tmp_path / "wide", wide, None), "80 inputs")
    refused(save_run(tmp_path / "text", good | {"field.aabb": "box"}, None), "field.aabb", "no numbers")  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1, 2", ("config.yml", "not a nerfstudio configuration")),
        ("pipeline: 3", ("config.yml", "pipeline: 3", "expected an object")),
        ("pipeline: {model: [1]}", ("config.yml", "model: a list of 1", "expected an object")),
        (config_text("nerfacto", "    near_plane: close"), ("near_plane", "close")),
        (config_text("nerfacto", "    far_plane: .inf"), ("far_plane", "expected a number")),
        (config_text("nerfacto", f"    far_plane: 0x{'f' * 5000}"), ("far_plane", "expected a number")),
        (config_text("nerfacto", "    near_plane: 5\n    far_plane: 2"), ("near 5 and far 2",)),
        (config_text("nerfacto", "    disable_scene_contraction: 7"), ("true or false",)),
        (config_text("nerfacto", "    base_res: 0.5"), ("base_res",)),
        (config_text("nerfacto", "    average_init_density: -1"), ("average_init_density",)),
        ("a: &a [*a]", ("config.yml",)),
        ("{" * 900, ("config.yml", "too deep")),
        ("{" * 9_000, ("config.yml", "brackets")),
        ("{" * 900_000, ("config.yml", "900000 characters")),
        ("- " * 20_000, ("config.yml", "too deep")),
    ],
)
def test_a_broken_nerfstudio_configuration_is_one_sentence(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    refused(save_run(tmp_path, nerfacto_state(), text), *words)


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{",
        '{"transform": [[1, 0, 0, 0]], "scale": 1}',
        '{"transform": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], "scale": 0}',
        '{"transform": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, NaN]], "scale": 1}',
        '{"transform": [[2, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], "scale": 1}',
        '{"transform": [[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], "scale": 1}',
        '{"transform": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], "scale": "x"}',
        "[" * 5000,
    ],
)
def test_a_broken_frame_is_one_sentence(tmp_path: Path, content: str) -> None:
    file = save_run(tmp_path, vanilla_state(), None)
    (tmp_path / "dataparser_transforms.json").write_text(content)
    refused(file, "dataparser_transforms.json")


@pytest.mark.parametrize("state", [vanilla_state, nerfacto_state])
def test_nothing_hostile_in_a_nerfstudio_run_is_ever_run(tmp_path: Path, state: Callable[[], dict[str, Any]]) -> None:
    trace = tmp_path / "trace"
    evil = Hostile(f"touch {trace}")
    refused(save_run(tmp_path / "a", state() | {"field.evil": evil, "field_fine.evil": evil}, None), "refused unread")
    options = f"    evil: !!python/object/apply:os.system ['touch {trace}']\n    base_res: {COARSEST}"
    teacher = load_teacher(save_run(tmp_path / "b", state(), config_text("nerfacto", options)))
    assert teacher.scene.near < teacher.scene.far
    assert not trace.exists()


MEMBERS = [
    *(
        "mlp_base.model.0.hash_table",
        "num_levels",
        "log2_hashmap_size",
        "max_res",
        "aabb",
        "mlp_base.model.1.layers.0.weight",
    ),
    *("mlp_base.model.1.layers.1.bias", "mlp_head.layers.0.weight", "mlp_head.layers.2.weight"),
    "embedding_appearance.embedding.weight",
]


@pytest.mark.parametrize("kind", WRONG)
def test_no_wrong_value_in_a_nerfstudio_run_is_believed(tmp_path: Path, kind: str) -> None:
    good, vanilla = nerfacto_state(), vanilla_state()
    for i, name in enumerate(MEMBERS):
        survived(
            save_run(
                tmp_path / str(i), good | {f"field.{name}": WRONG[kind]}, config_text("nerfacto", nerfacto_options())
            )
        )
    for name in ("mlp_base.layers.0.weight", "mlp_base.layers.4.bias", "field_output_density.net.weight"):
        survived(save_run(tmp_path / "v", vanilla | {f"field_coarse.{name}": WRONG[kind]}, None))
    torch.save({"pipeline": WRONG[kind]}, tmp_path / "x.ckpt")
    survived(tmp_path / "x.ckpt")


@pytest.mark.parametrize(
    "value",
    ["", "x", "-1", ".nan", "-.inf", "1e999", f"0x{'f' * 40}", "9" * 40, "[1, 2]", "[]", "{a: 1}", "true", "1:59:59"],
)
def test_no_wrong_value_in_a_nerfstudio_configuration_is_believed(tmp_path: Path, value: str) -> None:
    texts = [f"method_name: {value}\npipeline: {{model: {{}}}}", f"pipeline: {value}", f"pipeline: {{model: {value}}}"]
    names = ("near_plane", "far_plane", "base_res", "average_init_density", "background_color")
    names += ("disable_scene_contraction", "use_average_appearance_embedding")
    texts += [config_text("nerfacto", f"    {name}: {value}") for name in names]
    for i, text in enumerate(texts):
        survived(save_run(tmp_path / str(i), nerfacto_state(), text))
    for name in ("collider_params", "num_coarse_samples", "num_importance_samples", "background_color"):
        survived(save_run(tmp_path / name, vanilla_state(), config_text("vanilla-nerf", f"    {name}: {value}")))
