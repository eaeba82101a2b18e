"""Wrong values in the place of every member of TensoRF's and DirectVoxGO's files, and in the files beside grids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from builders.grid.dvgo import dvgo, write_dvgo
from builders.grid.plenoxels import plenoxels, write_npz
from builders.grid.tensorf import BOX, checkpoint, with_mask
from builders.grid.voxels import Content, refused
from builders.hostile import WRONG, survived
from duplex.baking.checkpoints.loading import load_teacher

pytestmark = pytest.mark.usefixtures("one_thread")


def places(content: Content, parts: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Where a value of ``content`` may stand: its members, and those of its ``parts``, the first of each list."""
    members = [(name,) for name in content] + [(part, name) for part in parts for name in content[part]]
    return [path for path in members if not path[-1].endswith((".1", ".2", ".bias"))]


def put(content: Content, path: tuple[str, ...], value: Any) -> Content:
    if len(path) == 1:
        return content | {path[0]: value}
    return content | {path[0]: content[path[0]] | {path[1]: value}}


@pytest.mark.parametrize("kind", WRONG)
def test_no_wrong_value_in_a_tensorf_file_is_believed(tmp_path: Path, kind: str) -> None:
    content = with_mask(checkpoint("split"))
    for path in [*places(content, ("kwargs", "state_dict")), ("duplex",)]:
        torch.save(put(content, path, WRONG[kind]), tmp_path / "wrong.th")
        survived(tmp_path / "wrong.th")


@pytest.mark.parametrize("kind", WRONG)
def test_no_wrong_value_in_a_dvgo_file_is_believed(tmp_path: Path, kind: str) -> None:
    content = dvgo("direct")
    for path in places(content, ("model_kwargs", "model_state_dict")):
        torch.save(put(content, path, WRONG[kind]), tmp_path / "wrong.tar")
        survived(tmp_path / "wrong.tar")


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("alphaMask.aabb", 1e-40 * BOX, ("alphaMask.aabb", "expected 1e-06")),
        ("alphaMask.aabb", 1e30 * BOX, ("alphaMask.aabb", "reaches to 1.4e+30")),
        ("alphaMask.shape", (2, 8192, 8192), ("alphaMask.shape 2 x 8192 x 8192",)),
        ("alphaMask.shape", (8, 5, 6.5), ("alphaMask.shape 8 x 5 x 6.5",)),
        ("alphaMask.mask", torch.zeros(30, dtype=torch.bool), ("alphaMask.mask", "240 bits")),
    ],
)
def test_masks_without_measure_are_refused(tmp_path: Path, member: str, value: Any, words: tuple[str, ...]) -> None:
    torch.save(with_mask(checkpoint("split")) | {member: value}, tmp_path / "wrong.th")
    refused(tmp_path / "wrong.th", *words)


@pytest.mark.parametrize("kind", ["split", "cp", "vm"])
def test_more_components_than_any_field_has_are_refused(tmp_path: Path, kind: str) -> None:
    content = checkpoint(kind)
    state = content["state_dict"]
    for name, grid in state.items():
        if name.startswith(("density", "plane", "line")):
            state[name] = torch.zeros(grid.shape[0], 2000, *grid.shape[2:])
    torch.save(content, tmp_path / "wrong.th")
    refused(tmp_path / "wrong.th", "components", "at most 1024")


@pytest.mark.parametrize(
    ("part", "member", "value", "words"),
    [
        ("model_state_dict", "viewfreq", torch.tensor([1.0, 1e30, 4.0]), ("viewfreq", "1e+30")),
        ("model_state_dict", "k0.grid", torch.zeros(1, 6, 1, 1, 9000), ("k0.grid", "9000 voxels")),
        ("model_state_dict", "mask_cache.mask", torch.ones(9000, 1, 1).bool(), ("mask_cache.mask", "9000 voxels")),
        ("model_state_dict", "xyz_max", torch.tensor([1e7, 1.0, 1.0]), ("bounds", "10000000.0")),
        ("model_state_dict", "act_shift", torch.tensor([1e30]), ("act_shift", "1.0000000150474662e+30")),
        ("model_kwargs", "num_voxels_base", 1e300, ("num_voxels_base", "1e+300")),
        ("model_kwargs", "pre_act_density", "yes", ("pre_act_density", "yes", "true or false")),
    ],
)
def test_values_of_dvgo_without_measure_are_refused(
    tmp_path: Path, part: str, member: str, value: Any, words: tuple[str, ...]
) -> None:
    refused(write_dvgo(tmp_path / "wrong.tar", put(dvgo(), (part, member), value)), *words)


