"""Checkpoints of voxels, written as their code bases write them, against the formulas worked out point by point."""

import itertools
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hostile import Hostile
from scipy.special import sph_harm_y

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.families.baked import plenoctree as plenoctree_family
from duplex.baking.checkpoints.families.grid import dvgo as dvgo_family
from duplex.baking.checkpoints.families.grid import plenoxels as plenoxels_family
from duplex.baking.checkpoints.files import Checkpoint
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides
from duplex.baking.fields.spherical_harmonics import spherical_harmonics

Content = dict[str, Any]
Values = tuple[np.ndarray, np.ndarray]  # sigma (n,) and rgb (n, 3)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors of a few numbers cost more to share between threads than to compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def random_rays(low: Any, high: Any, count: int = 150) -> Values:
    """Points (n, 3) in and around a box, and unit directions (n, 3)."""
    middle, half = (np.array(low) + high) / 2, (np.array(high) - low) / 2
    points = middle + 1.15 * half * rng(1).uniform(-1, 1, (count, 3))
    directions = rng(2).normal(size=(count, 3))
    return points.astype(np.float32), (directions / np.linalg.norm(directions, axis=-1, keepdims=True)).astype("f4")


def loaded(path: Path, points: np.ndarray, directions: np.ndarray, **overrides: Any) -> Values:
    """Density and colour as the field of the file at ``path`` gives them."""
    field = load_teacher(path, overrides=Overrides(**overrides)).fine
    with torch.no_grad():
        sigma, latent = field.density(torch.from_numpy(points))
        rgb = field.color(latent, torch.from_numpy(directions))
    assert sigma.shape == (len(points),) and rgb.shape == (len(points), 3)
    assert sigma.dtype == rgb.dtype == torch.float32
    return sigma.numpy(), rgb.numpy()


def agree(a: Values, b: Values) -> bool:
    """Whether densities agree everywhere and colours wherever there is matter."""
    seen = b[0] > 0
    assert 0.1 < seen.mean() < 0.95, "points on both sides of the surface are needed"
    return np.allclose(a[0], b[0], rtol=2e-4, atol=2e-4) and np.allclose(a[1][seen], b[1][seen], atol=2e-4)


def trilinear(grid: np.ndarray, place: np.ndarray) -> np.ndarray:
    """``grid`` (X, Y, Z, ...) at one ``place`` (3,) in cells from its first value."""
    low = np.clip(np.floor(place).astype(int), 0, np.maximum(np.array(grid.shape[:3]) - 2, 0))
    total = np.zeros(grid.shape[3:])
    for corner in itertools.product((0, 1), repeat=3):
        weight = math.prod(f if c else 1 - f for f, c in zip(place - low, corner, strict=True))
        if weight:
            total = total + weight * grid[tuple(low + corner)]
    return total


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def refused(path: Path, *words: str, **overrides: Any) -> None:
    with pytest.raises(DuplexError) as error:
        load_teacher(path, overrides=Overrides(**overrides))
    text = str(error.value)
    assert "\n" not in text and str(path.parent) in text and all(word in text for word in words), text


# ---------------------------------------------------------------- spherical harmonics


def test_harmonics_are_the_real_and_imaginary_parts_of_the_complex_ones() -> None:
    directions = random_rays([-1] * 3, [1] * 3)[1].astype(np.float64)
    theta, phi = np.arccos(directions[:, 2]), np.arctan2(directions[:, 1], directions[:, 0])
    columns = []
    for degree in range(5):
        for order in range(-degree, degree + 1):
            value = sph_harm_y(degree, abs(order), theta, phi)
            columns.append(value.real if order == 0 else math.sqrt(2) * (value.imag if order < 0 else value.real))
        found = spherical_harmonics(torch.from_numpy(directions), (degree + 1) ** 2)
        assert np.allclose(found.numpy(), np.stack(columns, -1), atol=1e-6)


def harmonics(direction: np.ndarray, count: int) -> np.ndarray:
    """The first nine harmonics of one direction, from svox's constants."""
    x, y, z = direction
    values = [0.28209479177387814, -0.4886025119029199 * y, 0.4886025119029199 * z, -0.4886025119029199 * x]
    values += [
        1.0925484305920792 * x * y,
        -1.0925484305920792 * y * z,
        0.31539156525252005 * (2 * z * z - x * x - y * y),
    ]
    values += [-1.0925484305920792 * x * z, 0.5462742152960396 * (x * x - y * y)]
    return np.array(values[:count])


# ---------------------------------------------------------------- DirectVoxGO

DVGO_KINDS = ("direct", "residual", "colours", "implicit", "four layers", "second release", "first release")
LOW, HIGH = np.array([-1.2, -0.8, -1.0], np.float32), np.array([1.0, 1.1, 0.9], np.float32)


