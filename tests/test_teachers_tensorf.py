"""TensoRF: the layout as apchenstu's code saves it, against its formulas written out point by point."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hostile import Hostile
from torch import Tensor

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.factors import Mask
from duplex.baking.fields.field import Overrides
from duplex.baking.fields.spaces import Ndc

GRID = (5, 7, 6)  # x, y, z: all different, so that exchanged axes do not fit
BOX = torch.tensor([[-1.0, -1.2, -0.8], [1.1, 1.0, 1.4]])
MATRIX_AXES, VECTOR_AXES = ((0, 1), (0, 2), (1, 2)), (2, 1, 0)
DENSITY, COLOR, CHANNELS = (2, 3, 4), (4, 3, 2), 5
KINDS = ("split", "vm", "cp")
MODES = ("MLP_Fea", "MLP_PE", "MLP", "SH", "RGB")


def checkpoint(kind: str, mode: str = "MLP_Fea", **changes: Any) -> dict[str, Any]:
    """What ``TensorBase.save`` writes, with random weights."""
    generator = torch.Generator().manual_seed(3)
    channels = {"SH": 27, "RGB": 3}.get(mode, CHANNELS)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator) * 0.7

    state: dict[str, Tensor] = {}
    if kind == "vm":
        state = {"plane_coef": random(3, 7, 6, 6), "line_coef": random(3, 7, 6, 1)}
        inputs = 3 * 4
    else:
        for name, counts in (("density", DENSITY), ("app", COLOR)):
            for i, (a, b) in enumerate(MATRIX_AXES):
                if kind == "split":
                    state[f"{name}_plane.{i}"] = random(1, counts[i], GRID[b], GRID[a])
            for i, axis in enumerate(VECTOR_AXES):
                state[f"{name}_line.{i}"] = random(1, counts[i] if kind == "split" else counts[0], GRID[axis], 1)
        inputs = sum(COLOR) if kind == "split" else COLOR[0]
    state["basis_mat.weight"] = random(channels, inputs)
    second = {"MLP_Fea": 2 * 2 * channels, "MLP_PE": 2 * 1 * 3, "MLP": 0}
    if mode in second:
        widths = (channels + 3 + second[mode] + 2 * 3 * 3, 8, 8, 3)
        for i in range(3):
            state[f"renderModule.mlp.{2 * i}.weight"] = random(widths[i + 1], widths[i]) / math.sqrt(widths[i])
            state[f"renderModule.mlp.{2 * i}.bias"] = random(widths[i + 1])
    kwargs = {
        "aabb": BOX.clone(),
        "gridSize": [6, 6, 6] if kind == "vm" else list(GRID),
        "density_n_comp": 3 if kind == "vm" else list(DENSITY),
        "appearance_n_comp": 4 if kind == "vm" else list(COLOR),
        "app_dim": channels,
        "density_shift": -0.3,
        "alphaMask_thres": 1e-4,
        "distance_scale": 25,
        "rayMarch_weight_thres": 1e-4,
        "fea2denseAct": "softplus",
        "near_far": [2.0, 6.0],
        "step_ratio": 0.5,
        "shadingMode": mode,
        "pos_pe": 1,
        "view_pe": 3,
        "fea_pe": 2,
        "featureC": 8,
    }
    return {"kwargs": kwargs | changes, "state_dict": state}


def with_mask(content: dict[str, Any]) -> dict[str, Any]:
    """The checkpoint with an occupancy mask of (z, y, x) vertices in a larger box, as the original packs it."""
    volume = np.random.default_rng(4).random((1, 1, 8, 5, 6)) < 0.15
    box = torch.stack([BOX[0] - 0.3, BOX[1] + 0.2])
    member = {"alphaMask.shape": volume.shape, "alphaMask.mask": np.packbits(volume.reshape(-1)), "alphaMask.aabb": box}
    return content | member


def mixed(values: Tensor, place: float) -> Tensor:
    """Linear interpolation along the first axis of ``values`` at ``place`` in [-1, 1], end vertices at the ends."""
    position = (place + 1) / 2 * (len(values) - 1)
    i = min(int(position), len(values) - 2)
    return values[i] * (1 - (position - i)) + values[i + 1] * (position - i)


def factors(state: dict[str, Tensor], kind: str, name: str, point: Tensor) -> list[Tensor]:
    """The components' products of one point in [-1, 1]^3, one list entry a plane (VM), or one alone (CP)."""
    lines, out = [], []
    for i, axis in enumerate(VECTOR_AXES):
        if kind == "vm":
            part = slice(0, 4) if name == "app" else slice(4, 7)
            line, plane = state["line_coef"][i, part, :, 0], state["plane_coef"][i, part]
        else:
            line = state[f"{name}_line.{i}"][0, :, :, 0]
            plane = state[f"{name}_plane.{i}"][0] if kind == "split" else None
        lines.append(mixed(line.T, float(point[axis])))
        if plane is not None:  # (c, rows, columns): rows along the second axis of the pair, columns along the first
            column_axis, row_axis = MATRIX_AXES[i]
            row = mixed(plane.permute(1, 2, 0), float(point[row_axis]))
            out.append(mixed(row, float(point[column_axis])) * lines[-1])
    return out or [lines[0] * lines[1] * lines[2]]


