"""Checkpoints of 1biswarup2/fastnerf (Garbin et al., "FastNeRF", ICCV 2021): a whole pickled module, or its state dict.

Density and colours in one network of the position, their mixture in one of the direction (equations 2 and 3):
``[s, u, v, w] = Fpos(e(x))`` and ``b = softmax(Fdir(e(d)))`` with the encoding ``e`` of the NeRF paper; density
``softplus(s)``, colour ``sum_k b_k sigmoid([u_k, v_k, w_k])``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint
from duplex.baking.checkpoints.tree import CheckpointNode
from duplex.baking.fields.encoding import Encoding
from duplex.baking.fields.field import ACTIVATIONS, Overrides, RadianceField, SceneInfo, width_of
from duplex.baking.fields.mlp import Perceptron

NAME = "fastnerf"
STATE_CLASSES = (
    "__main__.FastNerf",
    "torch.nn.modules.container.Sequential",
    "torch.nn.modules.linear.Linear",
    "torch.nn.modules.activation.ReLU",
)
NETS = ("Fpos", "Fdir")
PARTS = ("weight", "bias")
MAX_LAYERS = 100
REACH, UNIFORM = 1.5, 0.05  # half-side of a cube that objects fill; relative spread below which nothing is in it


class FastNerf(RadianceField):
    """Two perceptrons, wired as in the docstring of this module."""

    def __init__(self, weights: dict[str, Tensor], overrides: Overrides):
        super().__init__()
        self.activation = overrides.activation or "softplus"
        order = overrides.encoding or "ftd"
        inputs = [width_of(weights, f"{name}.0") for name in NETS]
        self.points, self.directions = (Encoding.fitting(n, name, order) for n, name in zip(inputs, NETS, strict=True))
        self.fpos, self.fdir = (
            Perceptron.read(weights, _layers(weights, name), NAME, n) for n, name in zip(inputs, NETS, strict=True)
        )
        outputs = self.fpos.outputs
        self.count = self.fdir.outputs
        if outputs != 3 * self.count + 1:
            raise DuplexError(
                f"Fpos gives {outputs} values: expected {3 * self.count + 1} for Fdir's {self.count}: "
                "a network of unknown shape"
            )

        self.uniform = self._is_uniform()

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        raw = self.fpos(self.points(points))
        return ACTIVATIONS[self.activation](raw[:, 0]), torch.sigmoid(raw[:, 1:])

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:  # noqa: D102
        b = torch.softmax(self.fdir(self.directions(directions)), -1)
        return (latent.view(-1, 3, self.count) * b[:, None, :]).sum(-1)

    def _is_uniform(self) -> bool:
        """Whether density is all but the same everywhere: what training that failed leaves behind."""
        places = torch.rand(1024, 3, generator=torch.Generator().manual_seed(0)) * (2 * REACH) - REACH
        with torch.no_grad():
            sigma, _ = self.density(places)
        return bool(sigma.max() - sigma.min() <= UNIFORM * sigma.max())

    def describe(self) -> dict[str, str]:  # noqa: D102
        return {
            "network": f"{self.fpos.depth} layers of {self.fpos.hidden}, a mixture of {self.count} colours",
            "encoding": self.points.describe(),
            "view encoding": self.directions.describe(),
            "density": f"{self.activation}, the same everywhere" if self.uniform else self.activation,
        }


class FastNerfFamily(Family):
    """Pickled modules and state dicts of 1biswarup2/fastnerf."""

    name = NAME
    state_classes = STATE_CLASSES

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint is this family's module, or its state dict."""
        if checkpoint.kind != "torch":
            return False
        root = checkpoint.root
        return _is_module(root) or all(f"{name}.0.weight" in root for name in NETS)

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """The one network, and the scene of the repository's script."""
        field = FastNerf(_state(checkpoint.root), overrides)
        assumed = ["near 2, far 6, white background, 192 + 128 samples (--near, --far, --background, --samples)"]
        if field.uniform:
            assumed.append("that it is worth baking: its density is the same everywhere, as where training has failed")
        scene = SceneInfo(coarse_samples=192, fine_samples=128, principal_shift=0.5 / 400, assumed=tuple(assumed))
        return LoadedFields.single(field, scene)


def _is_module(root: CheckpointNode) -> bool:
    """Whether a file holds the pickled module, which is its ``nn.Module.__dict__``."""
    return all(root.at("_modules", name).kind for name in NETS)


def _state(root: CheckpointNode) -> dict[str, Tensor]:
    """The state dict, gathered from a pickled module's parts where the file holds one."""
    if not _is_module(root):
        return root.tensors()
    state: dict[str, Tensor] = {}
    for name in NETS:
        layers = root.at("_modules", name, "_modules")
        count = len(layers.names())
        if count > MAX_LAYERS:
            raise DuplexError(f"{layers.name} holds {count} layers: expected at most {MAX_LAYERS}: an unknown network")
        for index in layers.names():
            for part, value in layers.at(index, "_parameters").tensors(PARTS).items():
                state[f"{name}.{index}.{part}"] = value
    return state


def _layers(weights: dict[str, Tensor], name: str) -> list[str]:
    """``name.0``, ``name.2``, ...: every other one of a Sequential is a ReLU."""
    names = [f"{name}.0"]
    while f"{name}.{2 * len(names)}.weight" in weights:
        names.append(f"{name}.{2 * len(names)}")
    return names
