"""duplex-train: small scenes of an octahedron, whose photos its hand-made teacher renders."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import synthetic
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file

from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera import Camera, look_at
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.commands.train import main
from duplex.baking.datasets.photos import Photo
from duplex.baking.datasets.reading import read_dataset
from duplex.baking.fields import rendering
from duplex.baking.fields.factors import VmSplit
from duplex.baking.training import grids
from duplex.baking.training.config import TrainConfig
from duplex.baking.training.hull import seen_vertices
from duplex.baking.training.job import TrainingWorkspace, TrainJob, model_of, train
from duplex.baking.training.marching import gathered, weights_of
from duplex.baking.training.mlp import MlpConfig, named, new_network
from duplex.baking.training.occupancy import Occupancy, before
from duplex.baking.training.photos import PhotoSet
from duplex.baking.training.scene import Given, background_of, bounds_of, scene_of, split
from duplex.baking.training.tensorf import TensorfConfig
from duplex.baking.training.trainer import Trainer, TrainingConfig

SIZE, FOV = 32, 0.7
SMALL = TensorfConfig(voxels=32, first_voxels=20, density=4, app=6, features=6, width=16, batch=3000)
FLAGS = ["--size", "32", "--voxels", "32", "--first-voxels", "20", "--density", "4", "--app", "6", "--features", "6"]
FLAGS += ["--width", "16", "--batch", "3000"]
SCRIPT = "import sys; from duplex.baking.commands.train import main; sys.exit(main())"


def write_dataset(folder: Path, *, alpha: bool = True) -> Path:
    """16 training and 4 test photos of the octahedron, as a Blender dataset."""
    teacher = load_teacher(synthetic.write_nerf_pytorch(folder.parent / f"{folder.name}.tar"))
    rng = np.random.default_rng(5)
    for name, count in (("train", 16), ("test", 4)):
        frames = []
        (folder / name).mkdir(parents=True)
        for i in range(count):
            direction = rng.normal(size=3)
            direction[2] = abs(direction[2])
            pose = look_at(4 * direction / np.linalg.norm(direction), np.zeros(3), np.array([0.0, 0, 1]))
            rgba = rendering.render(teacher, Camera.from_fov(pose, SIZE, SIZE, FOV)).numpy()
            color = rgba[..., :3] / np.maximum(rgba[..., 3:], 1e-6) if alpha else rgba[..., :3] + 1 - rgba[..., 3:]
            picture = np.concatenate([color, rgba[..., 3:]], -1)[..., : 4 if alpha else 3]
            Image.fromarray(np.rint(picture.clip(0, 1) * 255).astype(np.uint8)).save(folder / name / f"{i}.png")
            frames.append({"file_path": f"./{name}/{i}", "transform_matrix": pose.tolist()})
        (folder / f"transforms_{name}.json").write_text(json.dumps({"camera_angle_x": FOV, "frames": frames}))
    return folder


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Many small operations: waiting for a second thread takes longer than they do when others use the machine."""
    before_it = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before_it)


@pytest.fixture(scope="module")
def photos_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("photos") / "octahedron")


def job_of(folder: Path, steps: int, field: str = "tensorf", given: Given | None = None) -> TrainJob:
    mlp = MlpConfig(layers=3, hidden=48, coarse=24, fine=12, rays=256, mlp_rate=0.005)
    config = TrainConfig(TrainingConfig(size=SIZE, steps=steps, views=4), SMALL, mlp)
    return TrainJob(read_dataset(folder), field, config, given or Given(), 0, torch.device("cpu"))


def trainer_of(job: TrainJob) -> Trainer:
    torch.manual_seed(job.seed)
    shown, unseen = split(job.dataset)
    photos, held_out = PhotoSet.read(shown, SIZE), PhotoSet.read(unseen, SIZE)
    model = model_of(job, photos, scene_of(job.dataset, shown, photos, job.given))
    return Trainer(model, held_out, job.config.training, job.seed)


def constant_psnr(photos: PhotoSet) -> float:
    """What the best picture of a single colour reaches."""
    rgba = photos.colors(photos.usable)
    on_white = rgba[:, :3] + 1 - rgba[:, 3:]
    return -10 * float(torch.log10(((on_white - on_white.mean(0)) ** 2).mean()))


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    full = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
    return subprocess.run(full, capture_output=True, text=True, env=environment, check=False)


