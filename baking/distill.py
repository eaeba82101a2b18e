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
from safetensors.torch import load_file, save
from torch import Tensor, nn

from duplex.app.files import write_atomically
from duplex.app.network import NetworkSpec
from duplex.baking import optimizer_state
from duplex.baking.features import FeatureTexture, sample_bilinear
from duplex.baking.progress import bar
from duplex.baking.shading import ShadingNetwork
from duplex.baking.views import ViewSet

SAVE_SECONDS = 30


@dataclass(frozen=True)
class DistillConfig:
    """How features and shading network are trained."""

    features: int = 8  # features of each shell: 4, 8 or 12
    width: int = 16  # channels of the shading network's hidden layers
    steps: int = 2400  # optimisation steps
    batch: int = 16  # crops in a step
    crop: int = 64  # side of a crop in pixels
    feature_rate: float = 0.01  # Adam's learning rate of the features at the start
    network_rate: float = 0.004  # Adam's learning rate of the network at the start
    alpha_weight: float = 0.1  # weight of the opacity's error beside the colour's
    doublings: tuple[float, ...] = (0.2, 0.5)  # shares of the training after which the textures double


class Student(nn.Module):
    """Both shells' feature textures and the shading network, with the one forward pass that training needs."""

    def __init__(self, spec: NetworkSpec, texels: int):
        super().__init__()
        self.outer, self.inner = (FeatureTexture(texels, spec.feature_channels) for _ in range(2))
        self.network = ShadingNetwork(spec)

    @property
    def textures(self) -> tuple[FeatureTexture, FeatureTexture]:
        """The outer shell's and the inner shell's."""
        return self.outer, self.inner

    def shade(self, uv: list[Tensor], mask: list[Tensor], directions: Tensor) -> Tensor:
        """Straight RGBA (b, 4, h, w) of G-buffers with a margin.

        ``uv``: per layer (b, H, W, 2); ``mask``: per layer (b, H, W) bool; ``directions``: (b, H, W, 8), encoded.
        """
        b, h, w = mask[0].shape
        planes = []
        for texture, coordinates, hit in zip(self.textures, uv, mask, strict=True):
            where = torch.nonzero(hit.reshape(-1))[:, 0]
            values = sample_bilinear(texture.quantized(), texture.side, coordinates.reshape(-1, 2)[where])
            plane = values.new_zeros(b * h * w, values.shape[1]).index_copy(0, where, values)
            planes.append(plane.view(b, h, w, -1))
        planes.append(directions.float() * mask[0][..., None])
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
        self.refined, self.error = 0, 0.0
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

    def train(self, views: ViewSet, background: tuple[float, float, float], state: Path) -> float:
        """Train to the end of the schedule, saving to ``state`` now and then; returns the last PSNR of the crops."""
        color = torch.tensor(background, device=self.device).view(1, 3, 1, 1)
        sampler = CropSampler(views, self.config, self.device)
        saved = time.monotonic()
        with bar("distillation", self.config.steps) as progress:
            progress.advance(self.step)
            while self.step < self.config.steps:
                self._schedule()
                loss, squared = self._loss(sampler(self.generator), color)
                self.optimizer.zero_grad(set_to_none=False)
                loss.backward()  # type: ignore[no-untyped-call]
                self.optimizer.step()
                self.step += 1
                self.error = 0.98 * self.error + 0.02 * squared if self.error else squared
                progress.advance(note=f"loss {loss.item():.5f}, {_psnr(self.error):.1f} dB")
                if time.monotonic() - saved > SAVE_SECONDS:
                    self.save(state)
                    saved = time.monotonic()
        self.save(state)
        return _psnr(self.error)

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

    def _loss(self, crops: Crops, background: Tensor) -> tuple[Tensor, float]:
        """The loss, and the mean squared error of the composited colour over whole crops."""
        rgba = self.student.shade(crops.uv, crops.mask, crops.directions)
        alpha = rgba[:, 3:] * crops.covered
        color = rgba[:, :3] * alpha + background * (1 - alpha)
        wanted = crops.rgba[:, :3] + background * (1 - crops.rgba[:, 3:])
        squared = ((color - wanted) ** 2).mean(1, keepdim=True)
        opacity = (alpha - crops.rgba[:, 3:]) ** 2
        count = crops.covered.sum().clamp(min=1)
        loss = ((squared + self.config.alpha_weight * opacity) * crops.covered).sum() / count
        return loss, squared.detach().mean().item()

    def save(self, file: Path) -> None:
        """Write the state of student, optimiser and random numbers, atomically."""
        tensors = {f"student.{name}": value for name, value in self.student.state_dict().items()}
        tensors |= optimizer_state.to_tensors(self.optimizer)
        tensors["generator"] = self.generator.get_state()
        tensors["progress"] = torch.tensor([self.step, self.refined, self.error], dtype=torch.float64)
        write_atomically(file, save({name: value.detach().cpu().contiguous() for name, value in tensors.items()}))

    def load(self, file: Path) -> None:
        """Take up where :meth:`save` left off."""
        tensors = load_file(file)
        step, refined, self.error = tensors["progress"].tolist()
        self.step = int(step)
        while self.refined < int(refined):
            self._refine()
        state = {k.removeprefix("student."): v for k, v in tensors.items() if k.startswith("student.")}
        self.student.load_state_dict(state)
        optimizer_state.restore(self.optimizer, tensors)
        self.generator.set_state(tensors["generator"])


