"""Distillation: features and shading network are trained on the teacher's views (Wan et al., CVPR 2023, 3.2 and 3.3).

The shells do not move, so a view's texture coordinates are computed once, and only texture look-ups and the
network carry gradients. The textures start coarse and are doubled twice: a coarse texel is seen by many more pixels, so
it converges faster and keeps unseen texels close to their neighbours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.images import over
from duplex.app.core.metrics import psnr_of_known
from duplex.app.scene.network import NetworkSpec
from duplex.baking.distill.crops import Crops, CropSampler, cut
from duplex.baking.distill.dssim import dssim
from duplex.baking.distill.student import Student
from duplex.baking.distill.views import ViewSet
from duplex.baking.runtime import optimizer as optimizers
from duplex.baking.runtime.optimizer import Groups, Schedule, cosine_decay, new_adam, renewed_adam
from duplex.baking.runtime.out_of_memory import retry_with_less
from duplex.baking.runtime.progress import track
from duplex.baking.runtime.training_state import (
    SaveTimer,
    read_state,
    restore_generator,
    with_prefix,
    without_prefix,
    write_state,
)
from duplex.baking.settings import setting

WARM_UP = 50  # steps
FINAL_RATE = 0.02  # share of the learning rates that is left at the end
CURVE_POINTS = 16
STRIP = 256  # rows of a picture that are rendered at once


@dataclass(frozen=True)
class DistillConfig:
    """How features and shading network are trained."""

    features: int = setting(12, "features of each shell: 4, 8 or 12", choices=(4, 8, 12))
    width: int = setting(
        16,
        "channels of the shading network's 3x3 layer, and half of those between its 1x1 layers",
        low=4,
        high=64,
        multiple_of=4,
    )
    steps: int = setting(2500, "optimisation steps", low=1)
    batch: int = setting(56, "crops in a step", low=1, high=4096)
    crop_size: int = setting(32, "side of a crop in pixels", low=16, high=1024)
    feature_rate: float = setting(
        0.02, "Adam's learning rate of the features at the start", low=0, high=1, is_open=True
    )
    network_rate: float = setting(
        0.016, "Adam's learning rate of the network at the start", low=0, high=1, is_open=True
    )
    alpha_weight: float = setting(0.3, "weight of the opacity's error beside the colour's", low=0, high=10)
    structure_weight: float = setting(
        0.0, "weight of the structural dissimilarity (DSSIM) beside the colour's squared error", low=0, high=10
    )
    photo_steps: float = setting(
        0.5, "share of the steps, the last ones, that learn from the photos of --data too", low=0, high=1
    )
    photo_share: float = setting(
        0.5, "of each batch of those, the share of crops that are cut from photos", low=0, high=1
    )
    doublings: tuple[float, ...] = (0.2, 0.5)  # shares of the training after which the textures double


class CurvePoint(NamedTuple):
    """A point of the learning curve: after ``step`` steps and ``seconds`` of training, PSNR in dB of held-out views."""

    step: int
    seconds: float
    psnr: float


class Distiller:
    """Trains a :class:`Student`; one file holds its whole state. ``opaque``: as the student's."""

    def __init__(
        self,
        spec: NetworkSpec,
        texels: int,
        config: DistillConfig,
        seed: int,
        device: torch.device,
        opaque: bool = False,
    ):
        self.config = config
        self.device = device
        self.seed = seed
        self.step = 0
        self.generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        self.refined = 0  # doublings of the textures so far
        self.seconds = 0.0
        self.curve: list[CurvePoint] = []
        self.view_errors: Tensor | None = None
        self.portion = config.batch
        self.student = Student(spec, texels >> len(config.doublings), opaque).to(device)
        self.student.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.schedule = Schedule(config.steps, WARM_UP, cosine_decay(FINAL_RATE))
        self.optimizer = new_adam(self._groups())

    def _groups(self) -> Groups:
        features = [texture.texels for texture in self.student.textures]
        return [
            {"params": features, "initial": self.config.feature_rate, "eps": 1e-15},
            {"params": list(self.student.network.parameters()), "initial": self.config.network_rate},
        ]

    def train(
        self,
        views: list[ViewSet],
        background: tuple[float, float, float],
        state: Path,
        held_out: ViewSet | None = None,
        saved: Callable[[], None] = lambda: None,
    ) -> None:
        """Train to the end of the schedule, saving to ``state`` at intervals and calling ``saved`` after each save.

        ``views``: those of the teacher, then those of the photos if there are any; ``held_out``: views of the teacher,
        not trained on, for :attr:`curve`.
        """
        color = torch.tensor(background, device=self.device)
        sampler = CropSampler(views, self.config.crop_size, self.device)
        if self.view_errors is not None:
            if self.view_errors.shape != sampler.errors.shape:
                raise DuplexError(f"{state}: of another number of views: begin anew with --restart")
            sampler.errors = self.view_errors
        self.view_errors = sampler.errors
        timer = SaveTimer()

        def keep() -> None:
            self.save(state)
            saved()

        with track("distillation", self.config.steps, self.step) as progress:
            while self.step < self.config.steps:
                started = time.monotonic()
                self._advance(sampler, color)
                progress.advance(note=f"{self.curve[-1].psnr:.1f} dB" if self.curve else "")
                self.seconds += time.monotonic() - started
                if held_out and self.step * CURVE_POINTS // self.config.steps > len(self.curve):
                    psnr = self.unseen(held_out, background)
                    self.curve.append(CurvePoint(self.step, round(self.seconds, 1), psnr))
                timer.save_if_due(keep)
        self.save(state)

    def steps_on(self, views: list[ViewSet]) -> Callable[[], None]:
        """A function that takes one step of a training on ``views``."""
        sampler = CropSampler(views, self.config.crop_size, self.device)
        return lambda: self._advance(sampler, torch.zeros(3, device=self.device))

    def _advance(self, sampler: CropSampler, background: Tensor) -> None:
        self._prepare()
        crops = sampler(self.counts(len(sampler.sets)), self.generator)
        errors = self.backward(crops, background)
        self.optimizer.step()
        self.step += 1
        sampler.learned(crops, errors)

    def pictures(self, views: ViewSet) -> Iterator[tuple[Array, Array]]:
        """Each view as drawn and as wanted: (h, w, 4) float32, alpha premultiplied; NaN where unknown."""
        for i, camera in enumerate(views.cameras):
            strips = []
            for top in range(0, camera.height, STRIP):
                size = (min(STRIP, camera.height - top), camera.width)
                strip = cut(views, torch.tensor([i]), [(top, 0)], size, self.device)
                with torch.no_grad():
                    rgba = self.student.shade(strip)
                drawn = torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], 1) * strip.covered
                strips.append(torch.stack([drawn, strip.rgba.masked_fill(strip.valid == 0, torch.nan)])[:, 0])
            both = torch.cat(strips, 2).permute(0, 2, 3, 1).cpu().numpy()
            yield both[0], both[1]

    def unseen(self, views: ViewSet, background: tuple[float, float, float]) -> float:
        """The mean PSNR in dB of whole pictures, on ``background``, over their known pixels."""
        pairs = ((over(drawn, background), over(wanted, background)) for drawn, wanted in self.pictures(views))
        return float(np.mean([psnr_of_known(*pair) for pair in pairs]))

    def counts(self, sets: int) -> list[int]:
        """Number of crops of each set of views in the next batch."""
        photos = 0
        if sets > 1 and self.step >= (1 - self.config.photo_steps) * self.config.steps:
            photos = round(self.config.photo_share * self.config.batch)
        return [self.config.batch - photos, photos][:sets]

    def _prepare(self) -> None:
        """Double the textures when it is time, and set the learning rates of the next step."""
        share = self.step / self.config.steps
        if self.refined < len(self.config.doublings) and share >= self.config.doublings[self.refined]:
            self._refine()
        self.schedule.apply(self.optimizer, self.step)

    def _refine(self) -> None:
        self.student.refine()
        self.refined += 1
        self.optimizer = renewed_adam(self.optimizer, self._groups())

    def backward(self, crops: Crops, background: Tensor) -> Tensor:
        """Accumulate the batch's gradient in the parameters, in smaller portions when memory runs out.

        Returns the mean squared errors (b,) of the crops where the shells are hit.
        """
        counted = float((crops.covered * crops.valid).sum().clamp(min=1))

        def portions(size: int) -> Tensor:
            self.optimizer.zero_grad()
            errors = []
            for part in crops.split(size):
                drawn, wanted, alpha = self._composited(part, background)
                weight = part.covered * part.valid
                squared = ((drawn - wanted) ** 2).mean(1, keepdim=True) * weight
                opacity = (alpha - part.rgba[:, 3:]) ** 2 * part.opacity.view(-1, 1, 1, 1) * weight
                loss = squared.sum() + self.config.alpha_weight * opacity.sum()
                if self.config.structure_weight:
                    known = torch.where(part.valid > 0, wanted, drawn.detach())
                    loss = loss + self.config.structure_weight * (dssim(drawn, known) * weight).sum()
                (loss / counted).backward()  # type: ignore[no-untyped-call]
                errors.append(squared.detach().sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp(min=1))
            return torch.cat(errors)

        errors, self.portion = retry_with_less(portions, self.portion, smallest=1)
        return errors

    def _composited(self, crops: Crops, background: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """On ``background`` (3,): the drawn and the target colour (b, 3, h, w), and the drawn opacity."""
        rgba = self.student.shade(crops)
        behind = background.view(1, 3, 1, 1)
        alpha = rgba[:, 3:] * crops.covered
        return rgba[:, :3] * alpha + behind * (1 - alpha), crops.rgba[:, :3] + behind * (1 - crops.rgba[:, 3:]), alpha

    def save(self, file: Path) -> None:
        """Write the state of student, optimiser and random numbers, atomically."""
        tensors = with_prefix("student.", self.student.state_dict())
        tensors["curve"] = torch.tensor(self.curve, dtype=torch.float64).view(-1, 3)
        if self.view_errors is not None:
            tensors["view_errors"] = self.view_errors
        tensors["progress"] = torch.tensor([self.step, self.refined, self.seconds], dtype=torch.float64)
        write_state(file, tensors, self.optimizer, self.generator)

    def load(self, file: Path) -> None:
        """Continue from what :meth:`save` wrote."""
        tensors = read_state(file)
        step, refined, self.seconds = tensors["progress"].tolist()
        if not (0 <= step <= self.config.steps and 0 <= refined <= len(self.config.doublings)):
            raise ValueError(f"step {step}, {refined} doublings")
        self.step = int(step)
        self.curve = [CurvePoint(int(step), seconds, psnr) for step, seconds, psnr in tensors["curve"].tolist()]
        while self.refined < int(refined):
            self._refine()
        self.student.load_state_dict(without_prefix("student.", tensors))
        optimizers.restore(self.optimizer, tensors)
        restore_generator(self.generator, tensors, self.seed + self.step)
        self.view_errors = tensors.get("view_errors")
        if self.view_errors is not None and ((self.view_errors < 0) | self.view_errors.isinf()).any():
            raise ValueError("errors of the views")  # NaN stands for an unknown one