def test_a_tiny_box_of_dvgo_is_refused(tmp_path: Path) -> None:
    content = dvgo()
    content["model_state_dict"] |= {"xyz_min": torch.zeros(3), "xyz_max": torch.full((3,), 1e-40)}
    refused(write_dvgo(tmp_path / "wrong.tar", content), "num_voxels_base", "expected larger ones")


def test_a_dvgo_network_of_endless_layers_is_refused(tmp_path: Path) -> None:
    content = dvgo()
    layer = {f"rgbnet.{i}.0.weight": torch.eye(8) for i in range(2, 200)}
    content["model_state_dict"] |= layer | {name.replace("weight", "bias"): torch.zeros(8) for name in layer}
    refused(write_dvgo(tmp_path / "wrong.tar", content), "rgbnet.64 is missing")


@pytest.mark.parametrize(
    "text",
    [
        "data = dict(" + "(" * 500_000,
        "data = dict(a=\n" * 60_000,
        "data = dict(" + "-" * 900_000,
        "data = dict(a='" + "\\'" * 400_000,
        "data = dict(a='''b''')",
        'data = dict(\n    a="b\n)',
        "data = dict(dataset_type=3)",
        "data = dict(dataset_type='" + "x" * 2000 + "')",
        "data = dict(white_bkgd='\x1b[2J')",
        "data = dict(white_bkgd=" + "9" * 4000 + ")",
        "#" * 1_100_000,
    ],
    ids=lambda text: text[:24],
)
def test_a_hostile_configuration_of_dvgo_is_refused(tmp_path: Path, text: str) -> None:
    path = write_dvgo(tmp_path / "fine_last.tar", dvgo())
    (tmp_path / "config.py").write_text(text)
    refused(path, "config.py")
    survived(path)


@pytest.mark.parametrize(
    ("text", "white"),
    [
        ("data = dict(white_bkgd=False) # )\ndata  =  dict(ndc=[(1, 2), {3: ')'}], white_bkgd=True,)", True),
        ("data = dict(\n    # white_bkgd=True\n    f=dict(white_bkgd=True), a=',', b=\"\", white_bkgd = False)", False),
        ("data = dict(\ndict(" * 20_000 + ")\n)" * 20_000 + "\nexec('x')\nother = dict(white_bkgd=True", True),
        ("data = dict(a=1)\n" * 60_000, False),
        ("data = dict(white_bkgd=not_known, a=-1, b=1e-3, c='d' 'e', d=f'{g}')", True),
    ],
)
def test_a_configuration_of_dvgo_is_read_without_parsing_python(tmp_path: Path, text: str, white: bool) -> None:
    path = write_dvgo(tmp_path / "fine_last.tar", dvgo())
    (tmp_path / "config.py").write_text(text)
    assert load_teacher(path).scene.background == ((1, 1, 1) if white else (0, 0, 0))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", ()),
        ("3", ()),
        ("[" * 100_000, ()),
        ('{"a": ', ()),
        ('{"scene_scale": 1e400}', ("scene_scale", "inf")),
        ('{"scene_scale": [1]}', ("scene_scale", "a list of 1")),
        ('{"background_brightness": -1}', ("background_brightness", "-1")),
        ('{"background_brightness": 1' + "0" * 400 + "}", ("background_brightness", "a huge number")),
        ('{"dataset_type": {"a": 1}}', ("dataset_type", "an object of 1")),
        ('{"config": 3}', ("config", "3")),
    ],
)
def test_hostile_options_of_svox2_are_refused(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    path = write_npz(tmp_path / "ckpt.npz", plenoxels())
    (tmp_path / "args.json").write_text(text)
    refused(path, "args.json", "mend it", *words)
    survived(path)