def test_a_small_scene_is_learned_and_the_checkpoint_is_the_field(photos_folder: Path, tmp_path: Path) -> None:
    trainer = trainer_of(job_of(photos_folder, 400))
    trainer.train(tmp_path / "state.safetensors")
    assert trainer.held_out is not None
    found = float(np.mean(trainer.judge(4)))
    assert found > 26 and found > constant_psnr(trainer.held_out) + 12

    (tmp_path / "scene.th").write_bytes(trainer.model.checkpoint())
    teacher, model = load_teacher(tmp_path / "scene.th"), trainer.model
    assert teacher.family == "TensoRF" and isinstance(teacher.fine, VmSplit) and not teacher.scene.assumed
    assert (teacher.scene.near, teacher.scene.far, teacher.scene.background) == (2, 6, (1, 1, 1))
    assert teacher.scene.principal_shift == 0 and np.allclose(teacher.scene.bounds, teacher.fine.box)
    o, d = trainer.held_out.rays(trainer.held_out.usable)
    drawn = model.render_rays(o, d)
    model.field, kept = teacher.fine, model.field  # type: ignore[attr-defined]
    assert torch.equal(model.render_rays(o, d), drawn)
    points = kept.low + kept.size * torch.rand(2000, 3)
    inside = teacher.fine.mask(points)
    assert 0.02 < float(inside.float().mean()) < 0.98
    sigma = teacher.fine.density(points)[0]
    assert torch.equal(sigma > 0, inside) and torch.allclose(sigma[inside], kept.density(points)[0][inside])

    standard = rendering.render_rays(teacher, o, d)  # another quadrature of the same field
    assert -10 * float(torch.log10(((standard - drawn) ** 2).mean())) > found


