"""Distillation: features and shading network learn the teacher's pictures (Wan et al., CVPR 2023, 3.2 and 3.3).

The shells do not move, so a view's texture coordinates are known beforehand and only texture look-ups and the
network carry gradients. The textures start coarse and are doubled twice on the way: a coarse texel is seen by
many more pixels, so it finds its value sooner and keeps unseen texels close to their neighbours.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load, save
from torch import Tensor, nn

from duplex.app.core.arrays import Array
from duplex.app.core.files import write_atomically
from duplex.app.core.metrics import psnr_of_known
from duplex.app.scene.network import VIEW_CHANNELS, NetworkSpec
from duplex.baking.distill.crops import Crops, CropSampler, cut
from duplex.baking.distill.features import FeatureTexture
from duplex.baking.distill.shading import ShadingNetwork
from duplex.baking.distill.views import ViewSet
from duplex.baking.runtime import optimizer_state
from duplex.baking.runtime.out_of_memory import retry_with_less
from duplex.baking.runtime.progress import track
from duplex.baking.settings import setting

SAVE_SECONDS, SAVE_SHARE = 30, 20  # between two states kept, and so many times what keeping the last one took
CURVE_POINTS = 16
STRIP = 256  # rows of a picture that is judged, at once


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
    steps: int = setting(2200, "optimisation steps", low=1)
    batch: int = setting(64, "crops in a step", low=1, high=4096)
    crop: int = setting(32, "side of a crop in pixels", low=16, high=1024)
    feature_rate: float = setting(
        0.02, "Adam's learning rate of the features at the start", low=0, high=1, is_open=True
    )
    network_rate: float = setting(
        0.016, "Adam's learning rate of the network at the start", low=0, high=1, is_open=True
    )
    alpha_weight: float = setting(0.1, "weight of the opacity's error beside the colour's", low=0, high=10)
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


class Student(nn.Module):
    """Both shells' feature textures and the shading network, with the one forward pass that training needs.

    ``view_channels``: how many channels of the encoded view directions the network is shown; the others are 0.
    """

    view_channels = VIEW_CHANNELS

    def __init__(self, spec: NetworkSpec, texels: int):
        super().__init__()
        self.outer, self.inner = (FeatureTexture(texels, spec.feature_channels, spec.mip_levels) for _ in range(2))
        self.network = ShadingNetwork(spec)

    @property
    def textures(self) -> tuple[FeatureTexture, FeatureTexture]:
        """The outer shell's and the inner shell's."""
        return self.outer, self.inner

    def shade(self, crops: Crops) -> Tensor:
        """Straight RGBA (b, 4, h, w) of the G-buffers of ``crops``."""
        b, h, w = crops.mask[0].shape
        planes = []
        for texture, uv, level, hit in zip(self.textures, crops.uv, crops.level, crops.mask, strict=True):
            where = torch.nonzero(hit.reshape(-1))[:, 0]
            dither = None if crops.dither is None else crops.dither.reshape(-1)[where]
            values = texture(uv.reshape(-1, 2)[where], level.reshape(-1)[where], dither)
            plane = values.new_zeros(b * h * w, values.shape[1]).index_copy(0, where, values)
            planes.append(plane.view(b, h, w, -1))
        directions = crops.directions * crops.mask[0][..., None]
        planes.append(F.pad(directions[..., : self.view_channels], (0, VIEW_CHANNELS - self.view_channels)))
        inputs = torch.cat(planes, -1).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        return self.network(inputs)  # type: ignore[no-any-return]

    def refine(self) -> None:
        """Double the side of both textures, interpolating."""
        for texture in self.textures:
            plane = texture.texels.detach().T.reshape(1, -1, texture.side, texture.side)
            larger = F.interpolate(plane, scale_factor=2, mode="bilinear", align_corners=False)
            texture.texels = nn.Parameter(larger[0].flatten(1).T.contiguous())
            texture.side *= 2


class Trainer:
    """Trains a :class:`Student`; all of its state goes into one file and comes back from it."""

    def __init__(self, spec: NetworkSpec, texels: int, config: DistillConfig, seed: int, device: torch.device):
        self.config, self.device, self.step = config, device, 0
        self.generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        self.refined, self.seconds = 0, 0.0
        self.curve: list[tuple[int, float, float]] = []  # steps, seconds, PSNR in dB of held-out pictures
        self.view_errors: Tensor | None = None
        self.portion = config.batch
        self.student = Student(spec, texels >> len(config.doublings)).to(device)
        self.student.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = self._new_optimizer()

    def _new_optimizer(self) -> torch.optim.Adam:
        features = [texture.texels for texture in self.student.textures]
        groups = [
            {"params": features, "initial": self.config.feature_rate, "eps": 1e-15},
            {"params": list(self.student.network.parameters()), "initial": self.config.network_rate},
        ]
        return torch.optim.Adam(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)

    def train(
        self,
        views: list[ViewSet],
        background: tuple[float, float, float],
        state: Path,
        held_out: ViewSet | None = None,
        saved: Callable[[], None] = lambda: None,
    ) -> None:
        """Train to the end of the schedule, saving to ``state`` now and then and calling ``saved`` after that.

        ``views``: the teacher's, and then perhaps the photos'; ``held_out``: pictures of the teacher that are never
        trained on, for :attr:`curve`.
        """
        color = torch.tensor(background, device=self.device)
        sampler = CropSampler(views, self.config.crop, self.device)
        if self.view_errors is not None:
            sampler.errors = self.view_errors
        self.view_errors = sampler.errors
        last, spent = time.monotonic(), 0.0
        started = last
        with track("distillation", self.config.steps, self.step) as progress:
            while self.step < self.config.steps:
                self._schedule()
                crops = sampler(self._counts(len(views)), self.generator)
                errors = self._backward(crops, color)
                self.optimizer.step()
                self.step += 1
                sampler.learned(crops, errors)
                progress.advance(note=f"{self.curve[-1][2]:.1f} dB" if self.curve else "")
                self.seconds += time.monotonic() - started
                if held_out and self.step * CURVE_POINTS // self.config.steps > len(self.curve):
                    self.curve.append((self.step, round(self.seconds, 1), self.unseen(held_out, background)))
                started = time.monotonic()
                if started - last > max(SAVE_SECONDS, SAVE_SHARE * spent):
                    self.save(state)
                    saved()
                    last = time.monotonic()
                    spent, started = last - started, last
        self.save(state)

    def pictures(self, views: ViewSet, background: tuple[float, float, float]) -> Iterator[tuple[Array, Array]]:
        """What is drawn and what is wanted of each view on ``background``, (h, w, 3) float32; NaN: not known."""
        for i, camera in enumerate(views.cameras):
            strips = []
            for top in range(0, camera.height, STRIP):
                size = (min(STRIP, camera.height - top), camera.width)
                strip = cut(views, torch.tensor([i]), [(top, 0)], size, self.device)
                with torch.no_grad():
                    drawn, wanted, _ = self._composited(strip, torch.tensor(background, device=self.device))
                strips.append(torch.stack([drawn, wanted.masked_fill(strip.valid == 0, torch.nan)])[:, 0])
            both = torch.cat(strips, 2).permute(0, 2, 3, 1).cpu().numpy()
            yield both[0], both[1]

    def unseen(self, views: ViewSet, background: tuple[float, float, float]) -> float:
        """The mean PSNR in dB of whole pictures, on ``background``, over their known pixels."""
        return float(np.mean([psnr_of_known(*both) for both in self.pictures(views, background)]))

    def _counts(self, sets: int) -> list[int]:
        """Crops of each set of views in the next batch."""
        photos = 0
        if sets > 1 and self.step >= (1 - self.config.photo_steps) * self.config.steps:
            photos = round(self.config.photo_share * self.config.batch)
        return [self.config.batch - photos, photos][:sets]

    def _schedule(self) -> None:
        share = self.step / self.config.steps
        if self.refined < len(self.config.doublings) and share >= self.config.doublings[self.refined]:
            self._refine()
        factor = min(1.0, (self.step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial"] * factor

    def _refine(self) -> None:
        self.student.refine()
        self.refined += 1
        old, self.optimizer = self.optimizer, self._new_optimizer()
        for parameter in self.student.network.parameters():
            if parameter in old.state:
                self.optimizer.state[parameter] = old.state[parameter]

    def _backward(self, crops: Crops, background: Tensor) -> Tensor:
        """Leave the batch's gradient in the parameters, in portions if memory wants it.

        Returns the mean squared errors (b,) of the crops where the shells are hit.
        """
        counted = float((crops.covered * crops.valid).sum().clamp(min=1))

        def portions(size: int) -> Tensor:
            self.optimizer.zero_grad(set_to_none=False)
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
        """On ``background`` (3,): the colour drawn and the colour wanted (b, 3, h, w), and the opacity drawn."""
        rgba, behind = self.student.shade(crops), background.view(1, 3, 1, 1)
        alpha = rgba[:, 3:] * crops.covered
        return rgba[:, :3] * alpha + behind * (1 - alpha), crops.rgba[:, :3] + behind * (1 - crops.rgba[:, 3:]), alpha

    def save(self, file: Path) -> None:
        """Write the state of student, optimiser and random numbers, atomically."""
        tensors = {f"student.{name}": value for name, value in self.student.state_dict().items()}
        tensors |= optimizer_state.to_tensors(self.optimizer)
        tensors["generator"] = self.generator.get_state()
        tensors["curve"] = torch.tensor(self.curve, dtype=torch.float64).view(-1, 3)
        if self.view_errors is not None:
            tensors["view_errors"] = self.view_errors
        tensors["progress"] = torch.tensor([self.step, self.refined, self.seconds], dtype=torch.float64)
        write_atomically(file, save({name: value.detach().cpu().contiguous() for name, value in tensors.items()}))

    def load(self, file: Path) -> None:
        """Take up where :meth:`save` left off."""
        tensors = load(file.read_bytes())  # not mapped: this file will be replaced
        step, refined, self.seconds = tensors["progress"].tolist()
        self.curve = [(int(step), seconds, psnr) for step, seconds, psnr in tensors["curve"].tolist()]
        self.step = int(step)
        while self.refined < int(refined):
            self._refine()
        state = {k.removeprefix("student."): v for k, v in tensors.items() if k.startswith("student.")}
        self.student.load_state_dict(state)
        optimizer_state.restore(self.optimizer, tensors)
        self.generator.set_state(tensors["generator"])
        self.view_errors = tensors.get("view_errors")


def dssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural dissimilarity ``(1 - SSIM) / 2`` (n, 1, h, w) of two pictures (n, c, h, w) in [0, 1].

    SSIM after Wang et al., 2004, in windows of 7 x 7 pixels, as far as they lie inside the picture.
    """

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 7, stride=1, padding=3, count_include_pad=False)

    mean_a, mean_b = mean(a), mean(b)
    spread = mean(a * a) - mean_a**2 + mean(b * b) - mean_b**2
    together = mean(a * b) - mean_a * mean_b
    first, second = 0.01**2, 0.03**2
    found = (2 * mean_a * mean_b + first) * (2 * together + second)
    found = found / ((mean_a**2 + mean_b**2 + first) * (spread + second))
    return 0.5 * (1 - found).mean(1, keepdim=True)
