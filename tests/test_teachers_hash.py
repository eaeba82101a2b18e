"""nerfstudio's and instant-ngp's files, written as those programs write them, against slow references.

The references follow the formulas of the original sources point by point and in numpy, and share nothing with the
loaders: they are what a loader must not differ from.
"""

import gzip
import itertools
import json
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hostile import Hostile, refused
from torch import Tensor

from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides
from duplex.baking.fields.spaces import Contracted, World

Array = np.ndarray


def random_points(n: int, reach: float, seed: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    points = (torch.rand(n, 3, generator=generator) * 2 - 1) * reach
    return points, F.normalize(torch.randn(n, 3, generator=generator), dim=-1)


def harmonics(d: Array) -> list[float]:
    """Degrees 0 to 3 by their textbook polynomials, all signs positive, for one vector, unit or not."""
    x, y, z = (float(v) for v in d)
    pi = math.pi
    return [
        math.sqrt(1 / pi) / 2,
        math.sqrt(3 / (4 * pi)) * y,
        math.sqrt(3 / (4 * pi)) * z,
        math.sqrt(3 / (4 * pi)) * x,
        math.sqrt(15 / pi) / 2 * x * y,
        math.sqrt(15 / pi) / 2 * y * z,
        math.sqrt(5 / pi) / 4 * (3 * z * z - 1),
        math.sqrt(15 / pi) / 2 * x * z,
        math.sqrt(15 / pi) / 4 * (x * x - y * y),
        math.sqrt(35 / (2 * pi)) / 4 * y * (3 * x * x - y * y),
        math.sqrt(105 / pi) / 2 * x * y * z,
        math.sqrt(21 / (2 * pi)) / 4 * y * (5 * z * z - 1),
        math.sqrt(7 / pi) / 4 * z * (5 * z * z - 3),
        math.sqrt(21 / (2 * pi)) / 4 * x * (5 * z * z - 1),
        math.sqrt(105 / pi) / 4 * z * (x * x - y * y),
        math.sqrt(35 / (2 * pi)) / 4 * x * (x * x - 3 * y * y),
    ]


def hashed(cell: tuple[int, ...], entries: int) -> int:
    """Equation 4 of the paper in 32 bits."""
    value = 0
    for coordinate, prime in zip(cell, (1, 2654435761, 805459861), strict=True):
        value ^= coordinate * prime & 0xFFFFFFFF
    return value % entries


def interpolated(place: Array, entry: Callable[[tuple[int, ...]], Array], smooth: bool = False) -> Array:
    low = np.floor(place)
    share = place - low
    if smooth:
        share = share**2 * (3 - 2 * share)
    total: Any = 0.0
    for corner in itertools.product((0, 1), repeat=3):
        weight = math.prod(share[i] if bit else 1 - share[i] for i, bit in enumerate(corner))
        total = total + weight * entry(tuple(int(low[i]) + bit for i, bit in enumerate(corner)))
    return np.asarray(total)


def chain(x: Array, layers: list[tuple[Array, Array | float]]) -> Array:
    for i, (weight, bias) in enumerate(layers):
        x = weight @ x + bias
        if i + 1 < len(layers):
            x = np.maximum(x, 0)
    return x


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def random_state(shapes: dict[str, tuple[int, int]], seed: int = 2) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, (outputs, inputs) in shapes.items():
        state[f"{name}.weight"] = torch.randn(outputs, inputs, generator=generator) / inputs**0.5
        state[f"{name}.bias"] = torch.randn(outputs, generator=generator) * 0.1
    return state


def save_run(folder: Path, model: dict[str, Tensor], config: str | None, prefix: str = "_model.") -> Path:
    """A run as nerfstudio's trainer leaves it; returns the checkpoint's file."""
    place = folder / "nerfstudio_models"
    place.mkdir(parents=True, exist_ok=True)
    pipeline = {
        "datamanager.train_camera_optimizer.pose_adjustment": torch.zeros(3, 6),
        f"{prefix}device_indicator_param": torch.zeros(0),
        f"{prefix}camera_optimizer.pose_adjustment": torch.full((3, 6), 0.01),
        f"{prefix}lpips.net.lin0.model.1.weight": torch.ones(1, 8, 1, 1),
        **{f"{prefix}{name}": value for name, value in model.items()},
    }
    content = {
        "step": 29999,
        "pipeline": pipeline,
        "optimizers": {
            "fields": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": np.float64(0.01)}]}
        },
        "schedulers": {"fields": {"base_lrs": [0.01], "_last_lr": [np.float64(1e-4)], "lr_lambdas": [None]}},
        "scalers": {"scale": 65536.0, "growth_factor": 2.0},
    }
    torch.save(content, place / "step-000029999.ckpt")
    if config is not None:
        (folder / "config.yml").write_text(config)
    return place / "step-000029999.ckpt"


def config_text(method: str, options: str) -> str:
    """A configuration with the tags of the objects that nerfstudio pickles into it."""
    return f"""!!python/object:nerfstudio.engine.trainer.TrainerConfig
_target: &id001 !!python/name:nerfstudio.engine.trainer.Trainer ''
data: &id002 !!python/object/apply:pathlib.PosixPath
- data
- scene
method_name: {method}
optimizers:
  fields:
    optimizer: !!python/object:nerfstudio.engine.optimizers.AdamOptimizerConfig
      lr: 0.01
      betas: !!python/tuple
      - 0.9
      - 0.999
pipeline: !!python/object:nerfstudio.pipelines.base_pipeline.VanillaPipelineConfig
  datamanager: !!python/object:nerfstudio.data.datamanagers.base_datamanager.VanillaDataManagerConfig
    data: *id002
  model: !!python/object:nerfstudio.models.x.ModelConfig
    _target: *id001
    loss_coefficients: {{rgb_loss_coarse: 1.0}}
{options}
"""


# --- vanilla-nerf ---------------------------------------------------------------------------------------------------

VANILLA = {f"mlp_base.layers.{i}": (16, 63 if i == 0 else 79 if i == 4 else 16) for i in range(8)} | {
    "field_output_density.net": (1, 16),
    "mlp_head.layers.0": (12, 27 + 16),
    "mlp_head.layers.1": (12, 12),
    "field_heads.0.net": (3, 12),
}


def vanilla_state() -> dict[str, Tensor]:
    coarse, fine = random_state(VANILLA, 3), random_state(VANILLA, 4)
    return {f"field_coarse.{k}": v for k, v in coarse.items()} | {f"field_fine.{k}": v for k, v in fine.items()}


def vanilla_encoding(x: Array, count: int, highest: float, order: str) -> Array:
    frequencies = [2 ** (highest * i / (count - 1)) for i in range(count)]
    pairs = {
        "original": [(c, f) for c in x for f in frequencies],
        "by frequency": [(c, f) for f in frequencies for c in x],
    }[order]
    angles = np.array([2 * math.pi * c * f for c, f in pairs])
    return np.concatenate([np.sin(angles), np.sin(angles + math.pi / 2), x])


def vanilla_reference(state: dict[str, Tensor], p: Array, d: Array, change: str = "") -> tuple[float, Array]:
    """Density and colour at one point, as NeRFField has them; ``change``: what is done wrongly."""

    def layer(name: str, x: Array) -> Array:
        return state[f"{name}.weight"].double().numpy() @ x + state[f"{name}.bias"].double().numpy()

    order = "by frequency" if change == "encoding" else "original"
    e = vanilla_encoding(p, 10, 8.0, order)
    h = e
    for i in range(8):
        if i == 4:
            h = np.concatenate([h, e] if change == "skip" else [e, h])
        h = layer(f"mlp_base.layers.{i}", h)
        if not (i == 7 and change == "last relu"):
            h = np.maximum(h, 0)
    raw = layer("field_output_density.net", h)[0]
    sigma = max(raw, 0) if change == "density" else math.log1p(math.exp(raw))
    v = vanilla_encoding(d, 4, 4.0, order)
    y = np.concatenate([h, v] if change == "views" else [v, h])
    for name in ("mlp_head.layers.0", "mlp_head.layers.1"):
        y = np.maximum(layer(name, y), 0)
    return sigma, sigmoid(layer("field_heads.0.net", y))


VANILLA_OPTIONS = """    background_color: white
    collider_params: {near_plane: 1.5, far_plane: 7.0}
    num_coarse_samples: 48
    num_importance_samples: 96"""


def test_vanilla_nerf_matches_the_naive_field(tmp_path: Path) -> None:
    state = vanilla_state()
    save_run(tmp_path, state, config_text("vanilla-nerf", VANILLA_OPTIONS))
    (tmp_path / "dataparser_transforms.json").write_text(
        json.dumps({"transform": [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3]], "scale": 0.5})
    )
    teacher = load_teacher(tmp_path)
    points, directions = random_points(40, 1.5)
    for field, prefix in ((teacher.coarse, "field_coarse."), (teacher.fine, "field_fine.")):
        weights = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        sigma, latent = field.density(points)
        color = field.color(latent, directions)
        for i, (p, d) in enumerate(zip(points.double().numpy(), directions.double().numpy(), strict=True)):
            expected, rgb = vanilla_reference(weights, p, d)
            assert abs(float(sigma[i]) - expected) < 2e-3  # sine of 1600 in float32
            assert np.abs(color[i].numpy() - rgb).max() < 2e-3
    scene = teacher.scene
    assert (scene.near, scene.far, scene.background) == (1.5, 7.0, (1, 1, 1))
    assert (scene.coarse_samples, scene.fine_samples, scene.principal_shift) == (48, 96, 0)
    assert scene.dataset_to_world == (0, -0.5, 0, 0.5, 0.5, 0, 0, 1, 0, 0, 0.5, 1.5, 0, 0, 0, 1)
    assert scene.assumed == () and teacher.family == "nerfstudio vanilla-nerf"