def waves(x: Tensor, frequencies: int) -> Tensor:
    """All sines, then all cosines; the frequencies of one coordinate lie together."""
    angles = [float(value) * 2.0**k for value in x for k in range(frequencies)]
    return torch.tensor([math.sin(a) for a in angles] + [math.cos(a) for a in angles])


def shade(content: dict[str, Any], point: Tensor, d: Tensor, features: Tensor) -> Tensor:
    kwargs, state = content["kwargs"], content["state_dict"]
    mode = kwargs["shadingMode"]
    if mode == "RGB":
        return features.clamp(0, 1)
    if mode == "SH":
        x, y, z = (float(v) for v in d)
        s = math.sqrt
        basis = [
            0.5 / s(math.pi),
            -s(3 / (4 * math.pi)) * y,
            s(3 / (4 * math.pi)) * z,
            -s(3 / (4 * math.pi)) * x,
            0.5 * s(15 / math.pi) * x * y,
            -0.5 * s(15 / math.pi) * y * z,
            0.25 * s(5 / math.pi) * (2 * z * z - x * x - y * y),
            -0.5 * s(15 / math.pi) * x * z,
            0.25 * s(15 / math.pi) * (x * x - y * y),
        ]
        return (features.view(3, 9) @ torch.tensor(basis) + 0.5).clamp(0, 1)
    parts = [features, d]
    if mode == "MLP_Fea":
        parts.append(waves(features, kwargs["fea_pe"]))
    if mode == "MLP_PE":
        parts.append(waves(point, kwargs["pos_pe"]))
    h = torch.cat([*parts, waves(d, kwargs["view_pe"])])
    for i in (0, 2, 4):
        h = state[f"renderModule.mlp.{i}.weight"] @ h + state[f"renderModule.mlp.{i}.bias"]
        h = torch.relu(h) if i < 4 else torch.sigmoid(h)
    return h


def naive(content: dict[str, Any], kind: str, point: Tensor, d: Tensor) -> tuple[float, Tensor]:
    """Density per world unit and colour of one world point."""
    kwargs, state = content["kwargs"], content["state_dict"]
    place = (point - BOX[0]) * 2 / (BOX[1] - BOX[0]) - 1
    feature = sum(float(part.sum()) for part in factors(state, kind, "density", place))
    raw = math.log1p(math.exp(feature + kwargs["density_shift"]))
    sigma = 25 * (max(feature, 0.0) if kwargs["fea2denseAct"] == "relu" else raw)
    if bool((place.abs() > 1).any()) or not occupied(content, point):
        sigma = 0.0
    place = place.clamp(-1, 1)
    features = state["basis_mat.weight"] @ torch.cat(factors(state, kind, "app", place))
    return sigma, shade(content, place, d, features)


