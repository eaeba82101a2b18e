"""Photos tell how a network of foreign names is wired."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from builders import synthetic
from duplex.app.core.errors import DuplexError
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera, look_at
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides
from duplex.baking.provenance import Provenance, overrides_of
from duplex.baking.reading_search import settled
from duplex.baking.runtime.progress import reporting
from duplex.baking.subject import SceneOptions, Subject, read_subject

POINT, W = synthetic.POINT_WIDTH, 8


def fork(file: Path, hidden_first: bool, views_first: bool = False) -> Path:
    """The octahedron under foreign names, in a bare state dict, wired as the arguments say."""
    state = synthetic.nerf_pytorch_state()
    skip, view = state["pts_linears.2.weight"], state["views_linears.0.weight"]
    if hidden_first:
        state["pts_linears.2.weight"] = torch.cat([skip[:, POINT:], skip[:, :POINT]], -1)
    if views_first:
        state["views_linears.0.weight"] = torch.cat([view[:, W:], view[:, :W]], -1)
    names = {"pts_linears": "trunk", "alpha_linear": "sigma", "feature_linear": "mid", "views_linears": "dir"}
    torch.save({f"{names.get(k.split('.')[0], 'rgb')}.{k.partition('.')[2]}": v for k, v in state.items()}, file)
    return file


def photographed(folder: Path, other: bool = False) -> Path:
    """A dataset of the octahedron on white in the Blender layout; ``other``: of something else."""
    (folder / "train").mkdir(parents=True)
    frames = []
    for i in range(3):
        eye = 4 * np.array([np.cos(2 * i), np.sin(2 * i), 0.5])
        pose = look_at(eye, np.zeros(3), np.array([0, 0, 1.0]))
        pixels = picture(Camera(pose, 32, 32, 46.0, 46.0, 16.0, 16.0)) * 255
        if other:
            pixels = np.random.default_rng(i).uniform(0, 255, pixels.shape)
        Image.fromarray(pixels.round().astype(np.uint8)).save(folder / "train" / f"r_{i}.png")
        frames.append({"file_path": f"./train/r_{i}", "transform_matrix": pose.tolist()})
    angle = 2 * float(np.arctan(16 / 46))
    (folder / "transforms_train.json").write_text(json.dumps({"camera_angle_x": angle, "frames": frames}))
    return folder


def picture(camera: Camera) -> np.ndarray:
    """What ``camera`` sees of the octahedron on white, (h, w, 3) in [0, 1], by 128 samples a ray."""
    d = F.normalize(torch.from_numpy(camera.ray_directions().reshape(-1, 1, 3)).float(), dim=-1)
    t = torch.linspace(2, 6, 128)[:, None]
    points = (torch.tensor(camera.position, dtype=torch.float32) + t * d).reshape(-1, 3)
    alpha = 1 - torch.exp(-synthetic.density(points).view(-1, 128) * 4 / 128)
    weights = alpha * torch.cumprod(torch.cat([torch.ones(len(alpha), 1), 1 - alpha[:, :-1]], 1), 1)
    colors = synthetic.color(points, d.expand(-1, 128, 3).reshape(-1, 3)).view(-1, 128, 3)
    seen = (weights[..., None] * colors).sum(1) + 1 - weights.sum(1, keepdim=True)
    return seen.view(camera.height, camera.width, 3).numpy()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photographed(tmp_path_factory.mktemp("photos") / "data")


def told(checkpoint: Path, data: Path | None, **options: object) -> tuple[Subject, list[str]]:
    lines: list[str] = []
    with reporting(lambda event: lines.append(event.message)):
        return read_subject(checkpoint, data, "cpu", replace(SceneOptions(), **options)), lines  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hidden_first", "views_first", "found"),
    [
        (True, False, {"skip_order": "hidden-first"}),
        (False, False, {"skip_order": "encoded-first"}),
        (True, True, {"skip_order": "hidden-first"}),
    ],
)
def test_photos_pick_the_reading(
    tmp_path: Path, photos: Path, hidden_first: bool, views_first: bool, found: dict[str, str]
) -> None:
    file = fork(tmp_path / "a.pth", hidden_first, views_first=views_first)
    subject, lines = told(file, photos)
    note = next(line for line in lines if "found by 3 photos" in line)
    assert found["skip_order"] in note and "dB; next" in note
    overrides = subject.teacher.overrides
    assert overrides.skip_order == found["skip_order"] and ("views-first" in (overrides.wiring or ())) == views_first
    assert not subject.teacher.questions and not any("--skip-order" in line for line in subject.teacher.scene.assumed)
    own = load_teacher(synthetic.write_nerf_pytorch(tmp_path / "own.tar"))
    points = torch.rand(300, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    assert torch.allclose(subject.teacher.fine.density(points)[0], own.fine.density(points)[0], atol=1e-4)
    kept = Provenance.of(subject.teacher)  # so that duplex-eval reads the teacher in the same way
    assert kept.skip_order == found["skip_order"] and kept.wiring == list(overrides.wiring or ())


def test_without_photos_the_usual_is_assumed_and_flags_decide(tmp_path: Path) -> None:
    file = fork(tmp_path / "a.pth", hidden_first=True)
    subject, lines = told(file, None)
    assert any("skips encoded-first" in line and "--skip-order hidden-first" in line for line in lines)
    subject, lines = told(file, None, skip_order="hidden-first", wiring=["linear-feature"])
    assert not any("--skip-order" in line for line in lines) and subject.teacher.overrides.wiring == ("linear-feature",)


def test_what_the_user_says_is_no_question(tmp_path: Path, photos: Path) -> None:
    file = fork(tmp_path / "a.pth", hidden_first=True)
    subject, _ = told(file, photos, skip_order="encoded-first")
    assert subject.teacher.overrides.skip_order == "encoded-first"


def test_photos_of_another_scene_change_nothing(tmp_path: Path) -> None:
    file, data = fork(tmp_path / "a.pth", hidden_first=True), photographed(tmp_path / "data", other=True)
    subject, lines = told(file, data)
    assert any("no reading of this network draws 3 photos" in line for line in lines)
    assert any("skips encoded-first" in line for line in subject.teacher.scene.assumed)


def test_no_photos_no_search(tmp_path: Path) -> None:
    teacher = load_teacher(fork(tmp_path / "a.pth", hidden_first=True))
    assert teacher.questions and settled(teacher, [], lambda given: pytest.fail(str(given))) is teacher
    assert not load_teacher(synthetic.write_nerf_pytorch(tmp_path / "b.tar"), overrides=Overrides()).questions


def test_a_bundle_keeps_the_reading(demo: Bundle) -> None:
    kept = {"skip_order": "hidden-first", "wiring": ["pi-frequencies", "no-feature"]}
    found = overrides_of(replace(demo, teacher=demo.teacher | kept))
    assert (found.skip_order, found.wiring) == ("hidden-first", ("pi-frequencies", "no-feature"))
    assert overrides_of(demo).wiring is None
    for wrong in (["other"], "pi-frequencies", ["no-feature"] * 40):
        with pytest.raises(DuplexError, match="wiring"):
            overrides_of(replace(demo, teacher=demo.teacher | {"wiring": wrong}))