@pytest.mark.parametrize("change", ["encoding", "skip", "last relu", "density", "views"])
def test_a_wrongly_read_vanilla_nerf_would_be_seen(change: str) -> None:
    state = {k.removeprefix("field_fine."): v for k, v in vanilla_state().items() if k.startswith("field_fine.")}
    points, directions = random_points(40, 1.5)
    worst = 0.0
    for p, d in zip(points.double().numpy(), directions.double().numpy(), strict=True):
        sigma, rgb = vanilla_reference(state, p, d)
        other, bgr = vanilla_reference(state, p, d, change)
        worst = max(worst, abs(sigma - other), float(np.abs(rgb - bgr).max()))
    assert worst > 0.05


def test_vanilla_nerf_without_its_siblings_names_what_is_assumed(tmp_path: Path) -> None:
    teacher = load_teacher(save_run(tmp_path, vanilla_state(), None, "module._model."))
    assert (teacher.scene.near, teacher.scene.far, teacher.scene.dataset_to_world) == (2, 6, None)
    assert "no config.yml" in teacher.scene.assumed[0] and "dataparser_transforms.json" in teacher.scene.assumed[1]


def test_overrides_reach_vanilla_nerf(tmp_path: Path) -> None:
    file = save_run(tmp_path, vanilla_state(), config_text("vanilla-nerf", VANILLA_OPTIONS))
    points, _ = random_points(40, 1.5)
    plain = load_teacher(file).fine.density(points)[0]
    other = load_teacher(file, overrides=Overrides(activation="relu")).fine.density(points)[0]
    assert torch.allclose(other, torch.log(torch.expm1(plain)).clamp(min=0), atol=1e-4)
    assert not torch.allclose(plain, load_teacher(file, overrides=Overrides(encoding="dtf")).fine.density(points)[0])


