"""State dicts of dyc-github/tinynerf-slang, method ``vanilla`` in a box.

Alphabet: ``q`` a position with the box scaled to [-1, 1]^3, ``d`` a direction; ``enc`` is ``sin(s x)``, then
``cos(s x)``, for the scales ``s`` of the file, of one coordinate after the other. Features ``f = net(enc(q))``; density
``exp(sigma_net(f) - 1)`` in the box and 0 outside; colour ``sigmoid(rgb_net([enc(d), d, f]))``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint
from duplex.baking.fields.encoding import MAX_FREQUENCIES, Encoding
from duplex.baking.fields.field import ACTIVATIONS, Overrides, RadianceField, SceneInfo
from duplex.baking.fields.mlp import Perceptron

NAME = "tinynerf-slang"
POINTS, VIEWS = "feature_module.encoding.freqs", "rgb_decoder.pe.freqs"
NETS = ("feature_module.net.net", "sigma_decoder.net.net", "rgb_decoder.net.net")
BOX = ((-1.5, -1.5, -1.5), (1.5, 1.5, 1.5))
EXPONENTIAL = "exp(x - 1)"
MAX_SCALE = 1e10  # of an encoding; what is infinite has no sine


class TinyNerf(RadianceField):
    """Three perceptrons, wired as in the docstring of this module, in a ``box`` (2, 3) of the world."""

    box: Tensor

    def __init__(self, weights: dict[str, Tensor], box: Tensor, overrides: Overrides):
        super().__init__()
        self.activation = overrides.activation or EXPONENTIAL
        order = overrides.encoding or "dtf"
        self.points = Encoding(_scales(weights, POINTS), order, "none")
        self.directions = Encoding(_scales(weights, VIEWS), order, "none")
        self.register_buffer("box", box)
        self.feature = _perceptron(weights, NETS[0], self.points.width(), None)
        width = self.feature.outputs
        self.sigma = _perceptron(weights, NETS[1], width, 1)
        self.rgb = _perceptron(weights, NETS[2], self.directions.width() + 3 + width, 3)

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        q = (points - self.box[0]) / (self.box[1] - self.box[0]) * 2 - 1
        f = self.feature(self.points(q))
        raw = self.sigma(f)[:, 0]
        sigma = ACTIVATIONS["exp"](raw - 1) if self.activation == EXPONENTIAL else ACTIVATIONS[self.activation](raw)
        return sigma * (q.abs() <= 1).all(-1), f

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:  # noqa: D102
        return torch.sigmoid(self.rgb(torch.cat([self.directions(directions), directions, latent], -1)))

    def describe(self) -> dict[str, str]:  # noqa: D102
        return {
            "network": f"{self.feature.depth} layers of {self.feature.hidden}, no skip",
            "encoding": self.points.describe(),
            "view encoding": f"{self.directions.describe()}, the direction behind it",
            "density": self.activation,
        }


class TinyNerfFamily(Family):
    """State dicts of dyc-github/tinynerf-slang."""

    name = NAME

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint has this family's layers."""
        return checkpoint.kind == "torch" and all(f"{name}.0.weight" in checkpoint.root for name in NETS)

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """The one network, and the scene of the repository's training script, in a box that no file states."""
        box = torch.tensor(BOX) if overrides.bounds is None else torch.as_tensor(overrides.bounds, dtype=torch.float32)
        if box.shape != (2, 3) or not bool((box[1] > box[0]).all()):
            raise DuplexError(f"bounds {box.tolist()}: expected low x y z, then a larger high x y z")
        assumed = ["near 2, far 6, black background, 192 + 128 samples (--near, --far, --background, --samples)"]
        if overrides.bounds is None:
            assumed.append("a box from -1.5 to 1.5 along each axis (--bounds says otherwise)")
        field = TinyNerf(checkpoint.root.tensors(), box, overrides)
        scene = SceneInfo(
            background=(0.0, 0.0, 0.0),
            coarse_samples=192,  # the original marches evenly, by the box's diagonal over some 300 to 1000 samples
            fine_samples=128,
            principal_shift=0.0,
            bounds=BOX,
            assumed=tuple(assumed),
        )
        return LoadedFields.single(field, scene)


def _scales(weights: dict[str, Tensor], name: str) -> tuple[float, ...]:
    scales = weights.get(name)
    if scales is None or scales.ndim != 1 or not 1 <= len(scales) <= MAX_FREQUENCIES:
        raise DuplexError(
            f"{name} is missing or no list of 1 to {MAX_FREQUENCIES} frequencies: a file of unknown layout"
        )
    if float(scales.abs().max()) > MAX_SCALE:
        raise DuplexError(f"{name} holds a frequency over {MAX_SCALE:g}: a damaged file; copy it again")
    return tuple(scales.tolist())


def _perceptron(weights: dict[str, Tensor], name: str, inputs: int, outputs: int | None) -> Perceptron:
    """``name.0``, then hidden layers ``name.2.0``, ``name.3.0``, ..., then a last layer under the next number."""
    names = [f"{name}.0"]
    while f"{name}.{len(names) + 1}.0.weight" in weights:
        names.append(f"{name}.{len(names) + 1}.0")
    return Perceptron.read(weights, [*names, f"{name}.{len(names) + 1}"], NAME, inputs, outputs)