def occupied(content: dict[str, Any], point: Tensor) -> bool:
    if "alphaMask.mask" not in content:
        return True
    shape, box = content["alphaMask.shape"][-3:], content["alphaMask.aabb"]
    volume = np.unpackbits(content["alphaMask.mask"])[: math.prod(shape)].reshape(1, 1, *shape)
    place = (point - box[0]) / (box[1] - box[0]) * 2 - 1
    grid = place.view(1, 1, 1, 1, 3)
    return float(F.grid_sample(torch.from_numpy(volume).float(), grid, align_corners=True)) > 0


def compared(content: dict[str, Any], kind: str, folder: Path, overrides: Overrides | None = None) -> tuple[float, ...]:
    """Largest relative error of density and largest error of colour against the naive field, and how much is solid."""
    torch.save(content, folder / "scene.th")
    teacher = load_teacher(folder / "scene.th", overrides=overrides)
    assert teacher.family == "TensoRF" and teacher.coarse is teacher.fine
    generator = torch.Generator().manual_seed(1)
    points = BOX[0] - 0.2 + (BOX[1] - BOX[0] + 0.4) * torch.rand(150, 3, generator=generator)
    directions = F.normalize(torch.randn(150, 3, generator=generator), dim=-1)
    sigma, latent = teacher.fine.density(points)
    color = teacher.fine.color(latent, directions)
    expected = [naive(content, kind, p, d) for p, d in zip(points, directions, strict=True)]
    wanted = torch.tensor([s for s, _ in expected])
    solid = wanted > 0
    inside = ((points >= BOX[0]) & (points <= BOX[1])).all(-1)
    colors = torch.stack([c for _, c in expected])
    errors = ((sigma - wanted).abs() / (1 + wanted)).max(), (color - colors)[inside].abs().max()
    return float(errors[0]), float(errors[1]), float(solid.float().mean())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_every_class_and_shading_matches_the_naive_field(kind: str, mode: str, tmp_path: Path) -> None:
    density, color, solid = compared(checkpoint(kind, mode), kind, tmp_path)
    assert density < 1e-4 and color < 1e-4 and 0.3 < solid < 0.9


def test_relu_takes_the_feature_without_its_shift(tmp_path: Path) -> None:
    density, color, solid = compared(checkpoint("split", fea2denseAct="relu"), "split", tmp_path)
    assert density < 1e-4 and color < 1e-4 and 0.1 < solid < 0.9


def test_the_mask_empties_what_it_does_not_touch(tmp_path: Path) -> None:
    density, _, solid = compared(with_mask(checkpoint("split")), "split", tmp_path)
    assert density < 1e-4 and 0.1 < solid < 0.6
    assert solid < compared(checkpoint("split"), "split", tmp_path)[2] - 0.1


def test_a_mask_fades_within_a_cell_outside_of_its_box() -> None:
    mask = Mask(torch.ones(3, 3, 3), torch.tensor([[-1.0, -1, -1], [1, 1, 1]]))
    x = torch.tensor([-2.1, -1.9, 0.0, 1.9, 2.1, 50.0])
    assert mask(torch.stack([x, 0 * x, 0 * x], -1)).tolist() == [False, True, True, True, False, False]


@pytest.mark.parametrize(
    "change",
    [{"density_shift": 0.4}, {"distance_scale": 1}, {"fea2denseAct": "relu"}],
)
def test_kwargs_make_a_clear_difference(change: dict[str, Any], tmp_path: Path) -> None:
    content = checkpoint("split")
    torch.save(checkpoint("split", **change), tmp_path / "other.th")
    points = torch.rand(50, 3)
    sigma, _ = load_teacher(tmp_path / "other.th").fine.density(points)
    wanted = torch.tensor([naive(content, "split", p, p)[0] for p in points])
    assert float((sigma - wanted).abs().mean()) > 1