# --- nerfacto -------------------------------------------------------------------------------------------------------

LEVELS, LOG2, COARSEST, FINEST, FEATURES, GEOMETRY, APPEARANCE = 4, 9, 5, 40, 2, 6, 5
LAYOUTS = [
    ("mlp_base.model.0.hash_table", "mlp_base.model.1"),
    ("mlp_base_grid.hash_table", "mlp_base_mlp"),
    ("mlp_base.0.hash_table", "mlp_base.1"),
]


def nerfacto_state(layout: tuple[str, str] = LAYOUTS[0], appearance: int = APPEARANCE) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    shapes = {
        f"{layout[1]}.layers.0": (16, LEVELS * FEATURES),
        f"{layout[1]}.layers.1": (1 + GEOMETRY, 16),
        "mlp_head.layers.0": (12, 16 + GEOMETRY + appearance),
        "mlp_head.layers.1": (12, 12),
        "mlp_head.layers.2": (3, 12),
    }
    state = random_state(shapes) | {
        layout[0]: torch.randn(LEVELS << LOG2, FEATURES, generator=generator),
        "aabb": torch.tensor([[-1.0, -1.5, -1.0], [1.0, 1.25, 2.0]]),
        "max_res": torch.tensor(FINEST),
        "num_levels": torch.tensor(LEVELS),
        "log2_hashmap_size": torch.tensor(LOG2),
    }
    if appearance:
        state["embedding_appearance.embedding.weight"] = torch.randn(7, appearance, generator=generator) + 1
    proposal = {"proposal_networks.0.mlp_base.0.hash_table": torch.zeros(8, 2)}
    return {f"field.{name}": value for name, value in state.items()} | proposal


def nerfacto_reference(
    state: dict[str, Tensor], p: Array, d: Array, options: dict[str, Any], change: str = ""
) -> tuple[float, Array]:
    """Density and colour at one point of the world, as NerfactoField has them in evaluation."""
    layout = options.get("layout", LAYOUTS[0])
    if options.get("contracted", True):
        size = np.abs(p).max()
        x = ((p if size < 1 else (2 - 1 / size) * p / size) + 2) / 4
    else:
        low, high = state["field.aabb"].double().numpy()
        x = (p - low) / (high - low)
    if not ((x > 0) & (x < 1)).all():
        return 0.0, np.zeros(0)
    table = state[f"field.{layout[0]}"].double().numpy()
    coarsest = options.get("coarsest", COARSEST)
    growth = math.exp((math.log(FINEST) - math.log(coarsest)) / (LEVELS - 1))
    features = []
    for level in range(LEVELS):
        scale = math.floor(coarsest * growth**level + 1e-6)
        shift = 0.5 if change == "shift" else 0.0

        def entry(cell: tuple[int, ...], level: int = level) -> Array:
            cell = cell[::-1] if change == "axes" else cell
            return np.asarray(table[(level << LOG2) + hashed(cell, 1 << LOG2)])

        features.append(interpolated(x * scale + shift, entry))

    def layers(name: str, count: int) -> list[tuple[Array, Array | float]]:
        keys = [f"field.{name}.layers.{i}" for i in range(count)]
        return [(state[f"{k}.weight"].double().numpy(), state[f"{k}.bias"].double().numpy()) for k in keys]

    base = chain(np.concatenate(features), layers(layout[1], 2))
    sigma = options.get("gain", 1.0) * math.exp(base[0])
    sh = np.array(harmonics(d if change == "directions" else (d + 1) / 2))
    if change == "phase":
        sh[1::2] *= -1
    weight = state["field.embedding_appearance.embedding.weight"].double().numpy()
    appearance = weight.mean(0) if options.get("average", True) != (change == "appearance") else np.zeros(APPEARANCE)
    head = [sh, base[:-1], appearance] if change == "geometry" else [sh, base[1:], appearance]
    return sigma, sigmoid(chain(np.concatenate(head), layers("mlp_head", 3)))


def nerfacto_options(**options: Any) -> str:
    return "\n".join(f"    {key}: {json.dumps(value)}" for key, value in {"base_res": COARSEST, **options}.items())


