"""The training loop, whatever the field: steps, learning rates, held-out photos, a state that survives."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from duplex.app.core.files import write_atomically
from duplex.baking.runtime import optimizer_state
from duplex.baking.runtime.progress import say, track
from duplex.baking.settings import setting
from duplex.baking.training.photos import PhotoSet

SAVE_SECONDS = 30
WARM_UP = 20  # steps
LOOKS = 3  # times on the way that a few held-out photos are rendered
LOOK_VIEWS = 4
AVERAGE = 0.97  # of the training error shown


@dataclass(frozen=True)
class TrainingConfig:
    """The photos and the training, whatever the field."""

    size: int = setting(200, "height to which photos are box-filtered, in pixels; smaller ones stay", low=8, high=4096)
    steps: int = setting(3000, "optimisation steps", low=1, high=10_000_000)
    views: int = setting(40, "held-out photos that the result is judged by, at most", low=1, high=4000)
    final_rate: float = setting(0.05, "share of the learning rates that is left at the end", low=1e-6, high=1)


class Model(Protocol):
    """A field in training."""

    background: Tensor

    def groups(self) -> list[dict[str, Any]]:
        """The parameters with their learning rates at the start (``initial``), for an optimiser."""

    def prepare(self, step: int) -> bool:
        """Do what is due before ``step``; returns whether there are new parameters."""

    def loss(self, generator: torch.Generator) -> tuple[Tensor, float]:
        """The loss of a batch of rays, to be differentiated, and its mean squared error of the colour."""

    def regularize(self) -> None:
        """Add to the gradients what is not in the loss."""

    def render_rays(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Premultiplied colour and opacity (n, 4) of world rays (n, 3)."""

    def tensors(self) -> dict[str, Tensor]:
        """Everything beside the optimiser that :meth:`restore` needs."""

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take up what :meth:`tensors` gave."""

    def checkpoint(self) -> bytes:
        """The file that ``duplex-bake`` reads."""

    def describe(self) -> str:
        """A few words."""


class Trainer:
    """Trains ``model``; all of its state goes into one file and comes back from it."""

    def __init__(self, model: Model, held_out: PhotoSet | None, config: TrainingConfig, seed: int):
        self.model, self.held_out, self.config, self.seed = model, held_out, config, seed
        self.step, self.error = 0, 0.0
        self.generator = torch.Generator(model.background.device).manual_seed(seed)
        self.optimizer = self._new_optimizer()

    def _new_optimizer(self) -> torch.optim.Adam:
        return torch.optim.Adam(self.model.groups(), lr=1e-3, betas=(0.9, 0.99), eps=1e-8, fused=True)

    def train(self, state: Path, saved: Callable[[], None] = lambda: None) -> float:
        """Train to the end of the schedule, saving to ``state`` now and then and calling ``saved`` after that.

        Returns the last training PSNR.
        """
        steps, last = self.config.steps, time.monotonic()
        looks = {steps * (i + 1) // (LOOKS + 1) for i in range(LOOKS)}
        with track("training", steps, self.step) as progress:
            while self.step < steps:
                self._advance()
                progress.advance(note=f"{decibels(self.error):.1f} dB")
                if self.step in looks and self.held_out is not None:
                    found = self.judge(LOOK_VIEWS)
                    quality = f"{np.mean(found):.2f} dB on held-out photos" if found else "held-out photos masked"
                    say(f"  step {self.step}: {quality}, {self.model.describe()}")
                if time.monotonic() - last > SAVE_SECONDS:
                    self.save(state)
                    saved()
                    last = time.monotonic()
        self.save(state)
        return decibels(self.error)

    def _advance(self) -> None:
        if self.model.prepare(self.step):
            self._renew_optimizer()
        factor = min(1.0, (self.step + 1) / WARM_UP) * self.config.final_rate ** (self.step / self.config.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial"] * factor
        loss, squared = self.model.loss(self.generator)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.model.regularize()
        self.optimizer.step()
        self.step += 1
        self.error = AVERAGE * self.error + (1 - AVERAGE) * squared if self.error else squared

    def _renew_optimizer(self) -> None:
        """Another optimiser for new parameters; those that stayed keep their state."""
        old, self.optimizer = self.optimizer, self._new_optimizer()
        for parameter in self._parameters():
            if parameter in old.state:
                self.optimizer.state[parameter] = old.state[parameter]

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
        """The mean squared error over the pixels that count; None where none does."""
        ends = torch.searchsorted(photos.usable, photos.first[view : view + 2])
        index = photos.usable[int(ends[0]) : int(ends[1])]
        if not len(index):
            return None
        drawn, wanted = self.model.render_rays(*photos.rays(index)), photos.colors(index)
        on_it = [(rgba[:, :3] + (1 - rgba[:, 3:]) * self.model.background).clamp(0, 1) for rgba in (drawn, wanted)]
        return float(((on_it[0] - on_it[1]).double() ** 2).mean())

    def save(self, file: Path) -> None:
        """Write the state of model, optimiser and random numbers, atomically."""
        tensors = {f"model.{name}": value for name, value in self.model.tensors().items()}
        tensors |= optimizer_state.to_tensors(self.optimizer)
        tensors["generator"] = self.generator.get_state()
        tensors["progress"] = torch.tensor([self.step, self.error], dtype=torch.float64)
        write_atomically(file, save({name: value.detach().cpu().contiguous() for name, value in tensors.items()}))

    def load(self, file: Path) -> None:
        """Take up where :meth:`save` left off."""
        tensors = load(file.read_bytes())  # not mapped: this file will be replaced
        step, self.error = tensors["progress"].tolist()
        self.step = int(step)
        self.model.restore({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
        self.optimizer = self._new_optimizer()
        optimizer_state.restore(self.optimizer, tensors)
        if len(tensors["generator"]) == len(self.generator.get_state()):
            self.generator.set_state(tensors["generator"])
        else:  # another kind of device's
            self.generator.manual_seed(self.seed + self.step)

    def _parameters(self) -> list[nn.Parameter]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]


def decibels(error: float) -> float:
    """PSNR of a mean squared error."""
    return -10 * math.log10(max(error, 1e-12))
