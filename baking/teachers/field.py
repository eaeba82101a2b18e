"""What a teacher is: a trained radiance field and what is known about its scene."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from duplex.app.errors import DuplexError

MAX_WIDTH = 4096
MAX_SAMPLES = 4096
MAX_DISTANCE = 1e6


class RadianceField(nn.Module):
    """A trained network that gives density and view-dependent colour at points.

    Split in two, so that a renderer pays for the colour only where the density asks for it.
    """

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Density and the latent that :meth:`color` continues from.

        ``points``: (n, 3) float32, world. Returns sigma (n,), at least 0, per world unit, and latent (n, c).
        """
        raise NotImplementedError

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:
        """Radiance (n, 3) in [0, 1] of ``latent`` (n, c) seen along unit ``directions`` (n, 3)."""
        raise NotImplementedError


def positional_encoding(x: Tensor, frequencies: int) -> Tensor:
    """``[x, sin(2^0 x), cos(2^0 x), sin(2^1 x), ...]`` (NeRF, equation 4, without pi), each block as wide as ``x``.

    ``x``: (n, d). Returns (n, d + 2 d frequencies).
    """
    n, d = x.shape
    out = x.new_empty(n, 1 + 2 * frequencies, d)
    out[:, 0] = x
    angles = x[:, None, :] * (2.0 ** torch.arange(frequencies, device=x.device, dtype=x.dtype))[:, None]
    out[:, 1::2] = torch.sin(angles)
    out[:, 2::2] = torch.cos(angles)
    return out.reshape(n, d + 2 * d * frequencies)


def frequencies_of(width: int, dims: int, name: str) -> int:
    """The number of frequencies of a :func:`positional_encoding` that is ``width`` wide."""
    count, rest = divmod(width - dims, 2 * dims)
    if rest or not 0 <= count <= 32:
        raise DuplexError(
            f"{name}: its input is {width} wide, which is no positional encoding of {dims} coordinates "
            f"({dims} + {2 * dims} per frequency): a network of unknown shape"
        )
    return count


@dataclass(frozen=True)
class SceneInfo:
    """What a checkpoint's sibling files, or their defaults, say about its scene.

    ``near``, ``far``: ray interval in world units; ``background``: RGB in [0, 1] that the teacher was trained
    against; ``coarse_samples``, ``fine_samples``: the standard renderer's counts; ``up``: world direction;
    ``hemisphere``: cameras only saw the side of ``up``; ``principal_shift``: how far the principal point lies
    right of and below the middle, in image heights (the original code's rays pass through pixel corners, not
    centres); ``assumed``: what no file said and was therefore assumed.
    """

    near: float = 2.0
    far: float = 6.0
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)
    coarse_samples: int = 64
    fine_samples: int = 128
    up: tuple[float, float, float] = (0.0, 0.0, 1.0)
    hemisphere: bool = True
    principal_shift: float = 0.5 / 800
    assumed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise :class:`DuplexError` for what no scene can have."""
        if not 0 <= self.near < self.far < MAX_DISTANCE:
            raise DuplexError(f"near {self.near:g} and far {self.far:g}: expected 0 <= near < far < {MAX_DISTANCE:g}")
        for name, count, least in (("coarse", self.coarse_samples, 4), ("fine", self.fine_samples, 0)):
            if not least <= count <= MAX_SAMPLES:
                raise DuplexError(f"{count} {name} samples a ray: expected {least} to {MAX_SAMPLES}")


@dataclass(frozen=True)
class Teacher:
    """A trained NeRF: its ``coarse`` and ``fine`` networks and its ``scene``.

    ``family``: the code base whose layout the checkpoint has; ``path``: the checkpoint's file; ``sha256``: of
    that file.
    """

    coarse: RadianceField
    fine: RadianceField
    scene: SceneInfo
    family: str
    path: Path
    sha256: str
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def to(self, device: torch.device) -> Teacher:
        """The same teacher on another device."""
        return replace(self, coarse=self.coarse.to(device), fine=self.fine.to(device), device=device)


def linear(
    weights: dict[str, Tensor],
    name: str,
    family: str,
    in_features: int | None = None,
    out_features: int | None = None,
) -> nn.Linear:
    """The layer ``name.weight``, ``name.bias`` of a state dict, with its shapes checked.

    Raises :class:`DuplexError` when it is missing, or its widths are not ``in_features`` and ``out_features``.
    """
    weight, bias = weights.get(f"{name}.weight"), weights.get(f"{name}.bias")
    if weight is None or bias is None:
        raise DuplexError(f"layer {name} is missing: not a {family} network that duplex knows")
    if weight.ndim != 2 or bias.shape != weight.shape[:1] or not all(1 <= side <= MAX_WIDTH for side in weight.shape):
        raise DuplexError(f"layer {name}: weight {tuple(weight.shape)} and bias {tuple(bias.shape)} do not fit")
    for found, expected, what in (
        (weight.shape[1], in_features, "takes {} inputs"),
        (weight.shape[0], out_features, "gives {} outputs"),
    ):
        if expected is not None and found != expected:
            raise DuplexError(
                f"layer {name} {what.format(found)} where the {family} layout has {expected}: "
                "a network of unknown shape"
            )
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data.copy_(weight)
    layer.bias.data.copy_(bias)
    return layer.requires_grad_(False)


def width_of(weights: dict[str, Tensor], name: str) -> int:
    """How many inputs the layer ``name`` takes; 0 where that cannot be told (:func:`linear` then says why)."""
    weight = weights.get(f"{name}.weight")
    return weight.shape[1] if weight is not None and weight.ndim == 2 else 0