@pytest.mark.parametrize("order", ["ftd", "tfd", "dtf"])
def test_another_order_of_the_encoding_gives_another_colour(order: str, tmp_path: Path) -> None:
    density, color, _ = compared(checkpoint("split"), "split", tmp_path, Overrides(encoding=order))
    assert density < 1e-4 and color > 0.01


def test_another_activation_gives_another_density(tmp_path: Path) -> None:
    density, color, _ = compared(checkpoint("split"), "split", tmp_path, Overrides(activation="exp"))
    assert density > 0.1 and color < 1e-4


def test_the_scene_is_that_of_the_kwargs(tmp_path: Path) -> None:
    torch.save(checkpoint("split", near_far=[1.5, 7.0]), tmp_path / "1.th")
    scene = load_teacher(tmp_path / "1.th").scene
    assert (scene.near, scene.far, scene.principal_shift, scene.background) == (1.5, 7.0, 0.0, (1, 1, 1))
    assert np.allclose(scene.bounds, BOX.numpy()) and "--background" in scene.assumed[0]


def test_an_interval_of_0_to_1_is_ndc(tmp_path: Path) -> None:
    torch.save(checkpoint("split", near_far=[0.0, 1.0]), tmp_path / "1.th")
    scene = load_teacher(tmp_path / "1.th").scene
    assert isinstance(scene.space, Ndc) and scene.space.field_views
    assert scene.background == (0, 0, 0) and scene.principal_shift == 0 and np.allclose(scene.bounds, BOX.numpy())


def test_the_state_dict_is_the_layout_and_gradients_flow(tmp_path: Path) -> None:
    for kind in KINDS:
        content = checkpoint(kind)
        torch.save(content, tmp_path / "1.th")
        field = load_teacher(tmp_path / "1.th").fine.requires_grad_(True)
        assert {k: v.shape for k, v in field.state_dict().items()} == {
            k: v.shape for k, v in content["state_dict"].items()
        }
        points = BOX[0] + (BOX[1] - BOX[0]) * torch.rand(300, 3)
        sigma, latent = field.density(points)
        (sigma.sum() + field.color(latent, F.normalize(points, dim=-1)).sum()).backward()
        assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in field.parameters())


def test_the_look_up_has_the_gradient_of_grid_sample(tmp_path: Path) -> None:
    torch.save(checkpoint("split"), tmp_path / "1.th")
    field = load_teacher(tmp_path / "1.th").fine.requires_grad_(True)
    unit = torch.rand(500, 3)
    field.sigma(unit).sum().backward()
    place = unit * 2 - 1
    total = torch.zeros(500)
    copies = {n: p.detach().clone().requires_grad_(True) for n, p in field.named_parameters() if "density" in n}
    for i, (a, b) in enumerate(MATRIX_AXES):
        plane = F.grid_sample(copies[f"density_plane.{i}"], place[:, [a, b]].view(1, 1, 500, 2), align_corners=True)
        along = place[:, VECTOR_AXES[i]]
        at = torch.stack([0 * along, along], -1).view(1, 1, 500, 2)
        line = F.grid_sample(copies[f"density_line.{i}"], at, align_corners=True)
        total = total + (plane * line)[0, :, 0].sum(0)
    (25 * F.softplus(total - 0.3)).sum().backward()
    for name, copy in copies.items():
        assert torch.allclose(field.get_parameter(name).grad, copy.grad, rtol=1e-3, atol=1e-3), name