@pytest.mark.parametrize(
    ("layout", "options"),
    [
        (LAYOUTS[0], {"average_init_density": 0.25, "near_plane": 0.1, "far_plane": 500.0}),
        (LAYOUTS[1], {"use_average_appearance_embedding": False, "background_color": "white"}),
        (LAYOUTS[2], {"disable_scene_contraction": True}),
    ],
)
def test_nerfacto_matches_the_naive_field(tmp_path: Path, layout: tuple[str, str], options: dict[str, Any]) -> None:
    state = nerfacto_state(layout)
    teacher = load_teacher(save_run(tmp_path, state, config_text("nerfacto", nerfacto_options(**options))))
    contracted = not options.get("disable_scene_contraction", False)
    points, directions = random_points(60, 3.0 if contracted else 2.0)
    sigma, latent = teacher.fine.density(teacher.scene.space.warp(points))
    color = teacher.fine.color(latent, directions)
    known = {
        "layout": layout,
        "contracted": contracted,
        "gain": options.get("average_init_density", 1.0),
        "average": options.get("use_average_appearance_embedding", True),
    }
    empty = 0
    for i, (p, d) in enumerate(zip(points.double().numpy(), directions.double().numpy(), strict=True)):
        expected, rgb = nerfacto_reference(state, p, d, known)
        assert abs(float(sigma[i]) - expected) <= 1e-3 * expected
        if expected:
            assert np.abs(color[i].numpy() - rgb).max() < 1e-4
        empty += not expected
    assert teacher.coarse is teacher.fine
    assert (empty > 0) == (not contracted)
    if contracted:
        assert isinstance(teacher.scene.space, Contracted) and teacher.scene.bounds is None
    else:
        assert type(teacher.scene.space) is World and teacher.scene.bounds == ((-1, -1.5, -1), (1, 1.25, 2))
        assert teacher.scene.far < 20
    if "near_plane" in options:
        assert (teacher.scene.near, teacher.scene.far) == (0.1, 500)
    white = options.get("background_color") == "white"
    assert teacher.scene.background == ((1, 1, 1) if white else (0, 0, 0))
    assert white or any("--background" in text for text in teacher.scene.assumed)


@pytest.mark.parametrize(
    ("layout", "more", "gain", "average"),
    [
        (LAYOUTS[0], {}, 0.01, True),
        (LAYOUTS[1], {}, 1.0, True),
        (LAYOUTS[0], {"occupancy_grid.aabbs": torch.zeros(4, 6)}, 1.0, False),  # nerfstudio's own instant-ngp
    ],
)
def test_nerfacto_without_a_configuration(
    tmp_path: Path, layout: tuple[str, str], more: dict[str, Tensor], gain: float, average: bool
) -> None:
    known = {"layout": layout, "gain": gain, "average": average, "coarsest": 16}
    state = nerfacto_state(layout) | more
    teacher = load_teacher(save_run(tmp_path, state, None))
    points, directions = random_points(10, 0.9)
    sigma, latent = teacher.fine.density(points)
    color = teacher.fine.color(latent, directions)
    for i, (p, d) in enumerate(zip(points.double().numpy(), directions.double().numpy(), strict=True)):
        expected, rgb = nerfacto_reference(state, p, d, known)
        assert abs(float(sigma[i]) - expected) <= 1e-3 * expected
        assert np.abs(color[i].numpy() - rgb).max() < 1e-4
    assert any("no config.yml" in text and "--near" in text for text in teacher.scene.assumed)


@pytest.mark.parametrize("change", ["shift", "axes", "directions", "phase", "appearance", "geometry"])
def test_a_wrongly_read_nerfacto_would_be_seen(change: str) -> None:
    state = nerfacto_state()
    points, directions = random_points(30, 3.0)
    worst = 0.0
    for p, d in zip(points.double().numpy(), directions.double().numpy(), strict=True):
        sigma, rgb = nerfacto_reference(state, p, d, {})
        other, bgr = nerfacto_reference(state, p, d, {}, change)
        worst = max(worst, abs(sigma - other), float(np.abs(rgb - bgr).max()))
    assert worst > 0.05


def test_the_space_of_nerfacto_can_be_overridden(tmp_path: Path) -> None:
    file = save_run(tmp_path, nerfacto_state(), config_text("nerfacto", nerfacto_options()))
    teacher = load_teacher(file, overrides=Overrides(space="world"))
    points, _ = random_points(60, 2.0)
    sigma = teacher.fine.density(points)[0]
    inside = ((points > torch.tensor([-1, -1.5, -1])) & (points < torch.tensor([1, 1.25, 2]))).all(-1)
    assert type(teacher.scene.space) is World and bool(((sigma > 0) == inside).all())


def test_levels_of_a_full_nerfacto() -> None:
    from duplex.baking.fields.hash_grid import nerfstudio_levels

    levels = nerfstudio_levels(16, 16, 2048, 19)
    assert [level.scale for level in levels[:5]] == [16, 22, 30, 42, 58]
    assert levels[-1].scale in (2047, 2048)  # the logarithm's rounding decides, there as here
    assert [level.start for level in levels[:2]] == [0, 1 << 19]


