"""The training loop for every kind of field: steps, learning rates, held-out photos, resumable state."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from duplex.baking.runtime import optimizer as optimizers
from duplex.baking.runtime.optimizer import Schedule, exponential_decay, new_adam, renewed_adam
from duplex.baking.runtime.progress import say, track
from duplex.baking.runtime.training_state import (
    SaveTimer,
    read_state,
    restore_generator,
    with_prefix,
    without_prefix,
    write_state,
)
from duplex.baking.settings import setting
from duplex.baking.training.photos import PhotoSet

WARM_UP = 20  # steps
LOOKS = 3  # times during the training that a few held-out photos are rendered
LOOK_VIEWS = 4
AVERAGE = 0.97  # weight of the old value in the moving average of the training error


@dataclass(frozen=True)
class TrainingConfig:
    """The photos and the training, for every kind of field."""

    size: int = setting(
        0,
        "height to which photos are box-filtered, in pixels; smaller ones stay; 0: 200, and 480 for a scene with "
        "surroundings",
        low=0,
        high=4096,
    )
    steps: int = setting(3000, "optimisation steps", low=1, high=10_000_000)
    views: int = setting(40, "held-out photos that the result is judged by, at most", low=1, high=4000)
    final_rate: float = setting(0.05, "share of the learning rates that is left at the end", low=1e-6, high=1)


class TrainableField(Protocol):
    """A field in training."""

    background: Tensor

    def groups(self) -> list[dict[str, Any]]:
        """The parameters with their learning rates at the start (``initial``), for an optimiser."""

    def prepare(self, step: int) -> bool:
        """Prepare for ``step``; returns whether there are new parameters."""

    def loss(self, generator: torch.Generator) -> tuple[Tensor, float]:
        """The loss of a batch of rays, to be differentiated, and its mean squared error of the colour."""

    def regularize(self) -> None:
        """Add the gradients of regularisation that is not part of the loss."""

    def render_rays(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Premultiplied colour and opacity (n, 4) of world rays (n, 3)."""

    def tensors(self) -> dict[str, Tensor]:
        """The state, without the optimiser's, for :meth:`restore`."""

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Restore the state from :meth:`tensors`."""

    def checkpoint(self) -> bytes:
        """The file that ``duplex-bake`` reads."""

    def describe(self) -> str:
        """A short description for reports."""


class FieldTrainer:
    """Trains ``model``; one file holds its whole state."""

    def __init__(self, model: TrainableField, held_out: PhotoSet | None, config: TrainingConfig, seed: int):
        self.model = model
        self.held_out = held_out
        self.config = config
        self.seed = seed
        self.step = 0
        self.error = 0.0  # of the training, a moving average of the mean squared error
        self.generator = torch.Generator(model.background.device).manual_seed(seed)
        self.schedule = Schedule(config.steps, WARM_UP, exponential_decay(config.final_rate))
        self.optimizer = new_adam(model.groups())

    def train(self, state: Path, saved: Callable[[], None] = lambda: None) -> float:
        """Train to the end of the schedule, saving to ``state`` at intervals and calling ``saved`` after each save.

        Returns the last training PSNR.
        """
        steps = self.config.steps
        timer = SaveTimer()

        def keep() -> None:
            self.save(state)
            saved()

        looks = {steps * (i + 1) // (LOOKS + 1) for i in range(LOOKS)}
        with track("training", steps, self.step) as progress:
            while self.step < steps:
                self._advance()
                progress.advance(note=f"{decibels(self.error):.1f} dB")
                if self.step in looks and self.held_out is not None:
                    found = self.judge(LOOK_VIEWS)
                    quality = f"{np.mean(found):.2f} dB on held-out photos" if found else "held-out photos masked"
                    say(f"  step {self.step}: {quality}, {self.model.describe()}")
                timer.save_if_due(keep)
        self.save(state)
        return decibels(self.error)

    def _advance(self) -> None:
        if self.model.prepare(self.step):
            self.optimizer = renewed_adam(self.optimizer, self.model.groups())
        self.schedule.apply(self.optimizer, self.step)
        loss, squared = self.model.loss(self.generator)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.model.regularize()
        self.optimizer.step()
        self.step += 1
        self.error = AVERAGE * self.error + (1 - AVERAGE) * squared if self.error else squared

    def judge(self, views: int) -> list[float]:
        """PSNR in dB of at most ``views`` held-out photos, evenly chosen."""
        photos = self.held_out
        if photos is None:
            return []
        count = len(photos.poses)
        chosen = np.unique(np.linspace(0, count - 1, min(views, count)).round().astype(int))
        errors = [self._error(photos, int(view)) for view in chosen]
        return [decibels(error) for error in errors if error is not None]

    def _error(self, photos: PhotoSet, view: int) -> float | None:
        """The mean squared error over the pixels that count; None where no pixel counts."""
        ends = torch.searchsorted(photos.usable, photos.first[view : view + 2])
        index = photos.usable[int(ends[0]) : int(ends[1])]
        if not len(index):
            return None
        drawn = self.model.render_rays(*photos.rays(index))
        wanted = photos.colors(index)
        on_it = [(rgba[:, :3] + (1 - rgba[:, 3:]) * self.model.background).clamp(0, 1) for rgba in (drawn, wanted)]
        return float(((on_it[0] - on_it[1]).double() ** 2).mean())

    def save(self, file: Path) -> None:
        """Write the state of model, optimiser and random numbers, atomically."""
        tensors = with_prefix("model.", self.model.tensors())
        tensors["progress"] = torch.tensor([self.step, self.error], dtype=torch.float64)
        write_state(file, tensors, self.optimizer, self.generator)

    def load(self, file: Path) -> None:
        """Continue from what :meth:`save` wrote."""
        tensors = read_state(file)
        step, self.error = tensors["progress"].tolist()
        if not 0 <= step <= self.config.steps:
            raise ValueError(f"step {step}")
        self.step = int(step)
        self.model.restore(without_prefix("model.", tensors))
        self.optimizer = new_adam(self.model.groups())
        optimizers.restore(self.optimizer, tensors)
        restore_generator(self.generator, tensors, self.seed + self.step)


def decibels(error: float) -> float:
    """PSNR of a mean squared error."""
    return -10 * math.log10(max(error, 1e-12))