def test_the_checkpoint_has_the_members_of_the_original(photos_folder: Path, tmp_path: Path) -> None:
    trainer = trainer_of(job_of(photos_folder, 30))
    trainer.train(tmp_path / "state")
    (tmp_path / "scene.th").write_bytes(trainer.model.checkpoint())
    numpy_names = [np._core.multiarray._reconstruct, np.ndarray, np.dtype, type(np.dtype("u1"))]  # type: ignore[attr-defined]
    with torch.serialization.safe_globals(numpy_names):
        content = torch.load(tmp_path / "scene.th", weights_only=True)
    kwargs, volume = content["kwargs"], content["alphaMask.shape"]
    assert " ".join(sorted(kwargs)) == (
        "aabb alphaMask_thres app_dim appearance_n_comp density_n_comp density_shift distance_scale fea2denseAct "
        "fea_pe featureC gridSize near_far pos_pe rayMarch_weight_thres shadingMode step_ratio view_pe"
    )
    x, _, z = kwargs["gridSize"]
    assert content["state_dict"]["density_plane.1"].shape == (1, 4, z, x)
    assert content["state_dict"]["app_line.0"].shape == (1, 6, z, 1)
    assert len(volume) == 5 and content["alphaMask.mask"].size == -(-int(np.prod(volume)) // 8)
    assert all(value.is_contiguous() for value in content["state_dict"].values())


def test_photos_without_alpha_are_learned_too(tmp_path: Path) -> None:
    trainer = trainer_of(job_of(write_dataset(tmp_path / "rgb", alpha=False), 300))
    assert tuple(trainer.model.background.tolist()) == (1, 1, 1)  # their corners are white
    trainer.train(tmp_path / "state")
    assert trainer.held_out is not None
    assert np.mean(trainer.judge(4)) > constant_psnr(trainer.held_out) + 8


def test_the_network_of_the_paper_is_learned_and_round_trips(photos_folder: Path, tmp_path: Path) -> None:
    trainer = trainer_of(job_of(photos_folder, 300, "mlp"))
    trainer.train(tmp_path / "state")
    assert trainer.held_out is not None
    found = float(np.mean(trainer.judge(2)))
    assert found > constant_psnr(trainer.held_out) + 4
    (tmp_path / "scene.tar").write_bytes(trainer.model.checkpoint())
    (tmp_path / "args.txt").write_text("dataset_type = llff\n")  # of somebody else's checkpoint
    teacher = load_teacher(tmp_path / "scene.tar")
    assert teacher.family == "nerf-pytorch" and (teacher.scene.coarse_samples, teacher.scene.fine_samples) == (24, 12)
    o, d = trainer.held_out.rays(trainer.held_out.usable[:500])
    assert torch.equal(rendering.render_rays(teacher, o, d), trainer.model.render_rays(o, d))


def test_a_network_deeper_than_five_has_the_original_skip() -> None:
    weights = named(new_network(MlpConfig(layers=8, hidden=32)))
    assert [weights[f"pts_linears.{i}.weight"].shape[1] for i in range(8)] == [63, 32, 32, 32, 32, 95, 32, 32]


def test_resuming_ends_where_an_uninterrupted_training_does(photos_folder: Path, tmp_path: Path) -> None:
    job = job_of(photos_folder, 60)
    whole = trainer_of(job)
    whole.train(tmp_path / "whole")
    first = trainer_of(job)
    while first.step < 35:  # behind masks and refinements
        first._advance()
    first.save(tmp_path / "half")
    second = trainer_of(job)
    torch.manual_seed(99)
    second.load(tmp_path / "half")
    assert second.step == 35
    second.train(tmp_path / "half")
    for (name, one), other in zip(whole.model.tensors().items(), second.model.tensors().values(), strict=True):
        assert torch.allclose(one.float(), other.float(), atol=1e-4), name


def test_a_training_goes_on_where_random_numbers_are_of_another_kind(photos_folder: Path, tmp_path: Path) -> None:
    trainer = trainer_of(job_of(photos_folder, 20))
    trainer.step = 7
    trainer.save(tmp_path / "state")
    tensors = load_file(tmp_path / "state")
    save_file(tensors | {"generator": torch.zeros(16, dtype=torch.uint8)}, tmp_path / "state")  # as a GPU's
    trainer.load(tmp_path / "state")
    trainer.train(tmp_path / "state")
    assert trainer.step == 20


def test_held_out_photos_look_the_same_after_the_last_step(photos_folder: Path, tmp_path: Path) -> None:
    trainer = trainer_of(job_of(photos_folder, 60))
    trainer.train(tmp_path / "state")
    again = trainer_of(job_of(photos_folder, 60))
    again.load(tmp_path / "state")
    assert again.judge(2) == pytest.approx(trainer.judge(2), abs=1e-4)


def test_masks_do_not_make_photos_transparent(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "rgb", alpha=False)
    mask = np.full((SIZE, SIZE), 255, np.uint8)
    mask[:4] = mask[:, :4] = 0
    Image.fromarray(mask).save(folder / "mask.png")
    Image.fromarray(0 * mask).save(folder / "nothing.png")
    dataset = read_dataset(folder)

    def masked(name: str, photos: tuple[Photo, ...]) -> list[Photo]:
        return [replace(photo, mask=folder / name) for photo in photos]

    shown = PhotoSet.read(masked("mask.png", dataset.photos["train"]), SIZE)
    assert len(shown.usable) == 16 * (SIZE - 4) ** 2 and not shown.has_alpha
    assert background_of(shown) == (1, 1, 1)  # by the corners that are left
    nothing = replace(
        dataset, photos={**dataset.photos, "train": tuple(masked("nothing.png", dataset.photos["train"]))}
    )
    job = job_of(folder, 3, "mlp")
    with (
        pytest.raises(DuplexError, match="no pixel of 16 photos counts"),
        TrainingWorkspace(tmp_path / "x", "", False, False) as workspace,
    ):
        train(replace(job, dataset=nothing), tmp_path / "x", workspace)
    trainer = trainer_of(job)
    unseen = dataset.photos["test"]
    trainer.held_out = PhotoSet.read([*masked("nothing.png", unseen[:1]), unseen[1]], SIZE)
    assert len(trainer.judge(4)) == 1


def test_the_box_of_wide_photos_is_wide(photos_folder: Path) -> None:
    dataset = replace(read_dataset(photos_folder), near=0.1, far=10.0)
    wide = Camera.from_fov(look_at(np.zeros(3), np.array([0, 0, -1.0]), np.array([0, 1.0, 0])), 160, 90, 0.7)
    photos = [Photo(wide, photos_folder / "none.png")]
    low, high = bounds_of(dataset, photos, 0.1, 10.0)
    assert (high[0] - low[0]) / (high[1] - low[1]) == pytest.approx(160 / 90, rel=0.1)


@pytest.mark.parametrize("middle", [0.0, 100.0])
def test_which_side_cameras_saw_does_not_depend_on_where_the_origin_is(photos_folder: Path, middle: float) -> None:
    at, rng = np.array([middle, 0, 0]), np.random.default_rng(0)
    directions = rng.normal(size=(40, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    dataset, pixels = replace(read_dataset(photos_folder), near=1.0, far=5.0), trainer_of(job_of(photos_folder, 1))
    for side, expected in ((directions, False), (np.abs(directions), True)):
        cameras = [Camera.from_fov(look_at(at + 3 * d, at, np.array([0, 0, 1.0])), 20, 20, 0.7) for d in side]
        photos = [Photo(camera, photos_folder / "none.png") for camera in cameras]
        given = Given(background=(1, 1, 1), bounds=np.stack([at - 1, at + 1]))
        scene = scene_of(dataset, photos, pixels.model.photos, given)  # type: ignore[attr-defined]
        assert scene.hemisphere is expected


def test_a_killed_training_goes_on(photos_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "scene.th"
    arguments = [photos_folder, "-o", output, *FLAGS, "--steps", "300"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    script = "import duplex.baking.training.trainer as t; t.SAVE_SECONDS = 0.5; " + SCRIPT
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], env=environment, stderr=subprocess.DEVNULL
    )
    state = tmp_path / "scene.th.training" / "training.safetensors"
    deadline = time.monotonic() + 60
    while not state.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert state.exists() and not output.exists()
    again = command(*arguments)
    assert again.returncode == 2 and "--resume" in again.stderr and "training" in again.stderr
    other = command(*arguments, "--resume", "--seed", "3")
    assert other.returncode == 2 and "other settings" in other.stderr
    resumed = command(*arguments, "--resume", "--json")
    assert resumed.returncode == 0 and "goes on from step" in resumed.stderr
    report = json.loads(resumed.stdout)
    assert report["steps"] == 300 and report["psnr"] > 20 and len(report["views"]) == 4
    assert load_teacher(output).family == "TensoRF" and [f.name for f in tmp_path.iterdir()] == ["scene.th"]


def test_wrong_arguments_are_one_sentence_each(
    photos_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "scene.th"
    for arguments, words in (
        ([tmp_path, "-o", output], "no dataset in this folder"),
        ([photos_folder, "-o", tmp_path], "a folder"),
        ([photos_folder, "-o", tmp_path / "none" / "x.th"], "no such folder"),
        ([photos_folder, "-o", output, "--steps", "0"], "--steps 0"),
        ([photos_folder, "-o", output, "--first-voxels", "200"], "--first-voxels 200"),
        ([photos_folder, "-o", output, "--device", "tpu"], "--device tpu"),
        ([photos_folder, "-o", output, "--background", "mauve"], "--background mauve"),
        ([photos_folder, "-o", output, "--near", "9"], "--near 9"),
        ([photos_folder, "-o", output, "--bounds", "5", "5", "5", "6", "6", "6"], "--bounds"),
    ):
        monkeypatch.setattr(sys, "argv", ["duplex-train", *map(str, arguments)])
        assert main() == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert lines[-1].startswith("error: ") and words in lines[-1], lines
        assert not list(tmp_path.iterdir())


def test_weights_have_the_values_and_gradients_of_the_formula() -> None:
    ray = torch.tensor([0, 0, 0, 2, 2, 3])
    depth = torch.tensor([0.3, 1.0, 0.2, 2.0, 0.1, 0.5], requires_grad=True)
    factor = torch.tensor([1.0, -2.0, 3.0, 0.5, 4.0, 1.5])
    (weights_of(depth, ray, 5) * factor).sum().backward()
    found, naive = depth.grad.clone(), depth.detach().clone().requires_grad_(True)
    total = torch.zeros(())
    for i in range(6):
        through = sum((naive[j] for j in range(i) if ray[j] == ray[i]), torch.zeros(()))
        total = total + factor[i] * torch.exp(-through) * (1 - torch.exp(-naive[i]))
    total.backward()
    assert torch.allclose(found, naive.grad, atol=1e-6)
    assert before(torch.ones(6), ray, 5).tolist() == [0, 1, 2, 0, 1, 0]


def test_a_colour_stands_for_the_weight_gathered_since_the_one_before() -> None:
    ray = torch.tensor([0, 0, 0, 0, 2, 2, 3])
    weight = torch.tensor([0.4, 0.4, 0.4, 2.5, 0.7, 0.7, 0.2], requires_grad=True)
    index, share = gathered(weight, ray, 4, 1.0)
    assert index.tolist() == [2, 3, 5] and share.tolist() == pytest.approx([1.2, 2.5, 1.4])
    (gradient,) = torch.autograd.grad((share * torch.tensor([1.0, 2.0, 3.0])).sum(), weight)
    assert gradient.tolist() == [1, 1, 1, 2, 3, 3, 0]


def test_samples_are_those_steps_that_lie_in_occupied_cells() -> None:
    generator = torch.Generator().manual_seed(7)
    box = torch.tensor([[-1.0, -0.5, 0.0], [1.0, 1.0, 1.5]])
    vertices = torch.rand(7, 9, 11, generator=generator) < 0.03
    occupancy, step = Occupancy(box, vertices), 0.04
    target = box[0] + (box[1] - box[0]) * torch.rand(40, 3, generator=generator)
    o = F.normalize(torch.randn(40, 3, generator=generator), dim=-1) * 4
    d = F.normalize(target - o, dim=-1)
    limits = occupancy.interval(o, d)
    offset = torch.rand(40, generator=generator)
    ray, t = occupancy.samples(o, d, limits, step, offset)
    expected = []
    for i in range(40):
        for k in range(200):
            at = float(limits[0][i]) + step * (k + float(offset[i]))
            if at >= float(limits[1][i]):
                break
            place = (o[i] + at * d[i] - box[0]) / (box[1] - box[0]) * torch.tensor([10, 8, 6])
            x, y, z = (min(max(int(v), 0), s) for v, s in zip(place, (9, 7, 5), strict=True))
            if bool(vertices[z : z + 2, y : y + 2, x : x + 2].any()):
                expected.append((i, at))
    found = list(zip(ray.tolist(), t.tolist(), strict=True))
    differing = {(i, round(a, 3)) for i, a in found} ^ {(i, round(a, 3)) for i, a in expected}
    assert len(expected) > 100 and len(differing) <= 2 + len(expected) // 100  # rounding at the cells' faces
    hit = occupancy.touched(o, d, limits, step)
    assert all(bool(hit[i]) for i, _ in expected)


def test_looking_a_mask_up_at_its_own_vertices_gives_it_back() -> None:
    box = torch.tensor([[-0.7913, -0.7677, -1.0748], [0.7441, 0.8150, 1.1220]])
    vertices = torch.rand(60, 41, 53, generator=torch.Generator().manual_seed(0)) < 0.1
    axes = [torch.linspace(0, 1, side) for side in vertices.shape]
    unit = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], -1).view(-1, 3)
    found = Occupancy(box, vertices).touches(box[0] + unit * (box[1] - box[0]))
    assert torch.equal(found.view(vertices.shape), vertices)  # else it grows with every update


def test_what_is_opaque_hides_what_lies_behind() -> None:
    box = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])
    vertices, sigma = torch.ones(11, 11, 11, dtype=torch.bool), torch.full((11, 11, 11), 100.0)
    o, d = torch.tensor([[0.0, 0.0, -3.0]]), torch.tensor([[0.0, 0.0, 1.0]])
    limits = (torch.tensor([2.0]), torch.tensor([4.0]))
    _, whole = Occupancy(box, vertices).samples(o, d, limits, 0.05, torch.tensor([0.5]))
    _, seen = Occupancy(box, vertices, sigma).samples(o, d, limits, 0.05, torch.tensor([0.5]))
    assert len(whole) == 40 and 2 <= len(seen) <= 4 and torch.equal(seen, whole[: len(seen)])


