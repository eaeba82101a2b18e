"""KiloNeRF's checkpoints between distillation and fine-tuning: a list of pickled networks."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from builders.mlp.kilonerf import CELLS, HIGH, KILO, LOW
from builders.mlp.naive import State, classes


class Node:
    """A leaf of the original's tree of domains."""


class MultiNetworkLinear(nn.Module):
    def __init__(self, weight: Tensor, bias: Tensor):
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)


class MultiNetwork(nn.Module):
    def __init__(self, state: State, number: int):
        super().__init__()
        layers = {
            name: MultiNetworkLinear(*(state[f"{name}.{part}"][number : number + 1] for part in ("weight", "bias")))
            for name in KILO
        }
        self.activation = nn.ReLU()
        self.num_networks = 1
        self.pts_linears = nn.ModuleList([layers[f"pts_linears.{i}"] for i in range(3)])
        for name in ("direction_layer", "feature_linear", "alpha_linear", "rgb_linear"):
            setattr(self, name, layers[name])
        self.view_dependent_parameters = list(self.direction_layer.parameters())


def kilo_nodes(state: State, cells: tuple[int, int, int] = CELLS) -> list[Node]:
    size = (HIGH - LOW) / np.array(cells)
    nodes = []
    for number, cell in enumerate(np.ndindex(*cells)):
        node = Node()
        node.domain_min = (LOW + np.array(cell) * size).tolist()
        node.domain_max = (LOW + (np.array(cell) + 1) * size).tolist()
        node.discovery_best_error = {"mse": torch.tensor(0.1)}
        node.network = MultiNetwork(state, number)
        nodes.append(node)
    return nodes


def save_nodes(nodes: list[Node], file: Path, **more: object) -> None:
    content = {"fitted_volume": 1.0, "num_networks_fitted": 24, "root_nodes": nodes, "phase": "final"}
    content |= {"nodes_to_process": deque(), "saturated_nodes_to_process": deque(nodes[:1]), **more}
    with classes("__main__", Node), classes("multi_modules", MultiNetwork, MultiNetworkLinear):
        torch.save(content, file)
