"""Distillation: features and shading network learn the teacher's pictures (Wan et al., CVPR 2023, 3.2 and 3.3).

The shells do not move, so a view's texture coordinates are known beforehand and only texture look-ups and the
network carry gradients. The textures start coarse and are doubled twice on the way: a coarse texel is seen by
many more pixels, so it finds its value sooner and keeps unseen texels close to their neighbours.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load, save
from torch import Tensor, nn

from duplex.app.files import write_atomically
from duplex.app.network import NetworkSpec
from duplex.baking import optimizer_state
from duplex.baking.crops import Crops, CropSampler, cut
from duplex.baking.features import FeatureTexture
from duplex.baking.memory import with_less
from duplex.baking.progress import bar
from duplex.baking.shading import ShadingNetwork
from duplex.baking.views import ViewSet

SAVE_SECONDS = 30
CURVE_POINTS = 16
STRIP = 256  # rows of a picture that is judged, at once


@dataclass(frozen=True)
class DistillConfig:
    """How features and shading network are trained."""

    features: int = 12  # features of each shell: 4, 8 or 12
    width: int = 16  # channels of the shading network's 3x3 layer, and half of those between its 1x1 layers
    steps: int = 2200  # optimisation steps
    batch: int = 64  # crops in a step
    crop: int = 32  # side of a crop in pixels
    feature_rate: float = 0.02  # Adam's learning rate of the features at the start
    network_rate: float = 0.016  # Adam's learning rate of the network at the start
    alpha_weight: float = 0.1  # weight of the opacity's error beside the colour's
    photo_steps: float = 0.5  # share of the steps, the last ones, that learn from the photos of --data too
    photo_share: float = 0.5  # of each batch of those, the share of crops that are cut from photos
    doublings: tuple[float, ...] = (0.2, 0.5)  # shares of the training after which the textures double


class Student(nn.Module):
    """Both shells' feature textures and the shading network, with the one forward pass that training needs."""

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
        planes.append(crops.directions * crops.mask[0][..., None])
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
        self, views: list[ViewSet], background: tuple[float, float, float], state: Path, held_out: ViewSet | None = None
    ) -> None:
        """Train to the end of the schedule, saving to ``state`` now and then.

        ``views``: the teacher's, and then perhaps the photos'; ``held_out``: pictures of the teacher that are never
        trained on, for :attr:`curve`.
        """
        color = torch.tensor(background, device=self.device).view(1, 3, 1, 1)
        sampler = CropSampler(views, self.config.crop, self.device)
        if self.view_errors is not None:
            sampler.errors = self.view_errors
        self.view_errors = sampler.errors
        saved = started = time.monotonic()
        with bar("distillation", self.config.steps) as progress:
            progress.advance(self.step)
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
                if started - saved > SAVE_SECONDS:
                    self.save(state)
                    saved = started
        self.save(state)

    @torch.no_grad()
    def unseen(self, views: ViewSet, background: tuple[float, float, float]) -> float:
        """The mean PSNR in dB of whole pictures, on ``background``, over their known pixels."""
        total, color = 0.0, torch.tensor(background, device=self.device).view(1, 3, 1, 1)
        for i, camera in enumerate(views.cameras):
            squared, known = 0.0, 0.0
            for top in range(0, camera.height, STRIP):
                size = (min(STRIP, camera.height - top), camera.width)
                strip = cut(views, torch.tensor([i]), [(top, 0)], size, self.device)
                squared += float(self._squared(strip, color)[0].sum())
                known += float(strip.valid.sum())
            total -= 10 * math.log10(max(squared / max(known, 1.0), 1e-12))
        return total / len(views.cameras)

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
                squared, opacity = self._squared(part, background)
                weight = part.covered * part.valid
                loss = ((squared + self.config.alpha_weight * opacity) * weight).sum() / counted
                loss.backward()  # type: ignore[no-untyped-call]
                errors.append((squared.detach() * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp(min=1))
            return torch.cat(errors)

        errors, self.portion = with_less(portions, self.portion, smallest=1)
        return errors

    def _squared(self, crops: Crops, background: Tensor) -> tuple[Tensor, Tensor]:
        """Squared errors (b, 1, h, w) of the composited colour and of the opacity; 0 where nothing is known."""
        rgba = self.student.shade(crops)
        alpha = rgba[:, 3:] * crops.covered
        color = rgba[:, :3] * alpha + background * (1 - alpha)
        wanted = crops.rgba[:, :3] + background * (1 - crops.rgba[:, 3:])
        squared = ((color - wanted) ** 2).mean(1, keepdim=True) * crops.valid
        return squared, (alpha - crops.rgba[:, 3:]) ** 2 * crops.opacity.view(-1, 1, 1, 1)

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