@contextmanager
def mmcv_config_dict() -> Iterator[type]:
    """mmcv's dictionary class, of which DirectVoxGO's files have an instance for each grid, while they are written."""
    names = ("mmcv", "mmcv.utils", "mmcv.utils.config")
    config = type("ConfigDict", (dict,), {"__getstate__": lambda self: self, "__module__": names[2]})
    try:
        for name in names:
            sys.modules[name] = ModuleType(name)
        sys.modules[names[2]].ConfigDict = config  # type: ignore[attr-defined]
        yield config
    finally:
        for name in names:
            sys.modules.pop(name, None)


def dvgo(kind: str = "direct", sides: tuple[int, int, int] = (5, 4, 6)) -> Content:
    """What ``torch.save`` gets from DirectVoxGO, of one of :data:`DVGO_KINDS` or ``planes`` (DirectMPIGO)."""
    random = torch.Generator().manual_seed(3)
    normal = lambda *shape: torch.randn(*shape, generator=random)  # noqa: E731
    first, second, planes = kind == "first release", kind == "second release", kind == "planes"
    width = {"colours": 3, "implicit": 0}.get(kind, 6)
    dot = "" if first or second else ".grid"
    state: Content = {"xyz_min": torch.from_numpy(LOW), "xyz_max": torch.from_numpy(HIGH)}
    state |= {f"density{dot}": normal(1, 1, *sides), f"k0{dot}": normal(1, width, *sides)}
    options: Content = {"xyz_min": LOW.copy(), "xyz_max": HIGH.copy(), "num_voxels": 120, "alpha_init": 0.3}
    options |= {"num_voxels_base": 100, "fast_color_thres": 1e-4, "rgbnet_dim": width, "mask_cache_path": "coarse.tar"}
    if kind != "colours":
        state["viewfreq"] = torch.tensor([1.0, 2.0, 4.0])
        inputs = 3 + 3 * 3 * 2 + width - (3 if kind == "residual" else 0)
        if first:
            state["posfreq"] = torch.tensor([1.0, 2.0])
            inputs += 3 + 3 * 2 * 2
        shapes = {"rgbnet.0": (8, inputs), "rgbnet.2.0": (8, 8)}
        shapes |= {"rgbnet.3.0": (8, 8), "rgbnet.4": (3, 8)} if kind == "four layers" else {"rgbnet.3": (3, 8)}
        for name, shape in shapes.items():
            state[f"{name}.weight"], state[f"{name}.bias"] = normal(*shape), normal(shape[0])
    if first:
        options |= {"nearest": False, "pre_act_density": False, "in_act_density": False, "posbase_pe": 2}
        state |= {
            "nonempty_mask": torch.ones(1, 1, *sides, dtype=torch.bool),
            "mask_cache.density": normal(1, 1, 3, 3, 3),
        }
    else:
        mask = torch.rand(4, 4, 4, generator=random) < 0.8
        scale = (torch.tensor([4.0, 4.0, 4.0]) - 1) / torch.from_numpy(HIGH - LOW)
        state |= {"mask_cache.mask": mask, "mask_cache.xyz2ijk_scale": scale}
        state["mask_cache.xyz2ijk_shift"] = -torch.from_numpy(LOW) * scale
        options["voxel_size_ratio"] = torch.tensor(0.94)
    if second:
        options["act_shift"] = np.float64(0.4)
    elif planes:
        options |= {"mpi_depth": sides[2], "voxel_size_ratio": 0.9}
        state["act_shift.grid"] = normal(1, 1, 1, 1, sides[2])
        del options["alpha_init"], options["num_voxels_base"]
    elif not first:
        state["act_shift"] = torch.tensor([0.4])
        state |= {f"{grid}.xyz_min": torch.from_numpy(LOW) for grid in ("density", "k0")}
    optimizer = {"state": {0: {"step": 5, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    return {
        "global_step": 20000, "model_kwargs": options, "model_state_dict": state, "optimizer_state_dict": optimizer,
        "MaskCache_kwargs": {"act_shift": np.float64(-0.85), "xyz_min": LOW.copy()},
    }  # fmt: skip


def write_dvgo(path: Path, content: Content, legacy: bool = False) -> Path:
    with mmcv_config_dict() as config:
        options = {**content["model_kwargs"], "density_config": config(), "k0_config": config(n_comp=8)}
        whole = {**content, "model_kwargs": options}
        torch.save(whole, path, _use_new_zipfile_serialization=not legacy)
    return path


def dvgo_encoding(x: np.ndarray, frequencies: list[float]) -> list[float]:
    angles = [v * f for v in x for f in frequencies]
    return [*x, *(math.sin(a) for a in angles), *(math.cos(a) for a in angles)]


def naive_dvgo(content: Content, points: np.ndarray, directions: np.ndarray) -> Values:
    """DirectVoxGO's point query; densities from the opacity of a step of half a voxel."""
    state, options = content["model_state_dict"], content["model_kwargs"]
    member = lambda name: state.get(f"{name}.grid", state.get(name)).double().numpy()[0]  # noqa: E731
    grid, features = np.moveaxis(member("density"), 0, -1), np.moveaxis(member("k0"), 0, -1)
    if "mpi_depth" in options:
        interval, step = 0.5 * options["voxel_size_ratio"], 0.5 / (options["mpi_depth"] - 1) * 2
        shift = state["act_shift.grid"].double().numpy()[0, 0, 0, 0]
    else:
        size = (np.prod(HIGH - LOW) / options["num_voxels"]) ** (1 / 3)
        base = (np.prod(HIGH - LOW) / options["num_voxels_base"]) ** (1 / 3)
        interval, step = 0.5 * size / base, 0.5 * size
        shift = float(state.get("act_shift", options.get("act_shift", math.log(1 / (1 - options["alpha_init"]) - 1))))
    sigma, rgb = np.zeros(len(points)), np.zeros((len(points), 3))
    for n, (point, direction) in enumerate(zip(points.astype(np.float64), directions.astype(np.float64), strict=True)):
        if (point < LOW).any() or (point > HIGH).any():
            continue
        if "mask_cache.mask" in state:
            cell = np.round(
                point * state["mask_cache.xyz2ijk_scale"].numpy() + state["mask_cache.xyz2ijk_shift"].numpy()
            )
            if not state["mask_cache.mask"][tuple(cell.astype(int))]:
                continue
        unit = (point - LOW) / (HIGH - LOW)
        place = unit * (np.array(grid.shape[:3]) - 1)
        raw = trilinear(grid, place)[0]
        raw += shift if np.ndim(shift) == 0 else np.interp(place[2], np.arange(len(shift)), shift)
        opacity = 1 - (1 + math.exp(raw)) ** -interval
        sigma[n] = -math.log(1 - opacity) / step
        k0, residual = trilinear(features, place), 0.0
        names = [f"rgbnet.{i}{rest}" for i, rest in ((0, ""), (2, ".0"), (3, ".0"), (3, ""), (4, ""))]
        if "rgbnet.0.weight" not in state:
            rgb[n] = sigmoid(k0)
            continue
        width = state["rgbnet.0.weight"].shape[1]
        encoded = dvgo_encoding(direction, state["viewfreq"].tolist())
        if "posfreq" in state:
            encoded = dvgo_encoding(unit, state["posfreq"].tolist()) + encoded
        if width < len(k0) + len(encoded):
            k0, residual = k0[3:], k0[:3]
        h = np.array([*k0, *encoded])
        used = [name for name in names if f"{name}.weight" in state]
        for name in used:
            h = state[f"{name}.weight"].double().numpy() @ h + state[f"{name}.bias"].double().numpy()
            h = h if name == used[-1] else np.maximum(h, 0)
        rgb[n] = sigmoid(h + residual)
    return sigma, rgb


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
        ("density.grid", torch.zeros(1, 1, 0, 4, 6), ("density.grid", "not empty")),
        ("density.grid", torch.full((1, 1, 5, 4, 6), torch.nan), ("density.grid", "NaN")),
        ("density.grid", torch.zeros(1, dtype=torch.int8).expand(10**12), ("density.grid", "more than")),
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


# ---------------------------------------------------------------- Plenoxels


def plenoxels(count: int = 9, sides: tuple[int, int, int] = (4, 5, 6), unit: bool = False) -> Content:
    """What ``np.savez`` gets from svox2: a grid with missing voxels, the others in a scrambled order."""
    random, cells = rng(4), math.prod(sides)
    kept = random.permutation(cells)[: int(0.8 * cells)]
    links = np.full(cells, -1, np.int32)
    links[kept] = np.arange(len(kept))
    links[links < 0] = random.integers(-5, 0, (links < 0).sum())  # svox2 keeps distances to voxels there
    return {
        "radius": np.array([1, 1, 1] if unit else [1.5, 1.2, 0.9], np.float32),
        "center": np.array([0, 0, 0] if unit else [0.2, -0.1, 0.3], np.float32),
        "links": links.reshape(sides),
        "density_data": random.normal(size=(len(kept), 1)).astype(np.float32),
        "sh_data": random.normal(size=(len(kept), 3 * count), scale=0.4).astype(np.float16),
        "basis_type": np.array(1),
    }


def write_npz(path: Path, content: Content) -> Path:
    np.savez(path, **content)
    return path


def naive_plenoxels(content: Content, points: np.ndarray, directions: np.ndarray) -> Values:
    links, radius, center = (content[name].astype(np.float64) for name in ("links", "radius", "center"))
    sides, count = np.array(links.shape), content["sh_data"].shape[1] // 3
    data = np.concatenate([content["density_data"], content["sh_data"]], 1, dtype=np.float64)
    dense = np.where(links[..., None] >= 0, data[np.maximum(links, 0).astype(int)], 0)
    sigma, rgb = np.zeros(len(points)), np.zeros((len(points), 3))
    for n, (point, direction) in enumerate(zip(points.astype(np.float64), directions.astype(np.float64), strict=True)):
        if (np.abs(point - center) > radius).any():
            continue
        place = point * (0.5 / radius) * sides + 0.5 * (1 - center / radius) * sides - 0.5
        value = trilinear(dense, np.clip(place, 0, sides - 1))
        sigma[n] = max(value[0], 0)
        for channel in range(3):
            coefficients = value[1 + channel * count : 1 + (channel + 1) * count]
            rgb[n, channel] = np.clip((coefficients * harmonics(direction, count)).sum() + 0.5, 0, 1)
    return sigma, rgb


@pytest.mark.parametrize("count", [1, 4, 9])
@pytest.mark.parametrize("release", ["first", "later"])
def test_plenoxels_match_naive_ones(tmp_path: Path, count: int, release: str) -> None:
    content = plenoxels(count)
    low, high = content["center"] - content["radius"], content["center"] + content["radius"]
    written = dict(content)
    if release == "first":
        del written["basis_type"], written["sh_data"]
        written["data"] = np.concatenate([written.pop("density_data"), content["sh_data"]], 1, dtype=np.float32)
    path, rays = write_npz(tmp_path / "ckpt.npz", written), random_rays(low, high)
    assert agree(loaded(path, *rays), naive_plenoxels(content, *rays))
    teacher = load_teacher(path)
    assert teacher.family == "Plenoxels" and teacher.coarse is teacher.fine
    assert np.allclose(teacher.scene.bounds, [low, high], atol=1e-6)


PLENOXEL_MISTAKES: list[Callable[[Content], Content]] = [
    lambda c: {"links": c["links"].transpose(2, 1, 0)},
    lambda c: {"links": np.abs(c["links"])},  # a missing voxel read as another one
    lambda c: {"sh_data": c["sh_data"].reshape(-1, 9, 3).transpose(0, 2, 1).reshape(-1, 27)},
    lambda c: {"radius": c["radius"] * 5 / 4},  # values on the box's faces instead of in voxels' middles
    lambda c: {"center": -c["center"]},
]


@pytest.mark.parametrize("mistake", PLENOXEL_MISTAKES)
def test_every_misreading_of_plenoxels_would_be_seen(tmp_path: Path, mistake: Callable[[Content], Content]) -> None:
    content = plenoxels(sides=(5, 5, 5))
    rays = random_rays(content["center"] - content["radius"], content["center"] + content["radius"])
    found = loaded(write_npz(tmp_path / "ckpt.npz", content), *rays)
    assert agree(found, naive_plenoxels(content, *rays))
    assert not agree(found, naive_plenoxels({**content, **mistake(content)}, *rays))


def test_plenoxels_of_forward_facing_photos_have_y_down(tmp_path: Path) -> None:
    content = plenoxels()
    path, rays = write_npz(tmp_path / "ckpt.npz", content), random_rays([-1, -1, -1], [1.5, 1.2, 1.2])
    flip = np.array([1, -1, 1], np.float32)
    assert agree(loaded(path, *rays, space="ndc"), naive_plenoxels(content, rays[0] * flip, rays[1] * flip))
    scene = load_teacher(path, overrides=Overrides(space="ndc")).scene
    assert scene.space.name == "ndc" and scene.space.field_views and (scene.near, scene.far) == (0, 1)
    assert np.allclose(scene.bounds, [[-1.3, -1.1, -0.6], [1.7, 1.3, 1.2]], atol=1e-6)
    (tmp_path / "args.json").write_text('{"config": "configs/llff.json", "background_brightness": 0.5}')
    assert load_teacher(path).scene.space.name == "ndc"
    assert load_teacher(path, overrides=Overrides(space="world")).scene.space.name == "world"


def test_plenoxels_scene_and_what_is_assumed_of_it(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "ckpt.npz", plenoxels(unit=True))
    scene = load_teacher(path).scene
    assert np.allclose([scene.near, scene.far], [4 / 3, 4]) and scene.background == (1, 1, 1)
    assert np.allclose(np.reshape(scene.dataset_to_world, (4, 4)), np.diag([2 / 3, 2 / 3, 2 / 3, 1]))
    assert "--background" in scene.assumed[0] and "--near" in scene.assumed[1]
    (tmp_path / "args.json").write_text('{"scene_scale": 0.5, "background_brightness": 0.0, "config": null}')
    scene = load_teacher(path).scene
    assert (scene.near, scene.far, scene.background) == (1, 3, (0, 0, 0)) and len(scene.assumed) == 1
    (tmp_path / "args.json").write_text('{"scene_scale": "NaN"}')
    refused(path, "args.json", "mend it")
    (tmp_path / "args.json").unlink()
    layers = {"background_links": np.zeros((8, 4), np.int32), "background_data": np.zeros((32, 4, 4), np.float32)}
    scene = load_teacher(write_npz(path, plenoxels(unit=True) | layers)).scene
    assert any("background layers" in text for text in scene.assumed) and scene.dataset_to_world is None


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("sh_data", None, ("sh_data", "missing")),
        ("sh_data", np.zeros((96, 26), np.float16), ("26", "coefficients")),
        ("sh_data", np.zeros((95, 27), np.float16), ("sh_data", "(95, 27)")),
        ("sh_data", np.full((96, 27), np.inf, np.float16), ("sh_data", "infinity")),
        ("density_data", np.full((96, 1), np.nan), ("density_data", "NaN")),
        ("density_data", np.array(["x"]), ("density_data", "no numbers")),
        ("links", np.full((4, 5, 6), 96, np.int32), ("voxel 96 of 96",)),
        ("links", np.full((4, 5, 6), 1 << 40, np.int64), ("links", "32 bits")),
        ("links", np.zeros((1, 5, 6), np.int32), ("links", "(1, 5, 6)")),
        ("links", np.zeros((4, 5), np.int32), ("links", "(4, 5)")),
        ("links", np.zeros((4, 5, 6)), ("links", "whole numbers")),
        ("radius", np.zeros(3), ("radius", "positive")),
        ("center", np.zeros(2), ("center", "(2,)")),
        ("basis_type", np.array(4), ("3D texture", "spherical harmonics")),
        ("basis_type", np.array(255), ("network", "basis_type 255")),
    ],
)
def test_broken_plenoxels_are_refused_in_one_sentence(
    tmp_path: Path, member: str, value: Any, words: tuple[str, ...]
) -> None:
    content = plenoxels() | {member: value}
    if value is None:
        del content[member]
    refused(write_npz(tmp_path / "broken.npz", content), *words)


# ---------------------------------------------------------------- PlenOctree


def plenoctree(form: str = "SH9", branches: int = 2) -> Content:
    """What ``np.savez`` gets from svox: a random tree of five levels."""
    random, cells = rng(5), branches**3
    basis = 1 if form == "RGBA" else int(form.lstrip("ASGH"))
    parents = [(0, 1), (0, cells - 2), (0, 4), (1, 3), (1, 6), (2, 5), (4, 2), (4, 0), (7, 1)]
    nodes = len(parents) + 1
    child, link = np.zeros((nodes, cells), np.int32), np.zeros((nodes, 2), np.int32)
    for new, (node, cell) in enumerate(parents, 1):
        child[node, cell], link[new] = new - node, (node * cells + cell, 1)
    data = random.normal(size=(nodes, cells, 3 * basis + 1))
    data[..., -1] *= 20
    content = {
        "data_dim": np.array(3 * basis + 1), "child": child.reshape(nodes, *[branches] * 3), "parent_depth": link,
        "n_internal": np.array(nodes), "n_free": np.array(0), "depth_limit": np.array(10),
        "invradius3": np.array([0.4, 0.3, 0.5], np.float32), "offset": np.array([0.4, 0.5, 0.6], np.float32),
        "geom_resize_fact": np.array(1.0), "data": data.astype(np.float16).reshape(nodes, *[branches] * 3, -1),
        "data_format": np.array(form),
    }  # fmt: skip
    if form.startswith("SG"):
        axes = random.normal(size=(basis, 3))
        axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
        content["extra_data"] = np.concatenate([random.uniform(0.5, 3, (basis, 1)), axes], 1).astype(np.float32)
    return content


def quantised(content: Content, retained: int) -> Content:
    """The same tree as volrend's compression writes it; here with every colour in the list, so that nothing is lost."""
    data = content["data"]
    small = {k: v for k, v in content.items() if k in ("data_dim", "child", "invradius3", "offset", "data_format")}
    colors = data[..., :-1].reshape(*data.shape[:-1], 3, -1)
    kept = [colors[..., j] for j in range(colors.shape[-1])]
    shape, lists, maps = data.shape[:-1], [], []
    for j, values in enumerate(kept[retained:]):
        order = rng(j).permutation(math.prod(shape))
        lists.append(np.zeros((50000, 3), np.float16))
        lists[-1][49999 - order] = values.reshape(-1, 3)
        maps.append((49999 - order).astype(np.uint16).reshape(shape))
    small |= {"quant_colors": np.stack(lists), "quant_map": np.stack(maps), "sigma": data[..., -1]}
    return small | ({"data_retained": np.stack(kept[:retained])} if retained else {})


def naive_plenoctree(content: Content, points: np.ndarray, directions: np.ndarray) -> Values:
    form, child, data = str(content["data_format"]), content["child"], content["data"].astype(np.float64)
    count, branches = (data.shape[-1] - 1) // 3, child.shape[1]
    sigma, rgb = np.zeros(len(points)), np.zeros((len(points), 3))
    for n, (point, direction) in enumerate(zip(points.astype(np.float64), directions.astype(np.float64), strict=True)):
        place = content["offset"].astype(np.float64) + content["invradius3"] * point
        if (place < 0).any() or (place > 1).any():
            continue
        node = 0
        while True:
            cell = np.floor(place * branches).astype(int)
            place = place * branches - cell
            step = child[(node, *cell)]
            if step == 0:
                break
            node += step
        leaf = data[(node, *cell)]
        sigma[n] = max(leaf[-1], 0)
        basis = np.ones(1)
        if form.startswith("SH"):
            basis = harmonics(direction, count)
        elif form.startswith("SG"):
            basis = np.array([math.exp(lobe[0] * (lobe[1:] @ direction - 1)) / count for lobe in content["extra_data"]])
        rgb[n] = sigmoid(np.array([(leaf[c * count : (c + 1) * count] * basis).sum() for c in range(3)]))
    return sigma, rgb


def octree_rays(content: Content) -> Values:
    """Points in and around the tree's box, more of them around its deepest node, and unit directions."""
    branches, corner, size = content["child"].shape[1], np.zeros(3), 1.0
    for cell in (1, 3, 2, 1):  # of the nodes 0, 1, 4 and 7
        size /= branches
        corner += size * np.array([cell // branches**2, cell // branches % branches, cell % branches])
    low, high = ((edge - content["offset"]) / content["invradius3"] for edge in (0, 1))
    points, directions = random_rays(low, high)
    zoom = float(branches) ** -rng(7).integers(0, 5, (100, 1))
    near = corner + size / 2 + zoom * rng(8).uniform(-1, 1, (100, 3))
    points[:100] = (near - content["offset"]) / content["invradius3"]
    return points, directions


@pytest.mark.parametrize("form", ["SH9", "SH4", "SH1", "SG5", "RGBA"])
@pytest.mark.parametrize("branches", [2, 3])
def test_plenoctrees_match_naive_ones(tmp_path: Path, form: str, branches: int) -> None:
    content = plenoctree(form, branches)
    path, rays = write_npz(tmp_path / "tree.npz", content), octree_rays(content)
    assert agree(loaded(path, *rays), naive_plenoctree(content, *rays))
    teacher = load_teacher(path)
    assert teacher.family == "PlenOctree" and teacher.coarse is teacher.fine and "--near" in teacher.scene.assumed[0]
    assert np.allclose(teacher.scene.bounds, [[-1, -5 / 3, -1.2], [1.5, 5 / 3, 0.8]], atol=1e-5)
    assert "5 deep" in teacher.fine.describe()["network"]


@pytest.mark.parametrize("retained", [0, 1, 4])
def test_quantised_plenoctrees_match_the_whole_one(tmp_path: Path, retained: int) -> None:
    content = plenoctree()
    path, rays = write_npz(tmp_path / "tree.npz", quantised(content, retained)), octree_rays(content)
    assert agree(loaded(path, *rays), naive_plenoctree(content, *rays))


def test_plenoctrees_of_the_first_releases_tell_less(tmp_path: Path) -> None:
    content = plenoctree() | {"invradius3": np.full(3, 0.4, np.float32)}
    old = {k: v for k, v in content.items() if k not in ("data_format", "invradius3", "n_free")}
    path, rays = write_npz(tmp_path / "tree.npz", old | {"invradius": np.array(0.4)}), octree_rays(content)
    assert agree(loaded(path, *rays), naive_plenoctree(content, *rays))


def test_colours_that_are_no_logits_are_left_alone(tmp_path: Path) -> None:
    content = plenoctree("RGBA")
    content["data"][..., :3] = rng(6).uniform(0, 1, content["data"][..., :3].shape)
    rays = octree_rays(content)
    logits = content["data"].astype(np.float64)
    logits[..., :3] = np.log(logits[..., :3].clip(1e-4, 0.9999) / (1 - logits[..., :3].clip(1e-4, 0.9999)))
    found = loaded(write_npz(tmp_path / "tree.npz", content), *rays)
    assert agree(found, naive_plenoctree({**content, "data": logits}, *rays))


def test_a_density_before_its_activation(tmp_path: Path) -> None:
    content = plenoctree()
    path, rays = write_npz(tmp_path / "tree.npz", content), octree_rays(content)
    relu, soft = (loaded(path, *rays, activation=name)[0] for name in ("relu", "shifted-softplus"))
    assert np.array_equal(loaded(path, *rays)[0], relu) and relu.min() == 0
    assert np.allclose(soft[relu > 0], np.logaddexp(0, relu[relu > 0] - 1), rtol=1e-4, atol=1e-6)
    assert 0 < soft[relu == 0].max() < np.logaddexp(0, -1)  # of densities below 0


def test_volrend_tells_forward_facing_trees_by_their_poses(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "fern.npz", plenoctree())
    np.save(tmp_path / "fern_poses_bounds.npy", np.zeros((20, 17)))
    scene = load_teacher(path).scene
    assert scene.space.name == "ndc" and not scene.space.field_views and (scene.near, scene.far) == (0, 1)


PLENOCTREE_MISTAKES: list[Callable[[Content], Content]] = [
    lambda c: {"child": c["child"].transpose(0, 3, 2, 1), "data": c["data"].transpose(0, 3, 2, 1, 4)},
    lambda c: {"offset": c["offset"][::-1]},
    lambda c: {"data": np.concatenate([c["data"][..., -1:], c["data"][..., :-1]], -1)},
    lambda c: {"data": np.concatenate([_interleaved(c["data"][..., :-1]), c["data"][..., -1:]], -1)},
]


def _interleaved(coefficients: np.ndarray) -> np.ndarray:
    return coefficients.reshape(*coefficients.shape[:-1], 3, 9).swapaxes(-1, -2).reshape(coefficients.shape)


@pytest.mark.parametrize("mistake", PLENOCTREE_MISTAKES)
def test_every_misreading_of_plenoctrees_would_be_seen(tmp_path: Path, mistake: Callable[[Content], Content]) -> None:
    content = plenoctree()
    found, rays = loaded(write_npz(tmp_path / "tree.npz", content), *octree_rays(content)), octree_rays(content)
    assert agree(found, naive_plenoctree(content, *rays))
    assert not agree(found, naive_plenoctree({**content, **mistake(content)}, *rays))


def _child(**cells: int) -> np.ndarray:
    """``child`` of the random tree with other links: ``n3=-2`` sets the fourth cell of node 3."""
    child = plenoctree()["child"].copy()
    for name, value in cells.items():
        child[int(name[1])].reshape(-1)[int(name[1:]) % 10 if len(name) > 2 else 0] = value
    return child


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("child", _child(n30=-3), ("child is no tree",)),  # a cycle through the root
        ("child", _child(n10=7, n11=7), ("child is no tree",)),  # a node with three parents
        ("child", _child(n30=50), ("node 53 of 10",)),
        ("child", _child(n30=-4), ("child leads to node", "of 10")),
        ("child", _child(n30=-(1 << 31)), ("child leads to node",)),
        ("child", np.zeros((10, 2, 2, 3), np.int32), ("child", "(10, 2, 2, 3)")),
        ("child", np.zeros((10, 2, 2, 2)), ("child", "whole numbers")),
        ("data", None, ("unknown family",)),
        ("data", np.zeros((9, 2, 2, 2, 28), np.float16), ("data", "(9, 2, 2, 2, 28)")),
        ("data", np.full((10, 2, 2, 2, 28), np.nan, np.float16), ("data", "NaN")),
        ("data_dim", np.array(49), ("28 numbers", "49")),
        ("data_dim", np.array("SH"), ("data_dim",)),
        ("data_format", np.array("SH16"), ("SH16", "9 coefficients")),
        ("data_format", np.array("ASG9"), ("ASG9",)),
        ("data_format", np.array("SH²"), ("data_format",)),
        ("data_format", np.array("SG9"), ("extra_data",)),
        ("offset", np.zeros(4), ("offset", "(4,)")),
        ("invradius3", np.array([1.0, 0, 1]), ("invradius", "positive")),
        ("invradius3", None, ("invradius", "missing")),
    ],
)
def test_broken_plenoctrees_are_refused_in_one_sentence(
    tmp_path: Path, member: str, value: Any, words: tuple[str, ...]
) -> None:
    content = plenoctree() | {member: value}
    if value is None:
        del content[member]
    refused(write_npz(tmp_path / "broken.npz", content), *words)


def test_a_chain_of_nodes_has_an_end(tmp_path: Path) -> None:
    content = plenoctree("RGBA") | {"child": np.zeros((40, 2, 2, 2), np.int32)}
    content["child"][:39, 0, 0, 0] = 1
    content["data"] = np.zeros((40, 2, 2, 2, 4), np.float16)
    refused(write_npz(tmp_path / "deep.npz", content), "at most 24 deep")


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("quant_map", np.full((9, 10, 2, 2, 2), 9, np.uint16), ("colour 9 of 9",)),
        ("quant_map", np.zeros((8, 10, 2, 2, 2), np.uint16), ("quant_map", "(8, 10, 2, 2, 2)")),
        ("sigma", np.zeros((10, 2, 2), np.float16), ("sigma", "(10, 2, 2)")),
        ("data_retained", np.zeros((1, 10, 2, 2, 2, 3), np.float16), ("31 numbers", "28")),
        ("quant_colors", np.full((9, 9, 3), np.nan, np.float16), ("quant_colors", "NaN")),
    ],
)
def test_broken_quantised_plenoctrees_are_refused(
    tmp_path: Path, member: str, value: Any, words: tuple[str, ...]
) -> None:
    content = quantised(plenoctree(), 0)
    content["quant_colors"] = content["quant_colors"][:, :9]
    content["quant_map"] = content["quant_map"] % 9
    refused(write_npz(tmp_path / "broken.npz", content | {member: value}), *words)


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize(
    "content", [plenoxels(), plenoctree(), quantised(plenoctree(), 1)], ids=["grid", "tree", "small"]
)
def test_a_hostile_npz_file_is_refused_and_never_run(tmp_path: Path, content: Content) -> None:
    trace, path = tmp_path / "trace", tmp_path / "evil.npz"
    np.savez(path, allow_pickle=True, **content, extra=np.array([Hostile(f"touch {trace}")], object))
    trace.unlink(missing_ok=True)
    refused(path, "refused unread")
    assert not trace.exists()