def test_the_hull_holds_the_solid_and_little_else(photos_folder: Path) -> None:
    photos = PhotoSet.read(read_dataset(photos_folder).photos["train"], SIZE)
    box = torch.tensor([[-1.5] * 3, [1.5] * 3])
    vertices = seen_vertices(photos, box, (40, 44, 48))
    axes = [torch.linspace(-1.5, 1.5, n) for n in (40, 44, 48)]
    z, y, x = torch.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    solid = x.abs() + y.abs() + z.abs() < synthetic.RADIUS
    assert bool(vertices[solid].all())
    far = x.abs() + y.abs() + z.abs() > 2 * synthetic.RADIUS
    assert float(vertices[far].float().mean()) < 0.05


def test_rays_are_those_of_the_cameras(photos_folder: Path) -> None:
    photo = read_dataset(photos_folder).photos["test"][2]
    photos = PhotoSet.read([read_dataset(photos_folder).photos["test"][0], photo], 16)
    o, d = photos.rays(torch.arange(256, 512))
    wanted = rendering.rays_of(photo.camera.resized(16, 16), torch.device("cpu"))
    assert torch.allclose(o, wanted[0]) and torch.allclose(d, wanted[1], atol=1e-6)
    rgba = photos.colors(torch.arange(256, 512)).view(16, 16, 4).numpy()
    assert np.abs(rgba - photo.rgba(16)[0]).max() <= 0.5 / 255 + 1e-6