def test_wrong_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    def refused(content: dict[str, Any], *words: str) -> None:
        torch.save(content, tmp_path / "wrong.th")
        with pytest.raises(DuplexError) as error:
            load_teacher(tmp_path / "wrong.th")
        text = str(error.value)
        assert "\n" not in text and "wrong.th" in text and all(word in text for word in words), text

    def state(kind: str = "split", **changes: Tensor | None) -> dict[str, Any]:
        content = checkpoint(kind)
        for name, value in changes.items():
            key = name.replace("__", ".")
            content["state_dict"].pop(key, None)
            if value is not None:
                content["state_dict"][key] = value
        return content

    refused(state(app_plane__1=None), "app_plane.1 is missing")
    refused(state(density_line__2=None), "density_line.0, 1, 2")
    refused(state(density_plane__0=torch.zeros(1, 2, 5, 7)), "density_plane.0", "does not fit")
    refused(state(app_line__0=torch.zeros(1, 9, 6, 1)), "app_plane.0", "does not fit")
    refused(state(app_line__0=torch.full((1, 4, 6, 1), torch.nan)), "NaN", "app_line.0")
    refused(state(basis_mat__weight=torch.zeros(5, 8)), "basis_mat.weight", "9 components")
    refused(state(**{"renderModule__mlp__2__bias": None}), "renderModule.mlp.2 is missing")
    refused(state(**{"renderModule__mlp__0__weight": torch.zeros(8, 47)}), "47 inputs")
    refused(state("cp", app_line__1=torch.zeros(1, 3, 7, 1)), "app_line.0, 1, 2")
    refused(state("vm", line_coef=torch.zeros(3, 7, 5, 1)), "line_coef")
    refused(state("vm", plane_coef=torch.zeros(6)), "plane_coef")
    refused(checkpoint("split", aabb=BOX.flip(0)), "aabb")
    refused(checkpoint("split", aabb=None), "aabb")
    refused(checkpoint("split", shadingMode="Phong"), "shadingMode Phong")
    refused(checkpoint("split", fea2denseAct=[]), "fea2denseAct")
    refused(checkpoint("split", view_pe=-1), "view_pe")
    refused(checkpoint("split", view_pe=2.5), "view_pe")
    refused(checkpoint("split", view_pe=10**400), "view_pe")
    refused(checkpoint("split", density_shift="low"), "density_shift low")
    refused(checkpoint("split", near_far=3), "near_far 3")
    refused(checkpoint("split", near_far=[6.0, 2.0]), "near 6 and far 2")
    endless = torch.zeros(1).expand(10**13)
    refused(checkpoint("split", near_far=endless), "near_far", "two numbers")
    whole = with_mask(checkpoint("split"))
    refused(whole | {"alphaMask.mask": whole["alphaMask.mask"][:-1]}, "alphaMask.mask")
    refused(whole | {"alphaMask.mask": None}, "alphaMask.mask")
    refused(whole | {"alphaMask.shape": (2, 1, 8, 5, 6)}, "alphaMask.shape")
    refused(whole | {"alphaMask.shape": (10**9, 10**9, 10**9)}, "alphaMask.shape")
    refused(whole | {"alphaMask.shape": "abc"}, "alphaMask.shape")
    refused(whole | {"alphaMask.shape": endless}, "alphaMask.shape")
    refused(whole | {"alphaMask.mask": torch.zeros(9, requires_grad=True)}, "alphaMask.mask")
    refused(whole | {"alphaMask.mask": torch.zeros(9).to_sparse()}, "alphaMask.mask")
    refused(whole | {"alphaMask.aabb": torch.zeros(2, 3)}, "alphaMask.aabb")
    refused(checkpoint("split") | {"duplex": {"near": 2}}, "duplex")
    refused(checkpoint("split") | {"duplex": 3}, "duplex")
    refused(checkpoint("split") | {"duplex": {"background": endless}}, "duplex")


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("place", ["kwargs", "top"])
def test_a_hostile_pickle_is_refused_and_never_run(place: str, legacy: bool, tmp_path: Path) -> None:
    trace, content = tmp_path / "trace", checkpoint("split")
    target = content["kwargs"] if place == "kwargs" else content
    target["renderer"] = Hostile(f"touch {trace}")
    torch.save(content, tmp_path / "evil.th", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(DuplexError, match="refused unread"):
        load_teacher(tmp_path / "evil.th")
    assert not trace.exists()
