"""The MLP families' loaders against naive networks written straight from the documented formulas."""

import argparse
import math
import pickle
import sys
import types
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hostile import Hostile, refused
from torch import Tensor, nn

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.families.mlp import jaxnerf
from duplex.baking.checkpoints.families.mlp.fastnerf import FastNerf as LoadedFastNerf
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.datasets.reading import read_photos
from duplex.baking.fields import rendering
from duplex.baking.fields.field import Overrides, RadianceField, Teacher
from duplex.baking.fields.spaces import Ndc

State = dict[str, Tensor]
Reference = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DAMAGED = 40  # damaged members that are tried of each family
PAIR = ("model_000200.npy", "model_fine_000200.npy")


def random_points(n: int = 300, half: float = 1.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    points = (torch.rand(n, 3, generator=generator) * 2 - 1) * half
    return points, F.normalize(torch.randn(n, 3, generator=generator), dim=-1)


def random_state(shapes: dict[str, tuple[int, ...]], seed: int = 2) -> State:
    """Weights (..., outputs, inputs) and biases of about unit gain."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        state[f"{name}.weight"] = torch.randn(*shape, generator=generator) / (shape[-1] / 2) ** 0.5
        state[f"{name}.bias"] = torch.randn(*shape[:-1], generator=generator) * 0.3
    return state


def layer(state: State, name: str, x: Tensor) -> Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def ftd(x: Tensor, frequencies: int) -> Tensor:
    """NeRF's order: x, then sine and cosine of the whole vector, frequency after frequency."""
    parts = [x]
    for k in range(frequencies):
        parts += [torch.sin(2.0**k * x), torch.cos(2.0**k * x)]
    return torch.cat(parts, -1)


def tfd(x: Tensor, frequencies: int) -> Tensor:
    """jaxnerf's order: x, then all sines, then all cosines."""
    sines = [torch.sin(2.0**k * x) for k in range(frequencies)]
    return torch.cat([x, *sines, *(torch.cos(2.0**k * x) for k in range(frequencies))], -1)


def dtf(x: Tensor, frequencies: int) -> Tensor:
    """All sines, then all cosines, of one coordinate after the other; multiples of pi; without x."""
    parts = []
    for d in range(3):
        parts += [torch.sin(math.pi * 2.0**k * x[:, d : d + 1]) for k in range(frequencies)]
        parts += [torch.cos(math.pi * 2.0**k * x[:, d : d + 1]) for k in range(frequencies)]
    return torch.cat(parts, -1)


def agree(field: RadianceField, reference: Reference, half: float = 1.0) -> None:
    points, directions = random_points(half=half)
    sigma, latent = field.density(points)
    expected_sigma, expected_color = reference(points, directions)
    assert float(expected_sigma.std()) > 0.01 and float(expected_color.std()) > 0.01  # it is a test at all
    assert sigma.shape == (300,) and sigma.dtype == torch.float32
    assert torch.allclose(sigma, expected_sigma, rtol=1e-3, atol=1e-3), float((sigma - expected_sigma).abs().max())
    color = field.color(latent, directions)
    assert torch.allclose(color, expected_color, atol=1e-3), float((color - expected_color).abs().max())


def differ(field: RadianceField, reference: Reference) -> bool:
    """Whether the field is clearly another one than the reference: most densities, or most colours, are off."""
    points, directions = random_points()
    sigma, latent = field.density(points)
    expected_sigma, expected_color = reference(points, directions)
    color = field.color(latent, directions)
    off = (sigma - expected_sigma).abs() > 0.02
    return bool(off.float().mean() > 0.3 or ((color - expected_color).abs().amax(-1) > 0.02).float().mean() > 0.5)


@contextmanager
def classes(module: str, *kinds: type) -> Iterator[None]:
    """Makes classes pickle as those of ``module``, as the original programs' do."""
    old = dict(sys.modules)
    for parent in range(module.count(".")):
        sys.modules[module.rsplit(".", parent + 1)[0]] = types.ModuleType(module)
    sys.modules[module] = fake = types.ModuleType(module)
    saved = [(kind, kind.__module__, kind.__qualname__) for kind in kinds]
    for kind in kinds:
        kind.__module__, kind.__qualname__ = module, kind.__name__
        setattr(fake, kind.__name__, kind)
    try:
        yield
    finally:
        for kind, name, qualified in saved:
            kind.__module__, kind.__qualname__ = name, qualified
        for name in {module, *(module.rsplit(".", i + 1)[0] for i in range(module.count(".")))}:
            del sys.modules[name]
            sys.modules |= {name: old[name]} if name in old else {}


# ---------------------------------------------------------------------------------------------- nerf-tensorflow

KERAS = {
    **{f"pts.{i}": (24, 24) for i in range(8)},
    "pts.0": (24, 63),
    "pts.5": (24, 24 + 63),
    "feature": (24, 24),
    "views": (12, 24 + 27),
    "rgb": (3, 12),
    "alpha": (1, 24),
}


def write_keras(file: Path, shapes: dict[str, tuple[int, ...]], seed: int) -> State:
    """What ``np.save(file, model.get_weights())`` leaves: an object array of kernels (in, out) and biases."""
    state = random_state(shapes, seed)
    arrays = [state[f"{n}.{p}"].numpy().T.copy() for n in shapes for p in ("weight", "bias")]
    content = np.empty(len(arrays), object)
    content[:] = arrays
    np.save(file, content, allow_pickle=True)
    return state


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
    refused(file, "NaN", "array 3")
    content[3] = Hostile(f"touch {tmp_path / 'trace'}")
    np.save(file, content, allow_pickle=True)
    refused(file, "refused unread")
    np.save(file, np.zeros((3, 4), np.float32))
    refused(file, "unknown family")
    assert not (tmp_path / "trace").exists()


# ------------------------------------------------------------------------------------------------------ nerf_pl

PL = {
    **{f"xyz_encoding_{i}.0": (24, 24) for i in range(1, 9)},
    "xyz_encoding_1.0": (24, 63),
    "xyz_encoding_5.0": (24, 24 + 63),
    "xyz_encoding_final": (24, 24),
    "dir_encoding.0": (12, 24 + 27),
    "sigma": (1, 24),
    "rgb.0": (3, 12),
}
HPARAMS = {
    "root_dir": "/data",
    "dataset_name": "blender",
    "img_wh": [400, 200],
    "N_samples": 32,
    "N_importance": 64,
    "spheric_poses": False,
}


def pl_states(change: dict[str, tuple[int, ...]] | None = None) -> tuple[State, State]:
    return random_state(PL | (change or {}), 1), random_state(PL | (change or {}), 2)


def pl_content(coarse: State, fine: State, hparams: object, name: str) -> dict[str, Any]:
    """A Lightning checkpoint, with the members that nobody needs."""
    state = {f"nerf_coarse.{k}": v for k, v in coarse.items()} | {f"nerf_fine.{k}": v for k, v in fine.items()}
    return {
        "epoch": 15,
        "global_step": 200000,
        "pytorch-lightning_version": "0.7.3",
        "state_dict": state,
        "optimizer_states": [{"state": {0: {"step": 3, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 5e-4}]}],
        "checkpoint_callback_best": np.float64(31.2),
        name: hparams,
    }


def pl_reference(state: State, skip: int = 4, hidden_first: bool = False, scale: bool = False) -> Reference:
    def reference(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        e = ftd(x, 10)
        h = e
        for i in range(8):
            if i == skip:
                h = torch.cat([h, e] if hidden_first else [e, h], -1)
            h = torch.relu(layer(state, f"xyz_encoding_{i + 1}.0", h))
        if scale:
            d = torch.stack([2 * d[:, 0] / d[:, 2], 2 * d[:, 1] / d[:, 2], torch.full_like(d[:, 2], 2)], -1)
        f = layer(state, "xyz_encoding_final", h)
        view = torch.relu(layer(state, "dir_encoding.0", torch.cat([f, ftd(d, 4)], -1)))
        return torch.relu(layer(state, "sigma", h)[:, 0]), torch.sigmoid(layer(state, "rgb.0", view))

    return reference


class AttributeDict(dict):
    """As Lightning keeps hyperparameters."""


@pytest.mark.parametrize("kind", ["dict", "Namespace", "AttributeDict", "state dict"])
def test_nerf_pl_checkpoint_matches_a_naive_network(tmp_path: Path, kind: str) -> None:
    coarse, fine = pl_states()
    hparams: object = HPARAMS
    if kind == "Namespace":
        hparams = argparse.Namespace(**HPARAMS)
    if kind == "AttributeDict":
        hparams = AttributeDict(HPARAMS)
    content = pl_content(coarse, fine, hparams, "hparams" if kind == "dict" else "hyper_parameters")
    with classes("pytorch_lightning.utilities.parsing", AttributeDict):
        torch.save(content["state_dict"] if kind == "state dict" else content, tmp_path / "epoch=15.ckpt")
    teacher = load_teacher(tmp_path)
    agree(teacher.coarse, pl_reference(coarse))
    agree(teacher.fine, pl_reference(fine))
    if kind == "state dict":
        assert (teacher.scene.coarse_samples, teacher.scene.fine_samples) == (64, 128)
        assert "--near" in teacher.scene.assumed[0]
    else:
        assert (teacher.scene.coarse_samples, teacher.scene.fine_samples) == (32, 64)
        assert teacher.scene.principal_shift == 0.5 / 200 and not teacher.scene.assumed


def test_nerf_pl_wired_otherwise_is_another_network(tmp_path: Path) -> None:
    state, _ = pl_states()
    torch.save(pl_content(state, state, HPARAMS, "hparams"), tmp_path / "a.ckpt")
    field = load_teacher(tmp_path / "a.ckpt").fine
    assert not differ(field, pl_reference(state))
    assert differ(field, pl_reference(state, hidden_first=True))
    moved = {k: v.roll(1, 0) if k == "xyz_encoding_final.weight" else v for k, v in state.items()}
    assert differ(field, pl_reference(moved))


def test_nerf_pl_in_ndc_sees_directions_with_a_z_of_2(tmp_path: Path) -> None:
    coarse, fine = pl_states()
    content = pl_content(coarse, fine, HPARAMS | {"dataset_name": "llff"}, "hparams")
    torch.save(content, tmp_path / "a.ckpt")
    teacher = load_teacher(tmp_path)
    space = teacher.scene.space
    assert isinstance(space, Ndc) and space.field_views and teacher.scene.background == (0, 0, 0)
    points, directions = random_points()
    directions = F.normalize(directions * torch.tensor([1, 1, 0.1]) - torch.tensor([0, 0, 1.0]), dim=-1)
    _, mapped = space.rays(points, directions)
    assert torch.allclose(mapped[:, 2], torch.full((300,), 2.0), atol=1e-3)
    sigma, latent = teacher.fine.density(points)
    expected_sigma, expected = pl_reference(fine)(points, mapped)  # the original encodes them as they are
    assert torch.allclose(sigma, expected_sigma, atol=1e-4)
    assert torch.allclose(teacher.fine.color(latent, F.normalize(mapped, dim=-1)), expected, atol=1e-3)
    world = load_teacher(tmp_path, None, Overrides(space="world", near=1.0, far=2.0))
    assert torch.allclose(world.fine.color(latent, directions), pl_reference(fine)(points, directions)[1], atol=1e-4)
    torch.save(
        pl_content(coarse, fine, HPARAMS | {"dataset_name": "llff", "spheric_poses": True}, "hparams"),
        tmp_path / "a.ckpt",
    )
    refused(tmp_path / "a.ckpt", "--near", "--far")


def test_broken_nerf_pl_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.ckpt"
    for change, word in (
        ({"xyz_encoding_5.0": (24, 24)}, ""),
        ({"xyz_encoding_3.0": (24, 25)}, "25 inputs"),
        ({"sigma": (2, 24)}, "2 outputs"),
        ({"dir_encoding.0": (12, 50)}, "dir_encoding.0"),
        ({"static_sigma.0": (1, 24)}, "NeRF-W"),
    ):
        torch.save(pl_content(*pl_states(change), HPARAMS, "hparams"), file)
        if word:
            refused(file, word)
        else:
            load_teacher(file)  # a network without a skip is one too
    coarse, fine = pl_states()
    torch.save(pl_content({k: v for k, v in coarse.items() if "_4.0" not in k}, fine, {}, "hparams"), file)
    refused(file, "xyz_encoding_4.0 is missing")
    torch.save(pl_content(coarse, fine | {"sigma.bias": torch.tensor([math.inf])}, {}, "hparams"), file)
    refused(file, "NaN", "sigma.bias")
    for hparams, word in (
        ({"dataset_name": "phototourism"}, "phototourism"),
        ({"N_samples": "many"}, "N_samples"),
        ({"N_samples": 2}, "2 coarse samples"),
    ):
        torch.save(pl_content(coarse, fine, hparams, "hparams"), file)
        refused(file, word)
    torch.save(pl_content(coarse, fine, {"a": Hostile(f"touch {tmp_path / 'trace'}")}, "hparams"), file)
    refused(file, "refused unread")
    assert not (tmp_path / "trace").exists()


# ------------------------------------------------------------------------------------------------------ jaxnerf

JAX = {
    **{f"Dense_{i}": (24, 24) for i in range(8)},
    "Dense_0": (24, 63),
    "Dense_5": (24, 24 + 63),
    "Dense_8": (1, 24),
    "Dense_9": (24, 24),
    "Dense_10": (12, 24 + 27),
    "Dense_11": (3, 12),
}


def flax_array(code: int, array: np.ndarray) -> msgpack.ExtType:
    """An array as flax.serialization packs it."""
    return msgpack.ExtType(code, msgpack.packb((array.shape, array.dtype.name, array.tobytes())))


def chunked(array: np.ndarray, size: int) -> dict[str, Any]:
    """An array as flax cuts it into pieces of ``size`` numbers."""
    flat = array.reshape(-1)
    pieces = [flax_array(1, flat[i : i + size]) for i in range(0, flat.size, size)]
    shape = {str(i): side for i, side in enumerate(array.shape)}
    return {"__msgpack_chunked_array__": True, "shape": shape, "chunks": {str(i): p for i, p in enumerate(pieces)}}


def flax_network(state: State, cut: int = 0) -> dict[str, Any]:
    def packed(array: np.ndarray) -> object:
        return chunked(array, cut) if cut and array.size > cut else flax_array(1, array)

    names = sorted({key.split(".")[0] for key in state})
    return {
        name: {
            "kernel": packed(state[f"{name}.weight"].numpy().T.copy()),
            "bias": packed(state[f"{name}.bias"].numpy()),
        }
        for name in names
    }


def write_flax(file: Path, networks: dict[str, object], wrapped: str = "old") -> Path:
    target: dict[str, Any] = {"params": networks}
    if wrapped == "old":
        step = flax_array(3, np.array(7, np.int32))
        state = {"step": step, "param_states": {"params": {}}}
        target = {"optimizer": {"target": target, "state": state}, "step": 7}
    file.write_bytes(msgpack.packb(target))
    return file


def jax_reference(state: State, encode: Callable[[Tensor, int], Tensor], hidden_first: bool = True) -> Reference:
    def reference(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        inputs = encode(x, 10)
        h = inputs
        for i in range(8):
            h = torch.relu(layer(state, f"Dense_{i}", h))
            if i % 4 == 0 and i > 0:
                h = torch.cat([h, inputs] if hidden_first else [inputs, h], -1)
        sigma = torch.relu(layer(state, "Dense_8", h)[:, 0])
        view = torch.cat([layer(state, "Dense_9", h), encode(d, 4)], -1)
        return sigma, torch.sigmoid(layer(state, "Dense_11", torch.relu(layer(state, "Dense_10", view))))

    return reference


@pytest.mark.parametrize("wrapped", ["old", "new"])
@pytest.mark.parametrize("order", ["assumed", "override", "yaml", "gin", "tf"])
def test_jaxnerf_checkpoint_matches_a_naive_network(tmp_path: Path, order: str, wrapped: str) -> None:
    coarse, fine = random_state(JAX, 1), random_state(JAX, 2)
    write_flax(tmp_path / "checkpoint_1000", {"MLP_0": flax_network(fine), "MLP_1": flax_network(coarse)}, wrapped)
    write_flax(tmp_path / "checkpoint_20000", {"MLP_0": flax_network(coarse), "MLP_1": flax_network(fine)}, wrapped)
    encode, overrides = ftd, Overrides()
    if order == "assumed":
        encode = tfd
    elif order == "override":
        overrides = Overrides(encoding="ftd")
    elif order == "yaml":
        (tmp_path / "config.yaml").write_text("dataset: blender\nwhite_bkgd: false\nlegacy_posenc_order: True\n")
    elif order == "gin":
        (tmp_path / "config.gin").write_text('Config.dataset = "blender"\nConfig.legacy_posenc_order = True\n')
    else:
        (tmp_path / "args.txt").write_text("tf_posenc_order = True\n")
    teacher = load_teacher(tmp_path, None, overrides)
    assert teacher.path.name == "checkpoint_20000"
    agree(teacher.coarse, jax_reference(coarse, encode))
    agree(teacher.fine, jax_reference(fine, encode))
    assert any("--encoding ftd" in text for text in teacher.scene.assumed) == (order == "assumed")
    assert teacher.scene.background == ((0, 0, 0) if order == "yaml" else (1, 1, 1))
    other = tfd if encode is ftd else ftd
    assert differ(teacher.fine, jax_reference(fine, other))
    assert differ(teacher.fine, jax_reference(fine, encode, hidden_first=False))


def test_jaxnerf_arrays_in_pieces(tmp_path: Path) -> None:
    state = random_state(JAX)
    file = write_flax(tmp_path / "checkpoint_1", {"MLP_0": flax_network(state, cut=100)})
    teacher = load_teacher(file)
    assert teacher.coarse is teacher.fine
    agree(teacher.fine, jax_reference(state, tfd))
    network = flax_network(state, cut=100)
    shape = network["Dense_3"]["kernel"]["shape"]
    for broken in (
        {**shape, "0": 25},
        {**shape, "0": 1 << 60},
        {**shape, "0": -24},
        {**shape, "0": "many"},
        {},
        7,
    ):
        network["Dense_3"]["kernel"]["shape"] = broken
        refused(write_flax(tmp_path / "checkpoint_2", {"MLP_0": network}), "chunked array")
    network["Dense_3"]["kernel"]["shape"] = shape
    del network["Dense_3"]["kernel"]["chunks"]["1"]
    refused(write_flax(tmp_path / "checkpoint_2", {"MLP_0": network}), "chunked array")


def test_jaxnerf_without_view_directions(tmp_path: Path) -> None:
    state = random_state({"Dense_0": (16, 39), "Dense_1": (16, 16), "Dense_2": (1, 16), "Dense_3": (3, 16)})

    def reference(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.relu(layer(state, "Dense_1", torch.relu(layer(state, "Dense_0", tfd(x, 6)))))
        return torch.relu(layer(state, "Dense_2", h)[:, 0]), torch.sigmoid(layer(state, "Dense_3", h))

    agree(load_teacher(write_flax(tmp_path / "checkpoint_1", {"MLP_0": flax_network(state)})).fine, reference)


def test_jaxnerf_configurations_are_read_in_time_that_grows_with_their_length() -> None:
    assert jaxnerf.OPTION.findall("\n" * 300_000 + "a.b =  'c'") == [("b", "c")]


def test_jaxnerf_scene_from_its_configuration(tmp_path: Path) -> None:
    state = random_state(JAX)
    file = write_flax(tmp_path / "checkpoint_1", {"MLP_0": flax_network(state)})
    config = tmp_path / "llff.yaml"
    config.write_text("dataset: llff\nfactor: 4\nnear: 0.\nfar: 1.\nnum_fine_samples: 96\nsigma_activation: softplus\n")
    teacher = load_teacher(file)
    assert isinstance(teacher.scene.space, Ndc) and not teacher.scene.space.field_views
    assert (teacher.scene.fine_samples, teacher.scene.far) == (96, 1)
    points, _ = random_points()
    relu = load_teacher(file, None, Overrides(activation="relu"))
    assert float(teacher.fine.density(points)[0].min()) > 0 == float(relu.fine.density(points)[0].min())
    config.write_text("dataset: blender\nfactor: 2\nuse_pixel_centers: true\n")
    assert load_teacher(file).scene.principal_shift == 0
    config.write_text("dataset: blender\nfactor: 2\n")
    assert load_teacher(file).scene.principal_shift == 0.5 / 400
    for text, word in (("near: x", "'x'"), ("near: 7", "near 7"), ("sigma_activation: elu", "elu")):
        config.write_text("dataset: blender\n" + text)
        refused(file, word)


def test_broken_jaxnerf_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint_1"
    for change, word in (
        ({"Dense_0": (24, 96)}, "mip-NeRF"),
        ({"Dense_0": (24, 64)}, "64"),
        ({"Dense_5": (24, 24)}, ""),
        ({"Dense_4": (24, 20)}, "20 inputs"),
        ({"Dense_8": (2, 24)}, "none of them a density"),
        ({"Dense_11": (4, 12)}, "4 outputs"),
    ):
        write_flax(file, {"MLP_0": flax_network(random_state(JAX | change))})
        if word:
            refused(file, word)
    state = random_state(JAX)
    network = flax_network(state)
    del network["Dense_4"]
    refused(write_flax(file, {"MLP_0": network}), "Dense_4")
    network = flax_network(state)
    del network["Dense_4"]["bias"]
    refused(write_flax(file, {"MLP_0": network}), "Dense_4/bias")
    network = flax_network(state | {"Dense_4.bias": torch.full((24,), math.nan)})
    refused(write_flax(file, {"MLP_0": network}), "NaN")
    refused(write_flax(file, {"MLP_0": {"Dense_0": 3}}), "unknown family")
    refused(write_flax(file, {"MLP_0": {"Dense_0": {}, "Dense_1": 4}}), "Dense_0/kernel")


# ---------------------------------------------------------------------------------------------------- layernorm


def layernorm_state() -> State:
    linears = {"density": (1, 24), "color": (3, 24)}
    for block, inputs, depth in (("block_0", 60, 4), ("block_1", 24 + 60, 4), ("block_2", 24 + 36, 2)):
        linears |= {f"{block}.{3 * i}": (24, 24 if i else inputs) for i in range(depth)}
    state = random_state(linears)
    generator = torch.Generator().manual_seed(3)
    for block, depth in (("block_0", 4), ("block_1", 4), ("block_2", 2)):
        for i in range(depth):
            state[f"{block}.{3 * i + 2}.weight"] = torch.rand(24, generator=generator) + 0.5
            state[f"{block}.{3 * i + 2}.bias"] = torch.randn(24, generator=generator) * 0.2
    return state


def layernorm_reference(state: State, encoding_first: bool = False, divide: float = 6.0) -> Reference:
    def block(name: str, depth: int, h: Tensor) -> Tensor:
        for i in range(depth):
            h = torch.relu(layer(state, f"{name}.{3 * i}", h))
            h = (h - h.mean(-1, keepdim=True)) / (h.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
            h = h * state[f"{name}.{3 * i + 2}.weight"] + state[f"{name}.{3 * i + 2}.bias"]
        return h

    def reference(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        e = dtf(x / divide, 10)
        h = block("block_0", 4, e)
        h = block("block_1", 4, torch.cat([e, h] if encoding_first else [h, e], -1))
        sigma = torch.relu(layer(state, "density", h)[:, 0])
        h = block("block_2", 2, torch.cat([h, dtf(d, 6)], -1))
        return sigma, torch.sigmoid(layer(state, "color", h))

    return reference


def test_layernorm_network_matches_a_naive_one(tmp_path: Path) -> None:
    state = layernorm_state()
    torch.save(state, tmp_path / "nerf.pth")
    teacher = load_teacher(tmp_path)
    agree(teacher.fine, layernorm_reference(state), half=2.0)
    assert differ(teacher.fine, layernorm_reference(state, encoding_first=True))
    assert differ(teacher.fine, layernorm_reference(state, divide=1.0))
    assert teacher.coarse is teacher.fine and teacher.scene.background == (0, 0, 0)
    assert "--background" in teacher.scene.assumed[0] and "divided by 6" in teacher.scene.assumed[1]
    softplus = load_teacher(tmp_path, None, Overrides(activation="softplus", samples=(32, 0)))
    assert softplus.scene.fine_samples == 0
    points, _ = random_points()
    assert float(softplus.fine.density(points)[0].min()) > 0


def test_broken_layernorm_files_are_refused(tmp_path: Path) -> None:
    file, state = tmp_path / "nerf.pth", layernorm_state()
    for change, word in (
        ({"block_0.5.weight": torch.ones(25)}, "block_0.5"),
        ({"block_0.5.bias": torch.ones(24, 1)}, "block_0.5"),
        ({"block_1.0.weight": torch.zeros(24, 90)}, "90 inputs"),
        ({"block_0.0.weight": torch.zeros(24, 62)}, "62"),
        ({"color.weight": torch.zeros(4, 24), "color.bias": torch.zeros(4)}, "4 outputs"),
        ({"block_2.3.bias": torch.full((24,), math.nan)}, "NaN"),
        ({"extra": Hostile(f"touch {tmp_path / 'trace'}")}, "refused unread"),
    ):
        torch.save(state | change, file)
        refused(file, word)
    torch.save({k: v for k, v in state.items() if k != "block_1.8.bias"}, file)
    refused(file, "block_1.8")
    assert not (tmp_path / "trace").exists()


# ----------------------------------------------------------------------------------------------- tinynerf-slang


def slang_state(change: dict[str, tuple[int, ...]] | None = None) -> State:
    f, s, c = "feature_module.net.net", "sigma_decoder.net.net", "rgb_decoder.net.net"
    shapes = {f"{f}.0": (24, 60), f"{f}.2.0": (24, 24), f"{f}.3.0": (24, 24), f"{f}.4": (20, 24)}
    shapes |= {f"{s}.0": (16, 20), f"{s}.2": (1, 16)}
    shapes |= {f"{c}.0": (16, 24 + 3 + 20), f"{c}.2.0": (16, 16), f"{c}.3": (3, 16)}
    state = random_state(shapes | (change or {}))
    state["feature_module.encoding.freqs"] = 2.0 ** torch.arange(10) * torch.pi
    state["rgb_decoder.pe.freqs"] = 2.0 ** torch.arange(4) * torch.pi
    return state


def slang_reference(state: State, low: float = -1.5, high: float = 1.5, direction_last: bool = False) -> Reference:
    def net(name: str, hidden: list[str], last: str, x: Tensor) -> Tensor:
        for h in ("0", *hidden):
            x = torch.relu(layer(state, f"{name}.net.net.{h}", x))
        return layer(state, f"{name}.net.net.{last}", x)

    def reference(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        inside = ((x >= low) & (x <= high)).all(-1)
        q = (x - low) / (high - low) * 2 - 1
        f = net("feature_module", ["2.0", "3.0"], "4", dtf(q, 10))
        sigma = torch.exp(net("sigma_decoder", [], "2", f)[:, 0] - 1) * inside
        inputs = [f, dtf(d, 4), d] if direction_last else [dtf(d, 4), d, f]
        return sigma, torch.sigmoid(net("rgb_decoder", ["2.0"], "3", torch.cat(inputs, -1)))

    return reference


def test_slang_network_matches_a_naive_one(tmp_path: Path) -> None:
    state = slang_state()
    torch.save(state, tmp_path / "model.pt")
    teacher = load_teacher(tmp_path)
    agree(teacher.fine, slang_reference(state), half=2.0)
    assert differ(teacher.fine, slang_reference(state, direction_last=True))
    assert float(teacher.fine.density(torch.tensor([[0.0, 0, 1.51]]))[0]) == 0
    assert float(teacher.fine.density(torch.tensor([[0.0, 0, 1.49]]))[0]) > 0
    assert teacher.scene.bounds == ((-1.5,) * 3, (1.5,) * 3) and "--bounds" in teacher.scene.assumed[1]
    box = np.array([[-2.0] * 3, [1.0] * 3])
    other = load_teacher(tmp_path, None, Overrides(bounds=box))
    agree(other.fine, slang_reference(state, -2.0, 1.0), half=2.0)
    assert other.scene.bounds == ((-2.0,) * 3, (1.0,) * 3) and len(other.scene.assumed) == 1


def test_broken_slang_files_are_refused(tmp_path: Path) -> None:
    file, state = tmp_path / "model.pt", slang_state()
    f, c = "feature_module.net.net", "rgb_decoder.net.net"
    for changed, word in (
        (slang_state({f"{f}.3.0": (24, 23)}), "23 inputs"),
        (slang_state({"sigma_decoder.net.net.2": (2, 16)}), "2 outputs"),
        (slang_state({f"{c}.0": (16, 40)}), "40 inputs"),
        (state | {"rgb_decoder.pe.freqs": torch.ones(2, 2)}, "frequencies"),
        (state | {"feature_module.encoding.freqs": torch.ones(100)}, "frequencies"),
        (state | {f"{f}.0.bias": torch.full((24,), math.nan)}, "NaN"),
        (state | {"extra": Hostile(f"touch {tmp_path / 'trace'}")}, "refused unread"),
        ({k: v for k, v in state.items() if not k.startswith(f"{f}.4")}, "is missing"),
        ({k: v for k, v in state.items() if not k.startswith("rgb_decoder.pe")}, "frequencies"),
    ):
        torch.save(changed, file)
        refused(file, word)
    torch.save(state, file)
    refused(file, "bounds", overrides=Overrides(bounds=np.zeros((2, 3))))
    assert not (tmp_path / "trace").exists()


# ----------------------------------------------------------------------------------------------------- fastnerf


class FastNerf(nn.Module):
    """The layers of 1biswarup2's module, a few of them, which the original pickles whole."""

    def __init__(self) -> None:
        super().__init__()
        parts = [nn.Linear(63, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 16)]
        self.Fpos = nn.Sequential(*parts)
        self.Fdir = nn.Sequential(nn.Linear(27, 12), nn.ReLU(), nn.Linear(12, 5))
        self.embedding_dim_pos, self.embedding_dim_direction, self.D = 10, 4, 5


def fast_module() -> FastNerf:
    module = FastNerf()
    shapes = {key.removesuffix(".weight"): tuple(v.shape) for key, v in module.state_dict().items() if v.ndim == 2}
    module.load_state_dict(random_state(shapes))
    return module


def fast_reference(state: State, transposed: bool = False) -> Reference:
    def reference(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        h = ftd(x, 10)
        for i in (0, 2):
            h = torch.relu(layer(state, f"Fpos.{i}", h))
        raw = layer(state, "Fpos.4", h)
        beta = torch.softmax(layer(state, "Fdir.2", torch.relu(layer(state, "Fdir.0", ftd(d, 4)))), -1)
        uvw = torch.sigmoid(raw[:, 1:])
        uvw = uvw.reshape(-1, 5, 3).transpose(1, 2) if transposed else uvw.reshape(-1, 3, 5)
        color = sum(beta[:, k : k + 1] * uvw[:, :, k] for k in range(5))
        return torch.log1p(torch.exp(raw[:, 0])), color

    return reference


def save_module(content: object, file: Path, legacy: bool = False) -> None:
    with classes("__main__", FastNerf):
        torch.save(content, file, _use_new_zipfile_serialization=not legacy)


@pytest.mark.parametrize("kind", ["module", "state dict", "legacy state dict"])
def test_fastnerf_matches_a_naive_network(tmp_path: Path, kind: str) -> None:
    module = fast_module()
    state = {k: v.clone() for k, v in module.state_dict().items()}
    save_module(module if kind == "module" else state, tmp_path / "model.pth", kind.startswith("legacy"))
    teacher = load_teacher(tmp_path)
    assert isinstance(teacher.fine, LoadedFastNerf)
    agree(teacher.fine, fast_reference(state))
    assert differ(teacher.fine, fast_reference(state, transposed=True))
    assert len(teacher.scene.assumed) == 1


def test_broken_fastnerf_files_are_refused(tmp_path: Path) -> None:
    file, trace = tmp_path / "model.pth", tmp_path / "trace"
    state = {k: v.clone() for k, v in fast_module().state_dict().items()}
    for change, word in (
        ({"Fpos.4.weight": torch.zeros(17, 24), "Fpos.4.bias": torch.zeros(17)}, "17 values"),
        ({"Fpos.2.weight": torch.zeros(24, 23)}, "23 inputs"),
        ({"Fdir.0.weight": torch.zeros(12, 28)}, "28"),
        ({"Fpos.0.bias": torch.full((24,), math.nan)}, "NaN"),
        ({"Fpos.0.bias": torch.zeros(2)}, "do not fit"),
    ):
        torch.save(state | change, file)
        refused(file, word)
    module = fast_module()
    module.Fpos[2].bias = None
    save_module(module, file)
    refused(file, "no state dict")
    module = fast_module()
    module.extra = Hostile(f"touch {trace}")
    save_module(module, file)
    refused(file, "refused unread")
    module = fast_module()
    module.Fpos[0] = nn.Conv1d(63, 24, 1)
    save_module(module, file)
    refused(file, "refused unread", "Conv1d")
    with warnings.catch_warnings():  # that torch finds no source code of the class
        warnings.simplefilter("ignore")
        save_module(fast_module(), file, legacy=True)
        refused(file, "refused unread", "torch.nn.Module")
        file.write_bytes(pickle.dumps(Hostile(f"touch {trace}")))
        refused(file)
    assert not trace.exists()


# ----------------------------------------------------------------------------------------------------- KiloNeRF

LOW, HIGH, CELLS = np.array([-0.9, -1.2, -0.3]), np.array([0.9, 1.2, 0.9]), (3, 4, 2)
KILO = {
    "pts_linears.0": (24, 16, 63),
    "pts_linears.1": (24, 16, 16),
    "pts_linears.2": (24, 16, 16 + 63),
    "direction_layer": (24, 12, 16 + 27),
    "feature_linear": (24, 16, 16),
    "alpha_linear": (24, 1, 16),
    "rgb_linear": (24, 3, 12),
}
BOX_FILE = "-0.9 -1.2 -0.3 0.9 1.2 0.9 0.4\n"


def kilo_state(change: dict[str, tuple[int, ...]] | None = None) -> State:
    return random_state(KILO | (change or {}))


def as_finetuned(state: State) -> dict[str, Any]:
    """``checkpoint_<step>.pth``: kernels (m, in, out) in a state dict, and what training needs to go on."""
    return {
        "global_step": 10,
        "model_state_dict": {k: v.transpose(1, 2).contiguous() if v.ndim == 3 else v for k, v in state.items()},
        "optimizer_state_dict": {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-3}]},
        "torch_rng_state": torch.get_rng_state(),
        "torch_cuda_rng_state": torch.get_rng_state(),
        "numpy_rng_state": np.random.RandomState(0).get_state(),
    }


def kilo_encode(x: Tensor, frequencies: int) -> Tensor:
    parts = []
    for d in range(len(x)):
        parts += [x[d]]
        parts += [torch.cos(2.0**k * x[d]) for k in range(frequencies)]
        parts += [torch.sin(2.0**k * x[d]) for k in range(frequencies)]
    return torch.stack(parts)


def kilo_reference(state: State, occupied: np.ndarray | None = None) -> Reference:
    """One point at a time."""
    size = (HIGH - LOW) / np.array(CELLS)

    def one(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        place = x.double().numpy()
        if (place <= LOW + 0.001).any() or (place >= HIGH - 0.001).any():
            return torch.tensor(0.0), torch.zeros(3)
        if occupied is not None:
            fine = np.floor((place - LOW) / (HIGH - LOW) * np.array(occupied.shape)).astype(int)
            if not occupied[tuple(fine)]:
                return torch.tensor(0.0), torch.zeros(3)
        i, j, k = np.floor((place - LOW) / size).astype(int)
        m = i * CELLS[1] * CELLS[2] + j * CELLS[2] + k

        def apply(name: str, h: Tensor) -> Tensor:
            return state[f"{name}.weight"][m] @ h + state[f"{name}.bias"][m]

        low = LOW + size * np.array([i, j, k])
        e = kilo_encode(torch.from_numpy(2 * (place - low) / size - 1).float(), 10)
        h = torch.relu(apply("pts_linears.0", e))
        h = torch.relu(apply("pts_linears.1", h))
        h = torch.relu(apply("pts_linears.2", torch.cat([e, h])))
        view = torch.relu(apply("direction_layer", torch.cat([apply("feature_linear", h), kilo_encode(d, 4)])))
        return torch.relu(apply("alpha_linear", h)[0]), torch.sigmoid(apply("rgb_linear", view))

    def reference(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        pairs = [one(*pair) for pair in zip(x, d, strict=True)]
        return torch.stack([p[0] for p in pairs]), torch.stack([p[1] for p in pairs])

    return reference


@pytest.mark.parametrize("told", ["bbox", "log", "yaml", "bounds"])
def test_kilonerf_matches_a_naive_evaluation(tmp_path: Path, told: str) -> None:
    state = kilo_state()
    torch.save(as_finetuned(state), tmp_path / "checkpoint_0000010.pth")
    overrides = Overrides()
    if told == "log":
        line = "global_domain_min: [-0.9 -1.2 -0.3], global_domain_max: [0.9 1.2 0.9], "
        line += "near: 1.5, far: 5.5, background_color: None"
        (tmp_path / "log.txt").write_text(f"Loading x\n{line}\nIter: 3\n")
    elif told == "bounds":
        overrides = Overrides(bounds=np.stack([LOW, HIGH]))
    else:
        (tmp_path / "bbox.txt").write_text(BOX_FILE)
    if told == "yaml":
        (tmp_path / "distill.yaml").write_text("fixed_resolution:\n- 3\n- 4\n- 2\n")
        (tmp_path / "near_and_far.txt").write_text("2.5 6.5")
    teacher = load_teacher(tmp_path, None, overrides)
    agree(teacher.fine, kilo_reference(state), half=1.4)
    assert np.allclose(np.array(teacher.scene.bounds), [LOW, HIGH])
    depths = {"log": (1.5, 5.5), "yaml": (2.5, 6.5)}.get(told, (2, 6))
    assert (teacher.scene.near, teacher.scene.far) == depths
    assert any("3 x 4 x 2 networks" in text for text in teacher.scene.assumed) == (told != "yaml")
    swapped = dict(state)
    for key in state:
        swapped[key] = state[key].view(2, 4, 3, *state[key].shape[1:]).transpose(0, 2).reshape(state[key].shape)
    points, directions = random_points()
    assert not torch.allclose(teacher.fine.density(points)[0], kilo_reference(swapped)(points, directions)[0], atol=0.1)


def test_kilonerf_groups_points_however_they_are_spread(tmp_path: Path) -> None:
    state = kilo_state()
    torch.save(as_finetuned(state), tmp_path / "checkpoint_0000010.pth")
    (tmp_path / "bbox.txt").write_text(BOX_FILE)
    field = load_teacher(tmp_path).fine
    points, directions = random_points(200)
    crowded = torch.cat([points[:1] * 0.01 + 0.1 + torch.arange(70)[:, None] * 1e-4, points])
    views = torch.cat([directions[:70], directions])
    sigma, latent = field.density(crowded)
    expected = kilo_reference(state)(crowded, views)
    assert torch.allclose(sigma, expected[0], atol=1e-3)
    keep = torch.arange(len(crowded)).flip(0)[::3]  # a renderer may drop and reorder rows between the two calls
    assert torch.allclose(field.color(latent[keep], views[keep]), expected[1][keep], atol=1e-3)
    outside = torch.full((5, 3), 3.0)
    sigma, latent = field.density(outside)
    assert not sigma.any() and not field.color(latent, directions[:5]).any()
    assert field.density(points[:0])[0].shape == (0,)


def test_kilonerf_occupancy_grid_empties_space_and_tells_the_resolution(tmp_path: Path) -> None:
    state = kilo_state()
    torch.save(as_finetuned(state), tmp_path / "checkpoint.pth")
    (tmp_path / "bbox.txt").write_text(BOX_FILE)
    occupied = np.random.default_rng(0).random((12, 16, 8)) < 0.5
    torch.save(torch.from_numpy(occupied), tmp_path / "occupancy.pth")
    teacher = load_teacher(tmp_path)
    assert teacher.path.name == "checkpoint.pth" and len(teacher.scene.assumed) == 1
    agree(teacher.fine, kilo_reference(state, occupied), half=1.4)
    torch.save(torch.zeros(12, 16, 8), tmp_path / "occupancy.pth")
    refused(tmp_path / "checkpoint.pth", "occupancy.pth", "true and false")


class Node:
    """A leaf of the original's tree of domains."""


class MultiNetworkLinear(nn.Module):
    def __init__(self, weight: Tensor, bias: Tensor):
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)


class MultiNetwork(nn.Module):
    def __init__(self, state: State, number: int):
        super().__init__()
        layers = {
            name: MultiNetworkLinear(*(state[f"{name}.{part}"][number : number + 1] for part in ("weight", "bias")))
            for name in KILO
        }
        self.activation = nn.ReLU()
        self.num_networks = 1
        self.pts_linears = nn.ModuleList([layers[f"pts_linears.{i}"] for i in range(3)])
        for name in ("direction_layer", "feature_linear", "alpha_linear", "rgb_linear"):
            setattr(self, name, layers[name])
        self.view_dependent_parameters = list(self.direction_layer.parameters())


def kilo_nodes(state: State) -> list[Node]:
    size = (HIGH - LOW) / np.array(CELLS)
    nodes = []
    for number, cell in enumerate(np.ndindex(*CELLS)):
        node = Node()
        node.domain_min = (LOW + np.array(cell) * size).tolist()
        node.domain_max = (LOW + (np.array(cell) + 1) * size).tolist()
        node.discovery_best_error = {"mse": torch.tensor(0.1)}
        node.network = MultiNetwork(state, number)
        nodes.append(node)
    return nodes


def save_nodes(nodes: list[Node], file: Path, **more: object) -> None:
    content = {"fitted_volume": 1.0, "num_networks_fitted": 24, "root_nodes": nodes, "phase": "final"}
    content |= {"nodes_to_process": deque(), "saturated_nodes_to_process": deque(nodes[:1]), **more}
    with classes("__main__", Node), classes("multi_modules", MultiNetwork, MultiNetworkLinear):
        torch.save(content, file)


def test_kilonerf_distilled_checkpoint_is_a_list_of_pickled_networks(tmp_path: Path) -> None:
    state, file = kilo_state(), tmp_path / "checkpoint.pth"
    save_nodes(kilo_nodes(state), file)
    teacher = load_teacher(file)
    agree(teacher.fine, kilo_reference(state), half=1.4)
    assert not any(buffer.requires_grad for buffer in teacher.fine.buffers())
    nodes = kilo_nodes(state)
    save_nodes(nodes[::-1], file)
    refused(file, "not in the order")
    save_nodes(nodes[:-1], file)
    refused(file, "no grid")
    del nodes[3].network
    save_nodes(nodes, file)
    refused(file, "expected a grid of trained ones")
    nodes = kilo_nodes(state)
    nodes[5].network.alpha_linear.weight.data = torch.zeros(1, 1, 17)
    save_nodes(nodes, file)
    refused(file, "differ")
    nodes = kilo_nodes(state)
    nodes[5].domain_min = "here"
    save_nodes(nodes, file)
    refused(file, "domain")
    save_nodes(kilo_nodes(state), file, extra=Hostile(f"touch {tmp_path / 'trace'}"))
    refused(file, "refused unread")
    assert not (tmp_path / "trace").exists()


def test_kilonerf_teacher_is_a_nerf_pytorch_network(tmp_path: Path) -> None:
    shapes = {"pts_linears.0": (16, 63), "pts_linears.1": (16, 16), "feature_linear": (16, 16)}
    shapes |= {"alpha_linear": (1, 16), "views_linears.0": (8, 16 + 27), "rgb_linear": (3, 8)}
    state = random_state(shapes)
    torch.save({"global_step": 6, "model_state_dict": state}, tmp_path / "checkpoint_0600000.pth")

    def reference(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.relu(layer(state, "pts_linears.1", torch.relu(layer(state, "pts_linears.0", ftd(x, 10)))))
        view = torch.relu(
            layer(state, "views_linears.0", torch.cat([layer(state, "feature_linear", h), ftd(d, 4)], -1))
        )
        return torch.relu(layer(state, "alpha_linear", h)[:, 0]), torch.sigmoid(layer(state, "rgb_linear", view))

    teacher = load_teacher(tmp_path)
    assert teacher.family == "KiloNeRF"
    agree(teacher.fine, reference)


def test_broken_kilonerf_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint_0000010.pth"
    torch.save(as_finetuned(kilo_state()), file)
    refused(file, "--bounds", "bbox.txt")
    refused(file, "box", overrides=Overrides(bounds=np.array([[0, 0, 0], [1, -1, 1.0]])))
    (tmp_path / "bbox.txt").write_text("1 1 1 0 0 0")
    refused(file, "box")
    (tmp_path / "bbox.txt").write_text(BOX_FILE)
    for change, word in (
        ({"pts_linears.1": (24, 16, 17)}, "17 inputs"),
        ({"pts_linears.0": (24, 16, 64)}, "64 inputs"),
        ({"rgb_linear": (24, 4, 12)}, "do not fit"),
        ({"direction_layer": (24, 12, 40)}, "direction_layer"),
        ({"alpha_linear": (23, 1, 16)}, "24 networks"),
        ({"rgb_linear": (3, 12)}, "24 networks"),
        ({"pts_linears.0": (0, 16, 63)}, "0 networks"),
    ):
        torch.save(as_finetuned(kilo_state(change)), file)
        refused(file, word)
    content = as_finetuned(kilo_state())
    for name, value, word in (
        ("alpha_linear.bias", torch.full((24, 1), math.nan), "NaN"),
        ("alpha_linear.bias", torch.zeros(24), "24 networks"),
        ("pts_linears.0.weight", torch.tensor(1.0), "0 networks"),
        ("alpha_linear.bias", None, "no state dict"),
        ("x", Hostile(f"touch {tmp_path / 'trace'}"), "refused unread"),
    ):
        changed = content["model_state_dict"] | {name: value}
        torch.save(content | {"model_state_dict": changed}, file)
        refused(file, word)
    changed = {k: v for k, v in content["model_state_dict"].items() if "alpha" not in k}
    torch.save(content | {"model_state_dict": changed}, file)
    refused(file, "alpha_linear is missing")
    torch.save(content, file)
    for text in (f"fixed_resolution: [{10**30}, 1, 1]", "a: [", "7"):  # nothing that it could mean
        (tmp_path / "c.yaml").write_text(text)
        load_teacher(file)
    (tmp_path / "c.yaml").write_text("fixed_resolution: [3, 4, 4]")
    refused(file, "48 networks")
    assert not (tmp_path / "trace").exists()


# ---------------------------------------------------------------------------------------------- damaged members

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


# --------------------------------------------------------------------------------------------------- real files


def psnr_of_lego(teacher: Teacher, data: Path, view: int) -> float:
    """On black, at 100 x 100; of a few hundred random pixels where there is no GPU."""
    photo = read_photos(data / "nerf_synthetic" / "lego_400", "test", teacher.scene.principal_shift)[view]
    pixels = torch.as_tensor(photo.pixels(100, (0, 0, 0))).reshape(-1, 3).float().to(teacher.device)
    count = 400 if teacher.device.type == "cpu" else 5000
    chosen = torch.randperm(10000, generator=torch.Generator().manual_seed(0))[:count].to(teacher.device)
    origins, directions = rendering.rays_of(photo.camera.resized(100, 100), teacher.device)
    color = rendering.render_rays(teacher, origins[chosen], directions[chosen])[:, :3]
    return float(-10 * torch.log10(((color - pixels[chosen]) ** 2).mean()))


@pytest.mark.parametrize(
    ("name", "samples", "least"),
    [("layernorm_lego.pth", (64, 0), (30.4, 29.9)), ("slang_tinynerf_lego.pt", (96, 32), (25.8, 28.0))],
)
def test_foreign_legos_reach_their_figures(
    data: Path, name: str, samples: tuple[int, int], least: tuple[float, float]
) -> None:
    """Views r_0 and r_96: all pixels and samples give 30.9 and 30.4 dB; 27.5 (27.3 by its own program) and 28.3."""
    teacher = load_teacher(data / "checkpoints" / "foreign" / name, DEVICE)
    scene = replace(teacher.scene, coarse_samples=samples[0], fine_samples=samples[1], near=2.6, far=5.5)
    for view, figure in zip((0, 12), least, strict=True):
        found = psnr_of_lego(replace(teacher, scene=scene), data, view)
        assert found > figure, found


def test_degenerate_fastnerf_is_loaded_and_said_to_be_so(data: Path) -> None:
    teacher = load_teacher(data / "checkpoints" / "foreign" / "fastnerf_degenerate.pth")
    assert teacher.fine.describe()["network"] == "8 layers of 384, a mixture of 8 colours"
    assert "training has failed" in teacher.scene.assumed[1]
    assert teacher.fine.describe()["density"] == "softplus, the same everywhere"
    points, directions = random_points()
    sigma, latent = teacher.fine.density(points)
    color = teacher.fine.color(latent, directions)
    assert bool(((sigma > 0.69) & (sigma < 0.70)).all())
    assert bool(((color > 0.51) & (color < 0.52)).all())  # uniform grey


def test_bmild_fern_is_loaded_from_its_folder(data: Path) -> None:
    teacher = load_teacher(data / "checkpoints" / "bmild-fern")
    assert teacher.coarse is not teacher.fine and isinstance(teacher.scene.space, Ndc)
    assert (teacher.scene.coarse_samples, teacher.scene.fine_samples) == (64, 128)
    assert teacher.fine.describe()["network"] == "8 layers of 256, skip into layer 5"