def test_a_field_in_a_smaller_box_stays_the_same_there() -> None:
    torch.manual_seed(0)
    box = torch.tensor([[-1.0, -2.0, -1.0], [1.0, 2.0, 3.0]])
    field = grids.new_field(box, (5, 9, 9), SMALL, 0.15)
    smaller = torch.tensor([[-0.5, -1.0, 0.0], [1.0, 1.5, 2.5]])
    points = smaller[0] + (smaller[1] - smaller[0]) * torch.rand(300, 3)
    before_it, _ = field.density(points)
    grids.resample(field, (4, 6, 6), smaller)  # the same cells
    assert torch.allclose(field.box, smaller)
    assert torch.allclose(field.density(points)[0], before_it, rtol=1e-3)
    grids.resample(field, (7, 11, 11), smaller)  # each of them halved
    assert torch.allclose(field.density(points)[0], before_it, rtol=1e-3)


def test_added_gradients_are_those_of_the_penalties() -> None:
    torch.manual_seed(0)
    field = grids.new_field(torch.tensor([[-1.0] * 3, [1.0] * 3]), (5, 6, 7), SMALL, 0.15)
    for parameter in field.parameters():
        parameter.grad = torch.zeros_like(parameter)
    grids.add_sparsity(field, 0.7)
    grids.add_variation(field, 0.3)
    found = {name: p.grad.clone() for name, p in field.named_parameters()}
    field.zero_grad()
    total = torch.zeros(())
    for name in ("density_plane", "density_line"):
        total = total + sum(0.7 * p.abs().mean() for p in getattr(field, name))
    for name in ("density_plane", "app_plane"):
        for p in getattr(field, name):
            total = total + 0.3 * 1e-2 * 2 * ((p[:, :, 1:] - p[:, :, :-1]) ** 2).mean()
            total = total + 0.3 * 1e-2 * 2 * ((p[..., 1:] - p[..., :-1]) ** 2).mean()
    total.backward()
    for name in ("density_plane.0", "density_line.1", "app_plane.2"):
        assert torch.allclose(found[name], field.get_parameter(name).grad, atol=1e-6), name


def test_forward_facing_photos_train_in_ndc(data: Path, tmp_path: Path) -> None:
    folder = data / "llff" / "fern"
    trainer = trainer_of(job_of(folder, 100))
    begin = np.mean(trainer.judge(2))
    trainer.train(tmp_path / "state")
    (tmp_path / "fern.th").write_bytes(trainer.model.checkpoint())
    teacher = load_teacher(tmp_path / "fern.th")
    assert teacher.scene.space.name == "ndc" and teacher.scene.space.field_views and teacher.scene.far == 1
    assert trainer.held_out is not None and np.mean(trainer.judge(2)) > begin + 4
    o, d = trainer.held_out.rays(trainer.held_out.usable[:300])
    difference = rendering.render_rays(teacher, o, d) - trainer.model.render_rays(o, d)
    assert float((difference**2).mean()) < 1e-3
