"""A whole training, in order: :func:`train` is the table of contents."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from duplex.app.core.errors import DuplexError
from duplex.app.core.files import write_atomically
from duplex.baking.checkpoints.families.grid.tensorf import COARSE, FINE
from duplex.baking.datasets.photos import Dataset, Photo
from duplex.baking.fields.field import SceneInfo
from duplex.baking.fields.spaces import Ndc
from duplex.baking.job import identity
from duplex.baking.runtime.memory import peak_memory_gib
from duplex.baking.runtime.progress import say
from duplex.baking.runtime.workspace import Workspace, is_stored, reading, stage
from duplex.baking.training.config import TrainConfig
from duplex.baking.training.mlp import MlpModel
from duplex.baking.training.photos import PhotoSet
from duplex.baking.training.scene import Given, scene_of, space_for, split
from duplex.baking.training.tensorf import TensorfModel
from duplex.baking.training.trainer import FieldTrainer, TrainableField

FIELDS = ("tensorf", "mlp")
OBJECT_SIZE, SURROUNDED_SIZE = 200, 480  # pixels, the height of photos unless the user says otherwise
FEW, FEW_SIZE = 6, 64  # photos, and their height, that tell what kind of scene it is


class TrainingWorkspace(Workspace):
    """The workspace of a training."""

    work = "training"
    subject = "dataset"
    content = "the checkpoint to write"
    suffix = ".training"


@dataclass(frozen=True)
class TrainJob:
    """The input of a training.

    ``field``: one of :data:`FIELDS`; ``given``: the user's values for the scene; ``seed``: of all random numbers.
    """

    dataset: Dataset
    field: str
    config: TrainConfig
    given: Given
    seed: int
    device: torch.device

    def __post_init__(self) -> None:
        """Raise :class:`DuplexError` for an unknown kind of field."""
        if self.field not in FIELDS:
            raise DuplexError(f"--field {self.field!r:.60}: expected {' or '.join(FIELDS)}")

    def fingerprint(self) -> str:
        """A SHA-256 in hexadecimal of all input that can change the result."""
        data = self.dataset
        photos = {name: [identity(photo) for photo in part] for name, part in data.photos.items()}
        geometry = [data.near, data.far, np.asarray(data.up).tolist()]
        bounds = None if self.given.bounds is None else np.asarray(self.given.bounds).tolist()
        given = [self.given.near, self.given.far, self.given.background, bounds, self.given.space]
        everything = [photos, geometry, self.field, asdict(self.config), given, self.seed]
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class TrainingReport:
    """The result of a training.

    ``output``: path of the checkpoint; ``field``: one of :data:`FIELDS`; ``network``: a short description; ``steps``:
    of the optimisation; ``size``: height of the training photos in pixels; ``training_psnr``: dB; ``psnr``: mean over
    the held-out photos in dB, None without any; ``views``: PSNR of each held-out photo, dB; ``bytes``: size of the
    checkpoint; ``peak_memory_gib``: of the process; ``seconds``: duration of each stage by its name.
    """

    output: str
    field: str
    network: str
    steps: int
    size: int
    training_psnr: float
    psnr: float | None
    views: list[float]
    bytes: int
    peak_memory_gib: float
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values, which ``duplex-train --json`` prints."""
        return asdict(self)


def train(job: TrainJob, output: Path, workspace: Workspace) -> TrainingReport:
    """Train ``job`` and write its checkpoint to ``output``."""
    torch.manual_seed(job.seed)
    state = workspace.folder / "training.safetensors"
    with stage("photos", workspace):
        training_photos, held_out_photos = split(job.dataset)
        given = with_space(job, training_photos)
        size = job.config.training.size or (SURROUNDED_SIZE if given.space == "contracted" else OBJECT_SIZE)
        photos = PhotoSet.read(training_photos, size)
        if not len(photos.usable):
            raise DuplexError(f"no pixel of {len(training_photos)} photos counts: expected masks that leave some")
        held_out = None
        if held_out_photos:
            held_out = PhotoSet.read(thinned(held_out_photos, job.config.training.views), size)
        scene = scene_of(job.dataset, training_photos, photos, given)
    say(f"{len(training_photos)} photos, {len(held_out_photos)} held out; {_scene_line(scene)}")
    with stage("training", workspace) as save_seconds:
        model = model_of(job, photos.to(job.device), scene)
        trainer = FieldTrainer(model, held_out and held_out.to(job.device), job.config.training, job.seed)
        if is_stored(state):
            with reading(state):
                trainer.load(state)
            say(f"training goes on from step {trainer.step}")
        training_psnr = trainer.train(state, save_seconds)
    with stage("held-out photos", workspace):
        views = trainer.judge(job.config.training.views)
    write_atomically(output, model.checkpoint())
    report = TrainingReport(
        output=str(output),
        field=job.field,
        network=model.describe(),
        steps=trainer.step,
        size=size,
        training_psnr=training_psnr,
        psnr=float(np.mean(views)) if views else None,
        views=views,
        bytes=output.stat().st_size,
        peak_memory_gib=round(peak_memory_gib(), 2),
        seconds={name: round(value, 1) for name, value in workspace.seconds.items()},
    )
    workspace.remove()
    return report


def with_space(job: TrainJob, photos: list[Photo]) -> Given:
    """What the user gives, with the space that a few of the training ``photos`` ask for."""
    few = PhotoSet.read(thinned(photos, FEW), FEW_SIZE)
    return replace(job.given, space=space_for(job.dataset, photos, few, job.given))


def model_of(job: TrainJob, photos: PhotoSet, scene: SceneInfo) -> TrainableField:
    """A new, untrained field of the job's kind."""
    steps = job.config.training.steps
    if job.field == "mlp":
        mlp = job.config.mlp
        return MlpModel(photos, replace(scene, coarse_samples=mlp.coarse, fine_samples=mlp.fine), mlp, steps)
    if isinstance(scene.space, Ndc):  # as TensoRF's own code does
        scene = replace(scene, space=replace(scene.space, field_views=True))
    scene = replace(scene, coarse_samples=COARSE, fine_samples=FINE)
    return TensorfModel(photos, scene, job.config.tensorf, steps, job.dataset.sparse)


def thinned(photos: list[Photo], count: int) -> list[Photo]:
    """At most ``count`` of the photos, evenly spread over the list."""
    chosen = np.linspace(0, len(photos) - 1, min(count, len(photos))).round().astype(int)
    return [photos[i] for i in np.unique(chosen)]


def _scene_line(scene: SceneInfo) -> str:
    if scene.bounds is None:
        return f"near {scene.near:g}, far {scene.far:g}"
    low, high = (" ".join(f"{x:.3g}" for x in corner) for corner in scene.bounds)
    color = "#" + "".join(f"{round(255 * x):02x}" for x in scene.background)
    return f"{scene.space.name}, near {scene.near:.3g}, far {scene.far:.3g}, box {low} to {high}, background {color}"