def damaged(value: Any) -> list[Any]:
    """``value`` spoiled in the ways in which a file can be: a part, another shape, another type, no numbers, NaN."""
    array = np.asarray(value)
    spoiled = [array[None], array.reshape(-1)[:1].copy(), np.zeros(0), np.array("x")]
    if array.dtype.kind != "U":
        spoiled += [np.full(array.shape, fill) for fill in (np.nan, np.inf, 1 << 20, -3, 0)]
        spoiled += [array.astype(kind) for kind in ("?", "f8", ">f4", ">i4", "u8", "c8")]
    return [*spoiled, np.moveaxis(array, 0, -1).copy() if array.ndim else array]


def answers_or_refuses(family: ModuleType, checkpoint: Checkpoint, rays: Values) -> None:
    try:
        field = family.load(checkpoint, Overrides())[0]
    except DuplexError as error:
        assert "\n" not in str(error)
        return
    sigma, latent = field.density(torch.from_numpy(rays[0]))
    rgb = field.color(latent, torch.from_numpy(rays[1]))
    assert not sigma.isnan().any() and not rgb.isnan().any()
    assert (sigma >= 0).all() and (rgb >= 0).all() and (rgb <= 1).all()


@pytest.mark.parametrize("form", ["grid", "SH9", "SG5", "small"])
def test_no_damaged_npz_file_is_more_than_a_sentence(tmp_path: Path, form: str) -> None:
    content = {"grid": plenoxels, "small": lambda: quantised(plenoctree(), 1)}.get(form, lambda: plenoctree(form))()
    rays, family = random_rays([-1] * 3, [1] * 3, 20), plenoxels_family if form == "grid" else plenoctree_family
    for member in content:
        for value in damaged(content[member]):
            checkpoint = Checkpoint(tmp_path / "damaged.npz", "npz", content | {member: value})
            answers_or_refuses(family, checkpoint, rays)


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
                checkpoint = Checkpoint(tmp_path / "damaged.tar", "torch", content)
                answers_or_refuses(dvgo_family, checkpoint, rays)


def test_all_that_a_field_computes_with_moves_to_the_device(tmp_path: Path) -> None:
    for path in (
        write_dvgo(tmp_path / "a.tar", dvgo()),
        write_npz(tmp_path / "b.npz", plenoxels()),
        write_npz(tmp_path / "c.npz", quantised(plenoctree(), 1)),
    ):
        teacher = load_teacher(path, torch.device("meta"))
        tensors = [*teacher.fine.parameters(), *teacher.fine.buffers()]
        assert tensors and all(tensor.is_meta for tensor in tensors)
        assert not any(isinstance(v, torch.Tensor) for m in teacher.fine.modules() for v in m.__dict__.values())
        assert all(teacher.fine.describe().values())
