"""The Python API of bake, training and evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import duplex
from duplex.app.scene.bundle_writer import write_bundle
from duplex.baking.config import bake_config
from duplex.baking.runtime.progress import ProgressEvent

pytestmark = pytest.mark.system

SMALL = {"grid": 48, "scan": 32, "faces": 1500, "texels": 64, "views": 8, "view_size": 48, "steps": 30, "crop_size": 24,
         "uncompressed": True}  # fmt: skip


class Cancelled(Exception):
    """A caller's own."""


def test_a_cancelled_bake_is_resumed_with_the_same_result(octahedron: Path, tmp_path: Path) -> None:
    small = SMALL | {"uncompressed": False, "rate_steps": 4}
    whole = duplex.bake(octahedron, tmp_path / "whole.bundle", **small, batch=4)

    def cancel(event: ProgressEvent) -> None:
        if event.stage == "distillation" and event.done == 10:
            raise Cancelled

    output = tmp_path / "scene.bundle"
    with pytest.raises(Cancelled) as kept:  # the exception is kept: the workspace must be free all the same
        duplex.bake(octahedron, output, progress=cancel, **small, batch=4)
    assert not output.exists() and (tmp_path / "scene.bundle.baking" / "shells.safetensors").exists()
    with pytest.raises(duplex.DuplexError, match="an interrupted bake: go on with --resume"):
        duplex.bake(octahedron, output, **small, batch=4)
    events: list[ProgressEvent] = []
    resumed = duplex.bake(octahedron, output, progress=events.append, resume=True, **small, batch=4)
    assert (resumed.outer.texels == whole.outer.texels).all() and (
        resumed.outer.mesh.faces == whole.outer.mesh.faces
    ).all()
    assert all((a == b).all() for a, b in zip(resumed.weights.weights, whole.weights.weights, strict=True))
    assert not (tmp_path / "scene.bundle.baking").exists()
    stages = {event.stage for event in events if event.stage}
    assert "distillation" in stages and "scan" not in stages  # the density was kept
    assert kept.value.__traceback__ is not None
    read = duplex.load(output)
    assert (read.inner.texels == resumed.inner.texels).all() and read.report == resumed.report


def test_nothing_is_printed(octahedron: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    duplex.bake(octahedron, tmp_path / "scene.bundle", **SMALL, batch=4)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"texel": 64}, "texel=64: no such setting: did you mean texels?"),
        ({"quality": "best"}, "quality 'best': expected draft, standard, high"),
        ({"grid": 3}, "--grid 3: expected 16 to 1024"),
        ({"background": "beige"}, "--background beige: expected white, black or #rrggbb"),
        ({"seed": -1}, "--seed -1: expected 0 to 2^63 - 1"),
        ({"device": "tpu"}, "--device tpu: not available"),
        ({"grid": "64"}, "--grid '64': expected a whole number"),
        ({"texels": 64.0}, "--texels 64.0: expected a whole number"),
        ({"floater": None}, "--floater None: expected a number"),
        ({"doublings": (0.1,)}, "doublings=(0.1,): no such setting"),
        ({"seed": 1.5}, "--seed 1.5: expected 0 to 2^63 - 1"),
        ({"near": "2"}, "--near '2': expected a number"),
        ({"cameras": "ring"}, "--cameras 'ring': expected hemisphere, sphere"),
        ({"up": ["+z"]}, "--up ['+z']: expected +x, -x, +y"),
        ({"space": "polar"}, "--space 'polar': expected world, ndc, contracted"),
        ({"samples": (64,)}, "--samples (64,): expected two whole numbers"),
        ({"bounds": (1, 2, 3)}, "--bounds (1, 2, 3): expected low x y z, then"),
        ({"background": (1, 1, 1)}, "--background (1, 1, 1): expected white, black or #rrggbb"),
    ],
)
def test_a_wrong_setting_is_a_sentence(
    octahedron: Path, tmp_path: Path, settings: dict[str, object], words: str
) -> None:
    with pytest.raises(duplex.DuplexError) as error:
        duplex.bake(octahedron, tmp_path / "scene.bundle", **settings)
    assert str(error.value).startswith(words) and not list(tmp_path.glob("scene*"))


def test_numbers_of_numpy_are_numbers() -> None:
    config = bake_config("draft", {"grid": np.int64(64), "floater": 0, "bracketing": np.float32(0.5)})
    assert config.density.grid == 64 and type(config.density.grid) is int
    assert config.shells.bracketing == 0.5 and type(config.shells.floater) is float


def test_an_unknown_kind_of_field_is_not_trained(tmp_path: Path, data: Path) -> None:
    with pytest.raises(duplex.DuplexError, match="--field 'mpl': expected tensorf or mlp"):
        duplex.train(data / "nerf_synthetic" / "chair", tmp_path / "x.th", field="mpl")
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_is_opened_with_what_the_user_knows(octahedron: Path) -> None:
    teacher = duplex.open_checkpoint(octahedron, near=1.5, background="#ff0000")
    assert teacher.scene.near == 1.5 and teacher.scene.background == (1.0, 0.0, 0.0)
    with pytest.raises(duplex.DuplexError, match="nearr=1: no such setting: did you mean near"):
        duplex.open_checkpoint(octahedron, nearr=1)


def numbers_in(value: object, name: str = "") -> Iterator[tuple[str, float]]:
    """All numbers in nested dictionaries and lists, by their paths."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from numbers_in(inner, f"{name}/{key}")
    elif isinstance(value, int | float):
        yield name, float(value)


def test_a_bundle_in_memory_is_evaluated_as_its_file(octahedron: Path, tmp_path: Path) -> None:
    output = tmp_path / "scene.bundle"
    bundle = duplex.bake(octahedron, output, **SMALL, batch=4)
    assert write_bundle(bundle) == output.read_bytes()
    options = {"teacher": octahedron, "views": 1, "size": 32, "lpips": False, "fast": True}
    first, second = (duplex.evaluate(scene, **options).to_json() for scene in (bundle, output))
    found, expected = (dict(numbers_in(each)) for each in (first, second))
    assert found == pytest.approx(expected, rel=1e-6) and len(found) > 20  # sums differ by where arrays lie in memory
    assert first["teacher"]["psnr"] > 10
    with pytest.raises(duplex.DuplexError, match="sise=32: no such setting: did you mean size"):
        duplex.evaluate(bundle, sise=32)
    with pytest.raises(duplex.DuplexError, match="--views '3': expected a whole number"):
        duplex.evaluate(bundle, views="3")


def test_every_public_name_is_there() -> None:
    assert all(getattr(duplex, name) is not None for name in duplex.__all__)
    assert set(dir(duplex)) == set(duplex.__all__)
    with pytest.raises(AttributeError, match="no attribute 'bakery'"):
        duplex.bakery  # noqa: B018