def test_nerfacto_of_tiny_cuda_nn_and_other_methods_are_refused(tmp_path: Path) -> None:
    flat = {"field.mlp_base.model.params": torch.zeros(64), "field.mlp_head.tcnn_encoding.params": torch.zeros(64)}
    refused(
        save_run(tmp_path / "a", flat, config_text("nerfacto", nerfacto_options())),
        "tiny-cuda-nn",
        "--pipeline.model.implementation torch",
        "method nerfacto",
    )
    refused(save_run(tmp_path / "b", {"gauss_params.means": torch.zeros(3, 3)}, None), "without the hash grid")
    refused(save_run(tmp_path / "c", vanilla_state() | {"temporal_distortion.x": torch.zeros(1)}, None), "moves")


def test_damaged_nerfstudio_runs_are_refused(tmp_path: Path) -> None:
    good = nerfacto_state()
    table = "field.mlp_base.model.0.hash_table"
    nan = good[table].clone()
    nan[3, 1] = torch.nan
    changes: list[tuple[dict[str, Any], tuple[str, ...]]] = [
        ({table: nan}, ("NaN", "hash_table")),
        ({table: good[table][:-8]}, ("hash grid", "damaged")),
        ({table: good[table].flatten()}, ("hash grid", "damaged")),
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
    refused(save_run(tmp_path / "text", good | {"field.aabb": "box"}, None), "state dict")  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1, 2", ("config.yml", "not a nerfstudio configuration")),
        ("pipeline: 3", ("config.yml", "TypeError")),
        ("pipeline: {model: [1]}", ("config.yml", "no mapping")),
        (config_text("nerfacto", "    near_plane: close"), ("near_plane", "close")),
        (config_text("nerfacto", "    far_plane: .inf"), ("far_plane", "expected a number")),
        (config_text("nerfacto", f"    far_plane: 0x{'f' * 5000}"), ("far_plane", "expected a number")),
        (config_text("nerfacto", "    near_plane: 5\n    far_plane: 2"), ("near 5 and far 2",)),
        (config_text("nerfacto", "    disable_scene_contraction: 7"), ("true or false",)),
        (config_text("nerfacto", "    base_res: 0.5"), ("base_res",)),
        (config_text("nerfacto", "    average_init_density: -1"), ("average_init_density",)),
        ("a: &a [*a]", ("config.yml",)),
        ("{" * 900, ("config.yml", "RecursionError")),
        ("{" * 900_000, ("config.yml", "brackets")),
        ("- " * 20_000, ("config.yml", "RecursionError")),
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


# --- instant-ngp ----------------------------------------------------------------------------------------------------


def snapshot(**change: Any) -> dict[str, Any]:
    """A snapshot with small networks, weights random; ``change``: members of ``extra`` are put into the snapshot."""
    levels, features, log2 = change.get("levels", 4), change.get("features", 2), change.get("log2", 8)
    coarsest, growth, aabb_scale = change.get("coarsest", 4), change.get("growth", 1.5), change.get("aabb_scale", 2)
    encoding = {
        "otype": "HashGrid",
        "n_levels": levels,
        "n_features_per_level": features,
        "log2_hashmap_size": log2,
        "base_resolution": coarsest,
    }
    if growth:
        encoding["per_level_scale"] = growth
    if change.get("smooth"):
        encoding["interpolation"] = "Smoothstep"
    network = {"otype": "FullyFusedMLP", "activation": "ReLU", "output_activation": "None", "n_neurons": 16}
    shapes = [(16, -(-levels * features // 16) * 16), (16, 16), (16, 32), (16, 16), (change.get("outputs", 16), 16)]
    entries = sum(size for _, _, size in grid_levels(encoding, aabb_scale))
    rng = np.random.default_rng(6)
    parts = [rng.normal(size=s[0] * s[1]) / s[1] ** 0.5 for s in shapes] + [rng.normal(size=entries * features)]
    params = np.concatenate(parts).astype("<f4" if change.get("wide") else "<f2")
    dataset = {
        "n_images": 2,
        "paths": ["a.png", "b.png"],
        "metadata": [{"lens": {}, "resolution": [8, 8]}] * 2,
        "xforms": [
            {"start": [[1, 0, 0, 0.5], [0, 1, 0, 0.5], [0, 0, 1, x]], "end": [[1, 0, 0, 9], [0, 1, 0, 9], [0, 0, 1, 9]]}
            for x in (3.5, -5.5)
        ],
        "render_aabb": {"min": [math.inf] * 3, "max": [-math.inf] * 3},
        "up": [0.0, 1.0, 0.0],
        "scale": 0.25,
        "offset": [0.5, 0.25, 0.125],
        "aabb_scale": aabb_scale,
        "from_mitsuba": change.get("mitsuba", False),
        "is_hdr": change.get("hdr", False),
        "n_extra_learnable_dims": 0,
    }
    state = {
        "n_params": len(params),
        "params_type": "float" if change.get("wide") else "__half",
        "params_binary": params.tobytes(),
        "optimizer": {"step": 3, "nested": {"first_moments_binary": bytes(64)}},
        "version": 1,
        "mode": "nerf",
        "density_grid_size": 128,
        "density_grid_binary": b"",
        "nerf": {"aabb_scale": aabb_scale, "dataset": dataset, "cam_pos_offset": [], "rgb": {"rays_per_batch": 4096}},
        "training_step": 35000,
        "loss": 0.001,
        "aabb": {"min": [0.5 - 0.5 * aabb_scale] * 3, "max": [0.5 + 0.5 * aabb_scale] * 3},
        "render_aabb": {"min": [0.5 - 0.5 * aabb_scale] * 3, "max": [0.5 + 0.5 * aabb_scale] * 3},
        "render_aabb_to_local": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        "up_dir": [0.0, 1.0, 0.0],
        "background_color": [1.0, 0.5, 0.0, 0.5],
        "camera": {"matrix": [[1, 0, 0, 0]] * 3, "zoom": 1.0},
    }
    direction = {"otype": "SphericalHarmonics", "degree": 4, "n_dims_to_encode": 3}
    return {
        "loss": {"otype": "Huber"},
        "encoding": encoding,
        "network": network | {"n_hidden_layers": 1},
        "dir_encoding": {"otype": "Composite", "nested": [direction, {"otype": "Identity"}]},
        "rgb_network": network | {"n_hidden_layers": 2, "otype": change.get("rgb", "FullyFusedMLP")},
        "snapshot": state | change.get("extra", {}),
    }


def grid_levels(encoding: dict[str, Any], aabb_scale: int) -> list[tuple[float, int, int]]:
    """Scale, side and entries of each level, as GridEncoding's constructor has them."""
    count, coarsest = encoding["n_levels"], encoding["base_resolution"]
    growth = encoding.get("per_level_scale", 0) or math.exp(math.log(2048 * aabb_scale / coarsest) / (count - 1))
    levels = []
    for level in range(count):
        scale = 2 ** (level * math.log2(growth)) * coarsest - 1
        side = math.ceil(scale - 1e-4) + 1
        levels.append((scale, side, min((side**3 + 7) // 8 * 8, 1 << encoding["log2_hashmap_size"])))
    return levels


def save_snapshot(folder: Path, content: dict[str, Any], name: str = "base.msgpack") -> Path:
    data = msgpack.packb(content, use_single_float=True)
    if name.endswith(".ingp"):
        data = gzip.compress(data)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def decoded(i: int) -> tuple[int, int, int]:
    """Coordinates of cell ``i`` of a grid in Morton order."""
    x, y, z = (sum((i >> 3 * bit + axis & 1) << bit for bit in range(7)) for axis in range(3))
    return x, y, z


def is_matter(cascade: Array, x: Array, y: Array, z: Array) -> Array:
    """Which cells the tests' density grids mark: no two axes alike, nor two cascades."""
    return (x // 4 % 3 != 0) & (y // 8 % 3 != 1) & ((z + 20 * cascade) // 16 % 4 != 2)


def density_grid(cascades: int) -> bytes:
    """A density grid as instant-ngp saves it: cells never seen are negative, the threshold is 0.01."""
    cells = np.array([decoded(i) for i in range(512)])  # the low 9 bits; the others likewise, three bits further
    low, high = cells[np.arange(1 << 21) & 511], cells[np.arange(1 << 21) >> 9 & 511]
    x, y, z = (low + 8 * high + 64 * np.array([decoded(i) for i in range(8)])[np.arange(1 << 21) >> 18]).T
    grids = [np.where(is_matter(np.array(c), x, y, z), 0.5, np.where(x % 2, 0.009, -1.0)) for c in range(cascades)]
    return np.concatenate(grids).astype("<f2").tobytes()


def occupied(q: Array, cascades: int) -> bool:
    """Whether instant-ngp looks for matter at a point of its own frame."""
    cascade = 0
    while np.abs(q - 0.5).max() >= 0.5 * 2**cascade and cascade < cascades - 1:
        cascade += 1
    cell = np.floor(((q - 0.5) / 2**cascade + 0.5) * 128).astype(int)
    return bool(is_matter(np.array(cascade), *cell))


def ngp_reference(
    content: dict[str, Any], p: Array, d: Array, outputs: int = 16, change: str = ""
) -> tuple[float, Array]:
    """Density per world unit and colour at one point of the world, as NerfNetwork and its renderer have them."""
    state, encoding = content["snapshot"], content["encoding"]
    dataset, aabb_scale = state["nerf"]["dataset"], state["nerf"]["aabb_scale"]
    q, v = p * dataset["scale"] + np.array(dataset["offset"]), d
    if dataset["from_mitsuba"] == (change == "axes"):
        q, v = q[[1, 2, 0]], d[[1, 2, 0]]
    crop = state["render_aabb"]
    if not ((q >= crop["min"]) & (q <= crop["max"])).all():
        return 0.0, np.zeros(0)
    if state["density_grid_binary"] and not occupied(q, aabb_scale.bit_length()):
        return 0.0, np.zeros(0)
    x = (q - (0.5 - 0.5 * aabb_scale)) / aabb_scale

    params = np.frombuffer(state["params_binary"], "<f4" if state["params_type"] == "float" else "<f2").astype(float)
    levels, features = grid_levels(encoding, aabb_scale), encoding["n_features_per_level"]
    inputs = -(-len(levels) * features // 16) * 16
    matrices = []
    for rows, columns in [(16, inputs), (16, 16), (16, 32), (16, 16), (outputs, 16)]:
        block, params = params[: rows * columns], params[rows * columns :]
        matrices.append(block.reshape(columns, rows).T if change == "transposed" else block.reshape(rows, columns))
    table = params.reshape(-1, features)

    encoded: list[float] = []
    for scale, side, size in levels:

        def entry(cell: tuple[int, ...], side: int = side, size: int = size, table: Array = table) -> Array:
            place = cell[0] + cell[1] * side + cell[2] * side**2 if side**3 <= size else hashed(cell, size)
            return np.asarray(table[place % size])

        shift = 0.0 if change == "shift" else 0.5
        encoded += list(interpolated(x * scale + shift, entry, encoding.get("interpolation") == "Smoothstep"))
        table = table[size:]
    encoded += [0.0] * (inputs - len(encoded))
    h = chain(np.array(encoded), [(matrices[0], 0.0), (matrices[1], 0.0)])
    sh = np.array(harmonics(v))
    if change != "phase":
        sh[1::2] *= -1
    y = np.concatenate([sh, h] if change == "order" else [h, sh])
    raw = chain(y, [(matrix, 0.0) for matrix in matrices[2:]])[:3]
    rgb = np.minimum(np.exp(raw), 1) if dataset["is_hdr"] else sigmoid(raw)
    return math.exp(h[0]) * (1.0 if change == "scale" else dataset["scale"]), rgb


CASES: dict[str, dict[str, Any]] = {
    "older, 16 levels of 2 features": {"levels": 9},
    "newer, levels of 4 features, growth found by itself": {"levels": 8, "features": 4, "growth": 0.0},
    "float32, one cube": {"wide": True, "aabb_scale": 1, "log2": 10},
    "smooth, Mitsuba": {"smooth": True, "mitsuba": True},
    "HDR, older CUTLASS": {"hdr": True, "rgb": "CutlassMLP", "outputs": 8},
}


@pytest.mark.parametrize("case", CASES)
def test_instant_ngp_matches_the_naive_field(tmp_path: Path, case: str) -> None:
    content = snapshot(**CASES[case])
    file = save_snapshot(tmp_path, content, "base.ingp" if "newer" in case else "base.msgpack")
    teacher = load_teacher(file)
    points, directions = random_points(60, 6.0)
    sigma, latent = teacher.fine.density(points)
    color = teacher.fine.color(latent, directions)
    empty, fine = 0, "newer" in case
    for i, (p, d) in enumerate(zip(points.double().numpy(), directions.double().numpy(), strict=True)):
        expected, rgb = ngp_reference(content, p, d, CASES[case].get("outputs", 16))
        assert (
            abs(float(sigma[i]) - expected) <= (2e-2 if fine else 1e-3) * expected
        )  # float32 on a level of 4096 cells
        if expected:
            assert np.abs(color[i].numpy() - rgb).max() < (1e-2 if fine else 1e-4)
        empty += not expected
    assert 0 < empty < 60 and teacher.coarse is teacher.fine and teacher.family == "instant-ngp"


@pytest.mark.parametrize("change", ["axes", "transposed", "shift", "phase", "order", "scale"])
def test_a_wrongly_read_instant_ngp_would_be_seen(change: str) -> None:
    content = snapshot()
    points, directions = random_points(30, 1.5)
    worst = 0.0
    for p, d in zip(points.double().numpy(), directions.double().numpy(), strict=True):
        sigma, rgb = ngp_reference(content, p, d)
        other, bgr = ngp_reference(content, p, d, change=change)
        worst = max(worst, abs(sigma - other) / max(sigma, other, 1e-9))
        worst = max(worst, float(np.abs(rgb - bgr).max()) if len(rgb) and len(bgr) else 0.0)
    assert worst > 0.05


def test_the_density_grid_of_instant_ngp_is_a_mask(tmp_path: Path) -> None:
    content = snapshot(extra={"density_grid_binary": density_grid(2)})
    teacher = load_teacher(save_snapshot(tmp_path, content))
    points, _ = random_points(300, 5.0)
    sigma = teacher.fine.density(points)[0]
    expected = [ngp_reference(content, p, np.ones(3))[0] for p in points.double().numpy()]
    seen = np.array(expected) > 0
    assert bool(((sigma.numpy() > 0) == seen).all()) and 30 < seen.sum() < 270
    assert np.allclose(sigma.numpy(), expected, rtol=1e-3)
    assert "%" in teacher.fine.describe()["occupied"]


def test_the_scene_of_an_instant_ngp_snapshot(tmp_path: Path) -> None:
    content = snapshot(extra={"render_aabb": {"min": [0, 0.25, -0.5], "max": [1, 0.75, 9]}})
    scene = load_teacher(save_snapshot(tmp_path, content)).scene
    assert scene.bounds is not None and scene.to_checkpoint is not None and scene.assumed == ()
    low, high = np.array(scene.bounds)
    # x, y, z of the snapshot are y, z, x of the world, times 0.25, plus 0.25, 0.125, 0.5
    assert np.allclose(low, [(-0.5 - 0.5) / 0.25, (0 - 0.25) / 0.25, (0.25 - 0.125) / 0.25])
    assert np.allclose(high, [(1.5 - 0.5) / 0.25, (1 - 0.25) / 0.25, (0.75 - 0.125) / 0.25])
    matrix = np.array(scene.to_checkpoint).reshape(4, 4)
    assert np.allclose(matrix @ [1, 2, 3, 1], [2 * 0.25 + 0.25, 3 * 0.25 + 0.125, 0.25 + 0.5, 1])
    half = 0.5 * math.sqrt(1 + 0.25 + 4)
    assert scene.near == pytest.approx((3.0 - half) / 0.25) and scene.far == pytest.approx((6.0 + half) / 0.25)
    assert scene.background == (0.5, 0.25, 0) and scene.principal_shift == 0 and scene.dataset_to_world is None
    del content["snapshot"]["nerf"]["dataset"], content["snapshot"]["background_color"]
    assumed = load_teacher(save_snapshot(tmp_path, content, "bare.msgpack")).scene.assumed
    assert len(assumed) == 3 and "0.33" in assumed[0] and "--background" in assumed[1] and "--near" in assumed[2]


def test_old_snapshots_do_not_name_the_type_of_their_weights(tmp_path: Path) -> None:
    points, _ = random_points(20, 1.5)
    for wide in (False, True):
        content = snapshot(wide=wide)
        whole = load_teacher(save_snapshot(tmp_path, content)).fine.density(points)[0]
        del content["snapshot"]["params_type"]
        assert torch.equal(load_teacher(save_snapshot(tmp_path, content)).fine.density(points)[0], whole)


def test_damaged_snapshots_are_refused(tmp_path: Path) -> None:
    def put(path: str, value: Any) -> dict[str, Any]:
        content = snapshot()
        *parents, last = path.split("/")
        place = content
        for name in parents:
            place = place[name]
        if value is ...:
            del place[last]
        else:
            place[last] = value
        return content

    params = np.frombuffer(snapshot()["snapshot"]["params_binary"], "<f2")
    nan = np.array([*params[:-1], np.nan], "<f2").tobytes()
    grid = np.full(2 << 21, np.nan, "<f2").tobytes()
    changes: list[tuple[str, Any, tuple[str, ...]]] = [
        ("snapshot/params_binary", nan, ("NaN", "params_binary")),
        ("snapshot/params_binary", params[:-1].tobytes(), ("bytes", "numbers")),
        ("snapshot/params_binary", "text", ("params_binary",)),
        ("snapshot/params_binary", ..., ("params_binary",)),
        ("snapshot/params_type", "double", ("double",)),
        ("snapshot/n_params", 1 << 40, ("n_params",)),
        ("snapshot/n_params", "many", ("n_params",)),
        ("snapshot/mode", "sdf", ("mode sdf",)),
        ("snapshot/density_grid_binary", bytes(1000), ("density grid",)),
        ("snapshot/density_grid_binary", 7, ("density grid",)),
        ("snapshot/density_grid_binary", grid, ("density grid", "NaN")),
        ("snapshot/background_color", [1, 2], ("background_color",)),
        ("snapshot/render_aabb", {"min": [9, 9, 9], "max": [9, 9, 9]}, ("render_aabb",)),
        ("snapshot/render_aabb", {"min": [0, 0], "max": [1, 1, 1]}, ("min",)),
        ("snapshot/nerf/aabb_scale", 3, ("aabb_scale", "power of two")),
        ("snapshot/nerf/aabb_scale", 1 << 40, ("aabb_scale",)),
        ("snapshot/nerf/dataset/scale", 0, ("scale",)),
        ("snapshot/nerf/dataset/scale", math.nan, ("scale",)),
        ("snapshot/nerf/dataset/offset", [1, 2], ("offset",)),
        ("snapshot/nerf/dataset/n_extra_learnable_dims", 8, ("n_extra_learnable_dims",)),
        ("encoding", ..., ("unknown family",)),
        ("encoding", [], ("encoding",)),
        ("encoding/otype", "DenseGrid", ("DenseGrid",)),
        ("encoding/interpolation", "Nearest\n", ("Nearest",)),
        ("encoding/n_levels", 9, ("weights",)),
        ("encoding/n_levels", 10**6, ("n_levels",)),
        ("encoding/n_features_per_level", 0, ("n_features_per_level",)),
        ("encoding/log2_hashmap_size", 60, ("log2_hashmap_size",)),
        ("encoding/base_resolution", -4, ("base_resolution",)),
        ("encoding/per_level_scale", 1e30, ("grows",)),
        ("network/n_neurons", 10**9, ("n_neurons",)),
        ("network/n_hidden_layers", -1, ("n_hidden_layers",)),
        ("network/activation", "Sine", ("Sine",)),
        ("dir_encoding/nested", [{"otype": "Frequency"}], ("Frequency",)),
        ("dir_encoding", 3, ("dir_encoding",)),
        ("rgb_network", ..., ("rgb_network",)),
    ]
    for i, (path, value, words) in enumerate(changes):
        refused(save_snapshot(tmp_path, put(path, value), f"{i}.msgpack"), *words)
    sized = snapshot(extra={"density_grid_binary": bytes(8 << 20), "density_grid_size": 64})
    refused(save_snapshot(tmp_path, sized, "sized.msgpack"), "density grid", "side 64")
    whole = zlib.compress(msgpack.packb(snapshot()))
    (tmp_path / "cut.ingp").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "cut.ingp", "damaged")
