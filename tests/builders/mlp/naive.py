"""What the naive networks of the MLP families share: layers, encodings, comparisons."""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from duplex.baking.fields.field import RadianceField

State = dict[str, Tensor]
Reference = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def random_points(n: int = 300, half: float = 1.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    points = (torch.rand(n, 3, generator=generator) * 2 - 1) * half
    return points, F.normalize(torch.randn(n, 3, generator=generator), dim=-1)


def random_state(shapes: dict[str, tuple[int, ...]], seed: int = 2) -> State:
    """Weights (..., outputs, inputs) and biases of about unit gain."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        state[f"{name}.weight"] = torch.randn(*shape, generator=generator) / (shape[-1] / 2) ** 0.5
        state[f"{name}.bias"] = torch.randn(*shape[:-1], generator=generator) * 0.3
    return state


def layer(state: State, name: str, x: Tensor) -> Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def ftd(x: Tensor, frequencies: int) -> Tensor:
    """NeRF's order: x, then sine and cosine of the whole vector, frequency after frequency."""
    parts = [x]
    for k in range(frequencies):
        parts += [torch.sin(2.0**k * x), torch.cos(2.0**k * x)]
    return torch.cat(parts, -1)


def tfd(x: Tensor, frequencies: int) -> Tensor:
    """jaxnerf's order: x, then all sines, then all cosines."""
    sines = [torch.sin(2.0**k * x) for k in range(frequencies)]
    return torch.cat([x, *sines, *(torch.cos(2.0**k * x) for k in range(frequencies))], -1)


def dtf(x: Tensor, frequencies: int) -> Tensor:
    """All sines, then all cosines, of one coordinate after the other; multiples of pi; without x."""
    parts = []
    for d in range(3):
        parts += [torch.sin(math.pi * 2.0**k * x[:, d : d + 1]) for k in range(frequencies)]
        parts += [torch.cos(math.pi * 2.0**k * x[:, d : d + 1]) for k in range(frequencies)]
    return torch.cat(parts, -1)


def agree(field: RadianceField, reference: Reference, half: float = 1.0) -> None:
    points, directions = random_points(half=half)
    sigma, latent = field.density(points)
    expected_sigma, expected_color = reference(points, directions)
    assert float(expected_sigma.std()) > 0.01 and float(expected_color.std()) > 0.01  # it is a test at all
    assert sigma.shape == (300,) and sigma.dtype == torch.float32
    assert torch.allclose(sigma, expected_sigma, rtol=1e-3, atol=1e-3), float((sigma - expected_sigma).abs().max())
    color = field.color(latent, directions)
    assert torch.allclose(color, expected_color, atol=1e-3), float((color - expected_color).abs().max())


def differ(field: RadianceField, reference: Reference) -> bool:
    """Whether the field is clearly another one than the reference: most densities, or most colours, are off."""
    points, directions = random_points()
    sigma, latent = field.density(points)
    expected_sigma, expected_color = reference(points, directions)
    color = field.color(latent, directions)
    off = (sigma - expected_sigma).abs() > 0.02
    return bool(off.float().mean() > 0.3 or ((color - expected_color).abs().amax(-1) > 0.02).float().mean() > 0.5)


@contextmanager
def classes(module: str, *kinds: type) -> Iterator[None]:
    """Makes classes pickle as those of ``module``, as the original programs' do."""
    old = dict(sys.modules)
    for parent in range(module.count(".")):
        sys.modules[module.rsplit(".", parent + 1)[0]] = types.ModuleType(module)
    sys.modules[module] = fake = types.ModuleType(module)
    saved = [(kind, kind.__module__, kind.__qualname__) for kind in kinds]
    for kind in kinds:
        kind.__module__, kind.__qualname__ = module, kind.__name__
        setattr(fake, kind.__name__, kind)
    try:
        yield
    finally:
        for kind, name, qualified in saved:
            kind.__module__, kind.__qualname__ = name, qualified
        for name in {module, *(module.rsplit(".", i + 1)[0] for i in range(module.count(".")))}:
            del sys.modules[name]
            sys.modules |= {name: old[name]} if name in old else {}
