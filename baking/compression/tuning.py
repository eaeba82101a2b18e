"""Rate-distortion training: quantised features and the network learn to draw the same pictures with fewer bits.

The loss is that of the distillation plus a weight times the bits. What a coefficient costs depends on the coefficients
that are coded before it, and changes slowly, so it is computed now and then; in between the bits are a weighted L1
norm, large where nothing is expected and small among large neighbours (Candes, Wakin and Boyd, 2008, "Enhancing
sparsity by reweighted l1 minimization"). Rounding counts as the identity (a straight-through estimator).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from duplex.app.scene.bundle import BundleShell
from duplex.app.scene.codec.features import PackedFeatures
from duplex.baking.compression.latents import Latents, LatentsMaker, latents_of
from duplex.baking.distill.crops import CropSampler
from duplex.baking.distill.trainer import Distiller
from duplex.baking.distill.views import ViewSet
from duplex.baking.runtime.optimizer import Schedule, cosine_decay, new_adam
from duplex.baking.runtime.progress import track
from duplex.baking.settings import setting

WARM_UP = 40  # steps
FINAL_RATE = 0.05  # share of the learning rates that is left at the end
USUAL_ERROR = 1e-3  # mean squared, of the draft chair: scenes that are hard to draw get more bytes, and lose more
RATE_EVERY = 25  # steps: how often slopes are computed
FIT_EVERY = 4  # times that: how often the entropy model is fitted
BITS_OF_A_MEGABYTE = 8e6
LEAST_SHARE = 0.1  # of a file that features take, however little is left
STEERING = 0.5  # power of how far the size is from the wanted one, by which the weight changes


@dataclass(frozen=True)
class TuningConfig:
    """How features and network learn to be small."""

    rate_steps: int = setting(1600, "optimisation steps that make the bundle small", low=0)
    rate_weight: float = setting(
        3.5, "how much a megabyte of features weighs beside the picture's error", low=0, high=1e6, is_open=True
    )
    coefficient_rate: float = setting(
        0.1, "Adam's learning rate of coefficients, in quantisation steps", low=0, high=1, is_open=True
    )
    tuned_network_rate: float = setting(
        0.005, "Adam's learning rate of the network meanwhile", low=0, high=1, is_open=True
    )


class Tuner:
    """Goes on with a training that has ended, now for pictures and bytes.

    ``distiller``: its student draws what is stored from here on; ``shells``: what it would be exported as; ``step``: of
    the quantisation; ``make``: how features are stored.
    """

    def __init__(
        self,
        distiller: Distiller,
        shells: Sequence[BundleShell],
        config: TuningConfig,
        step: float,
        make: LatentsMaker = latents_of,
    ):
        self.distiller, self.config, self.step = distiller, config, 0
        student = distiller.student
        made = make(shells, student.network.exported(), step)
        self.latents: list[Latents] = [each.to(distiller.device) for each in made]
        self.schedule = Schedule(max(config.rate_steps, 1), WARM_UP, cosine_decay(FINAL_RATE))
        coefficients = [each for latents in self.latents for each in latents.coefficients]
        self.optimizer = new_adam(
            [
                {"params": coefficients, "initial": config.coefficient_rate, "eps": 1e-15},
                {"params": list(student.network.parameters()), "initial": config.tuned_network_rate},
            ]
        )
        self.weight = 0.0  # until the error of the first steps is known
        distiller.optimizer.state.clear()  # moments, which nothing needs any more

    def train(self, views: list[ViewSet], background: tuple[float, float, float], megabytes: float | None) -> None:
        """Learn from ``views``; ``megabytes``: of features, which then decide on the weight of the bits."""
        color = torch.tensor(background, device=self.distiller.device)
        sampler = CropSampler(views, self.distiller.config.crop_size, self.distiller.device)
        errors = 0.0
        with track("compression", self.config.rate_steps, self.step) as progress:
            while self.step < self.config.rate_steps:
                if self.step % RATE_EVERY == 0:
                    size = self.priced(self.step % (FIT_EVERY * RATE_EVERY) == 0) / BITS_OF_A_MEGABYTE
                    if self.step == RATE_EVERY:
                        self.weight = self.config.rate_weight * math.sqrt(USUAL_ERROR * errors / RATE_EVERY)
                    elif megabytes and self.step:
                        self.weight *= (size / megabytes) ** STEERING
                errors += self.advance(sampler, color)
                progress.advance(note=f"{1000 * size:.0f} kB of features")
        with torch.no_grad():
            self.draw()

    def advance(self, sampler: CropSampler, background: torch.Tensor) -> float:
        """Take one step; returns the mean squared error of its crops."""
        self.schedule.apply(self.optimizer, self.step)
        self.optimizer.zero_grad()
        textures = self.distiller.student.textures
        features = self.draw()
        crops = sampler(self.distiller.counts(len(sampler.sets)), self.distiller.generator)
        errors = self.distiller.backward(crops, background)
        torch.autograd.backward(features, [texture.texels.grad for texture in textures])
        for latents in self.latents:
            latents.charge(self.weight / BITS_OF_A_MEGABYTE)
        self.optimizer.step()
        self.step += 1
        sampler.learned(crops, errors)
        return float(errors.mean())

    def draw(self) -> list[torch.Tensor]:
        """Let the student draw what would be stored; returns the features (n, c) of both shells, with gradients."""
        features = [latents() for latents in self.latents]
        for texture, values in zip(self.distiller.student.textures, features, strict=True):
            with torch.no_grad():
                texture.texels.copy_(values)
        return features

    def priced(self, refit: bool = True) -> float:
        """Compute what coefficients cost now; returns the bits. ``refit``: whether entropy models are fitted anew."""
        return sum(latents.priced(refit) for latents in self.latents)

    def packed(self, step: float | None = None) -> list[PackedFeatures]:
        """What is stored of both shells' features, quantised in another ``step``, or in their own."""
        return [latents.packed(step) for latents in self.latents]


def features_within(megabytes: float | None, fixed: int) -> float | None:
    """The megabytes that features may take in a file of ``megabytes`` with ``fixed`` bytes of other parts."""
    return None if megabytes is None else max(megabytes - fixed / 1e6, LEAST_SHARE * megabytes)
