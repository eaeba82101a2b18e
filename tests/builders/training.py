"""Photos of the octahedron and small trainings on them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from builders import synthetic
from duplex.app.scene.camera import Camera, look_at
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.datasets.reading import read_dataset
from duplex.baking.fields import rendering
from duplex.baking.training.config import TrainConfig
from duplex.baking.training.job import TrainJob, model_of, with_space
from duplex.baking.training.mlp import MlpConfig
from duplex.baking.training.photos import PhotoSet
from duplex.baking.training.scene import Given, scene_of, split
from duplex.baking.training.tensorf_config import TensorfConfig
from duplex.baking.training.trainer import FieldTrainer, TrainingConfig

SIZE, FOV = 32, 0.7
SMALL = TensorfConfig(voxels=32, first_voxels=20, density=4, app=6, features=6, width=16, batch=3000)


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


def job_of(folder: Path, steps: int, field: str = "tensorf", given: Given | None = None) -> TrainJob:
    mlp = MlpConfig(layers=3, hidden=48, coarse=24, fine=12, rays=256, mlp_rate=0.005)
    config = TrainConfig(TrainingConfig(size=SIZE, steps=steps, views=4), SMALL, mlp)
    return TrainJob(read_dataset(folder), field, config, given or Given(), 0, torch.device("cpu"))


def trainer_of(job: TrainJob) -> FieldTrainer:
    torch.manual_seed(job.seed)
    shown, unseen = split(job.dataset)
    photos, held_out = PhotoSet.read(shown, SIZE), PhotoSet.read(unseen, SIZE)
    model = model_of(job, photos, scene_of(job.dataset, shown, photos, with_space(job, shown)))
    return FieldTrainer(model, held_out, job.config.training, job.seed)


def constant_psnr(photos: PhotoSet) -> float:
    """What the best picture of a single colour reaches."""
    rgba = photos.colors(photos.usable)
    on_white = rgba[:, :3] + 1 - rgba[:, 3:]
    return -10 * float(torch.log10(((on_white - on_white.mean(0)) ** 2).mean()))
