"""Distillation views: what the teacher shows, and where the shells are hit, for camera after camera."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from duplex.app.camera import Camera
from duplex.app.files import write_atomically
from duplex.app.network import VIEW_CHANNELS, encode_view
from duplex.baking.fast_rendering import FastRenderer
from duplex.baking.gbuffers import Rasterizer
from duplex.baking.progress import bar

SHARD = 20


@dataclass(frozen=True)
class ViewConfig:
    """How many views are distilled."""

    views: int = 300  # pictures of the teacher to learn from
    view_size: int = 200  # side of each picture in pixels
    near_share: float = 0.4  # share of the views taken from closer by
    sub_steps: int = 2  # samples of the teacher's network in each cell of the density grid that a ray crosses


@dataclass(frozen=True)
class ViewSet:
    """``n`` square views of ``size`` pixels with a margin ``m`` around their G-buffers.

    ``rgba``: (n, size, size, 4) float16, premultiplied; ``uv``: per layer (n, size + 2 m, size + 2 m, 2) float32;
    ``mask``: per layer (n, ...) bool; ``directions``: (n, size + 2 m, size + 2 m, 8) float16, encoded.
    """

    rgba: Tensor
    uv: tuple[Tensor, Tensor]
    mask: tuple[Tensor, Tensor]
    directions: Tensor
    margin: int


def render_teacher(renderer: FastRenderer, cameras: list[Camera], folder: Path) -> Tensor:
    """The teacher's pictures (n, size, size, 4) float16; those already in ``folder`` are not rendered again."""
    size = cameras[0].width
    rgba = torch.empty(len(cameras), size, size, 4, dtype=torch.float16)
    with bar("teacher views", len(cameras)) as progress:
        for start in range(0, len(cameras), SHARD):
            part = cameras[start : start + SHARD]
            file = folder / f"views-{start:05d}.safetensors"
            if not file.exists():
                pictures = torch.stack([renderer.render(camera) for camera in part])
                write_atomically(file, save({"rgba": pictures.half().cpu()}))
            rgba[start : start + len(part)] = load_file(file)["rgba"]
            progress.advance(len(part))
    return rgba


def make_view_set(rgba: Tensor, cameras: list[Camera], rasterizer: Rasterizer, margin: int) -> ViewSet:
    """Join the teacher's pictures with the G-buffers of the same cameras."""
    count, side = len(cameras), rgba.shape[1] + 2 * margin
    uv = [torch.empty(count, side, side, 2) for _ in range(2)]
    mask = [torch.empty(count, side, side, dtype=torch.bool) for _ in range(2)]
    directions = torch.empty(count, side, side, VIEW_CHANNELS, dtype=torch.float16)
    for i, camera in enumerate(cameras):
        padded = camera.padded(margin)
        for layer, hits in enumerate(rasterizer.layers(padded)):
            uv[layer][i] = torch.from_numpy(hits.uv)
            mask[layer][i] = torch.from_numpy(hits.face >= 0)
        rays = padded.ray_directions()
        directions[i] = torch.from_numpy(encode_view(rays / np.linalg.norm(rays, axis=-1, keepdims=True)))
    return ViewSet(rgba, (uv[0], uv[1]), (mask[0], mask[1]), directions, margin)