@dataclass(frozen=True)
class Crops:
    """A batch of ``b`` crops of ``c`` pixels, their G-buffers with margin.

    ``rgba``: (b, 4, c, c) float32, premultiplied; ``covered``: (b, 1, c, c) float32, 1 where the outer shell is hit.
    """

    rgba: Tensor
    covered: Tensor
    uv: list[Tensor]
    mask: list[Tensor]
    directions: Tensor


class CropSampler:
    """Draws crops from where the views show something."""

    def __init__(self, views: ViewSet, config: DistillConfig, device: torch.device):
        self.views, self.config, self.device = views, config, device
        size = views.rgba.shape[1]
        self.crop = min(config.crop, size)
        covered = views.mask[0]
        self.used = torch.nonzero(covered.flatten(1).any(1))[:, 0]
        self.ranges = [_range(covered.any(axis), self.crop, size) for axis in (2, 1)]

    def __call__(self, generator: torch.Generator) -> Crops:
        """One batch."""
        chosen = self.used[torch.randint(0, len(self.used), (self.config.batch,), generator=generator)]
        starts = []
        for first, last in self.ranges:
            share = torch.rand(len(chosen), generator=generator)
            starts.append((first[chosen] + share * (last[chosen] - first[chosen] + 1)).long())
        return self._cut(chosen, *starts)

    def _cut(self, chosen: Tensor, top: Tensor, left: Tensor) -> Crops:
        v, size, margin = self.views, self.crop, self.views.margin
        wide = torch.arange(size + 2 * margin)
        index = (chosen[:, None, None], (top[:, None] + wide)[:, :, None], (left[:, None] + wide)[:, None, :])
        narrow = torch.arange(size)
        inside = (chosen[:, None, None], (top[:, None] + narrow)[:, :, None], (left[:, None] + narrow)[:, None, :])
        mask = [m[index].to(self.device) for m in v.mask]
        covered = mask[0][:, None, margin : margin + size, margin : margin + size].float()
        rgba = v.rgba[inside].to(self.device).float().permute(0, 3, 1, 2)
        return Crops(rgba, covered, [u[index].to(self.device) for u in v.uv], mask, v.directions[index].to(self.device))


def _range(occupied: Tensor, crop: int, size: int) -> tuple[Tensor, Tensor]:
    """First and last start (n,) of a crop along an axis whose ``occupied`` (n, length) says where something is."""
    length = occupied.shape[1]
    first = occupied.int().argmax(1)
    last = length - 1 - occupied.flip(1).int().argmax(1)
    low = (first - crop // 4).clamp(0, size - crop)
    return low, torch.maximum(low, (last - 3 * crop // 4).clamp(0, size - crop))


def _psnr(error: float) -> float:
    return -10 * math.log10(max(error, 1e-12))
