"""The numbered examples run, and give what they promise."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import duplex
from duplex.assets import DEMO_BUNDLE
from duplex.baking.checkpoints import registry

pytestmark = pytest.mark.system
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SMALL = {
    "grid": 48,
    "scan": 32,
    "faces": 1500,
    "texels": 64,
    "views": 8,
    "view_size": 48,
    "steps": 20,
    "uncompressed": True,
    "crop_size": 24,
    "batch": 4,
}


def example(name: str) -> ModuleType:
    """The script ``name`` as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{name[:2]}", EXAMPLES / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_turntable(tmp_path: Path) -> None:
    frames = example("01_turntable").main(DEMO_BUNDLE, tmp_path / "turn")
    assert frames.shape == (8, 240, 320, 4) and len(list((tmp_path / "turn").glob("*.png"))) == 8
    assert not np.array_equal(frames[0], frames[4])


def test_a_bake_with_a_progress_callback(octahedron: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = example("02_bake_with_progress").main(octahedron, tmp_path / "scene.bundle", **SMALL)
    printed = capsys.readouterr().out
    assert "distillation: 100%" in printed and f"{bundle.faces} faces" in printed


def test_a_comparison_with_photos(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "few"  # three test photos of the chair that the demo shows
    (folder / "test").mkdir(parents=True)
    text = (data / "nerf_synthetic/chair/transforms_test.json").read_text()
    (folder / "transforms_test.json").write_text(text)
    (folder / "transforms_train.json").write_text(text)
    for photo in sorted((data / "nerf_synthetic/chair/test").glob("*.png"))[:3]:
        shutil.copy(photo, folder / "test")
    psnr = example("03_compare_with_photos").main(DEMO_BUNDLE, folder, tmp_path / "worst.png", 64)
    assert psnr > 20 and capsys.readouterr().out.count("SSIM") == 3
    assert Image.open(tmp_path / "worst.png").size == (128, 64)


def test_a_bundle_read_without_duplex(demo_file: Path) -> None:
    found = example("04_read_bundle_without_duplex").main(demo_file)
    bundle = duplex.load(demo_file)
    assert np.allclose(found["outer"]["positions"], bundle.outer.mesh.positions, atol=1e-6)
    assert np.array_equal(found["inner"]["faces"], bundle.inner.mesh.faces)
    assert all(np.array_equal(found["weights"][f"layers.{i}.weight"], w) for i, w in enumerate(bundle.weights.weights))


def test_a_family_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", [])
    teacher = example("05_custom_checkpoint_family").main(tmp_path / "balls.pt")
    assert teacher.family == "balls"


def test_a_matplotlib_figure(tmp_path: Path) -> None:
    example("06_matplotlib_figure").main(DEMO_BUNDLE, tmp_path / "figure.png")
    assert Image.open(tmp_path / "figure.png").size == (1200, 400)


def test_every_example_is_tested() -> None:
    tested = set(re.findall(r'example\("(\w+)"\)', Path(__file__).read_text()))
    assert {file.stem for file in EXAMPLES.glob("*.py")} <= tested
