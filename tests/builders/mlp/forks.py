"""Forks of the NeRF paper's network: other names, other wirings, and a naive evaluation of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from builders.mlp.naive import Reference, State, layer, random_state

W, POINT, VIEW = 24, 63, 27
BODY, OCCUPANCY, BRIDGE, LOOK, PAINT = "body.{}", "occupancy", "bridge", "look", "paint"


@dataclass(frozen=True)
class Fork:
    """A network: ``depth`` layers, skips into those of ``skips``, and how it is wired."""

    depth: int = 6
    skips: tuple[int, ...] = (3,)
    hidden_first: bool = False
    linear_first: bool = False
    feature: str = "linear"  # or relu, none
    views_first: bool = False
    order: str = "ftd"
    pi: bool = False

    def state(self, seed: int = 2) -> State:
        """Random weights."""
        shapes: dict[str, tuple[int, ...]] = {}
        for i in range(self.depth):
            shapes[BODY.format(i)] = (W, POINT if i == 0 else W + POINT * (i in self.skips))
        if self.feature != "none":
            shapes[BRIDGE] = (W, W)
        return random_state(shapes | {LOOK: (W // 2, W + VIEW), OCCUPANCY: (1, W), PAINT: (3, W // 2)}, seed)

    def encoded(self, x: Tensor, count: int) -> Tensor:
        """``x``, then sines and cosines in one of the orders."""
        scale = math.pi if self.pi else 1.0
        waves = torch.stack([f(scale * 2.0**k * x) for f in (torch.sin, torch.cos) for k in range(count)], 1)
        waves = waves.view(len(x), 2, count, 3).permute(0, *("tfd".index(letter) + 1 for letter in self.order))
        return torch.cat([x, waves.reshape(len(x), -1)], -1)

    def reference(self, state: State) -> Reference:
        """Density and colour, written from the paper's figure 7 and the deviations."""

        def evaluate(points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
            e, v = self.encoded(points, 10), self.encoded(directions, 4)
            h = e
            for i in range(self.depth):
                if i in self.skips:
                    h = torch.cat([h, e] if self.hidden_first else [e, h], -1)
                h = layer(state, BODY.format(i), h)
                h = h if i == 0 and self.linear_first else h.relu()
            sigma = layer(state, OCCUPANCY, h)[:, 0].relu()
            f = h if self.feature == "none" else layer(state, BRIDGE, h)
            f = f.relu() if self.feature == "relu" else f
            f = layer(state, LOOK, torch.cat([v, f] if self.views_first else [f, v], -1)).relu()
            return sigma, layer(state, PAINT, f).sigmoid()

        return evaluate


def renamed(state: State, names: Sequence[str]) -> State:
    """The layers of ``state`` in their order under other ``names``."""
    old = list(dict.fromkeys(name.rpartition(".")[0] for name in state))
    assert len(old) == len(names)
    return {
        f"{new}.{part}": state[f"{mine}.{part}"]
        for mine, new in zip(old, names, strict=True)
        for part in ("weight", "bias")
    }
