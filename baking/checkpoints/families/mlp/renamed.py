"""NeRF's network under any names, in a state dict of its own or inside others: forks, ports and exports.

The layers are found by their shapes and order (:mod:`~duplex.baking.checkpoints.families.mlp.roles`). What shapes do
not tell is a question (:mod:`~duplex.baking.fields.readings`), whose usual answer is that of yenchenlin/nerf-pytorch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from duplex.baking.checkpoints.families.mlp import nerf_pytorch
from duplex.baking.checkpoints.families.mlp.roles import Matrix, Roles, Unfit, roles_of
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint
from duplex.baking.checkpoints.layers import NamedArray, parts_of
from duplex.baking.fields import readings
from duplex.baking.fields.encoding import Encoding
from duplex.baking.fields.field import Overrides
from duplex.baking.fields.mlp import Layers, NerfMlp, Variant
from duplex.baking.fields.readings import Question

NAME = "nerf by shapes"
MAX_ARRAYS = 400
BETWEEN = re.compile(r"[./]")

Answer = Callable[[Question], str]


class RenamedFamily(Family):
    """Networks of the NeRF paper under any names."""

    name = NAME

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether the matrices of a checkpoint make one or two such networks."""
        return checkpoint.kind in ("torch", "npz") and not misfit(checkpoint)

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """Coarse and fine networks, and the scene from ``args.txt`` beside it."""
        found = _networks(_arrays(checkpoint))
        questions = tuple(dict.fromkeys(question for roles in found for question in _questions(roles)))
        left = tuple(question for question in questions if readings.answer_of(overrides, question) is None)
        fields = [network(roles, lambda q: readings.answer_of(overrides, q) or q[0]) for roles in found]
        scene = nerf_pytorch.scene_of(checkpoint.path, overrides)
        scene = replace(scene, assumed=(*scene.assumed, *readings.assumptions(left)))
        return LoadedFields(fields[0], fields[-1], scene, left)


def misfit(checkpoint: Checkpoint) -> str:
    """Why a file's matrices make no such network, in a few words; empty where they do."""
    try:
        _networks(_arrays(checkpoint))
    except Unfit as error:
        return str(error)
    return ""


def network(roles: Roles, answer: Answer) -> NerfMlp:
    """The field of one network, its open questions answered by ``answer``."""
    order, unit = answer(readings.ENCODINGS), answer(readings.FREQUENCIES)

    def encoding(width: int) -> Encoding:
        identity = "none" if width % 6 == 0 else "first"
        return Encoding.fitting(width, "the network", order, identity, math.pi if unit == "pi-frequencies" else 1.0)

    feature = answer(_feature_question(roles))
    variant = Variant(
        skip_input_first=answer(readings.SKIP_ORDERS) == "encoded-first",
        first_is_linear=answer(readings.FIRST) == "linear-first",
        feature_relu=feature == "relu-feature",
        views_first=answer(readings.VIEWS) == "views-first",
        density=answer(readings.FLAGS["activation"]),
    )
    points = encoding(roles.trunk[0].inputs)
    directions = encoding(roles.directions) if roles.directions else None
    return NerfMlp(_layers(roles, feature, answer(_density_question(roles))), variant, points, directions)


def _layers(roles: Roles, feature: str, density: str) -> Layers:
    trunk = list(roles.trunk)
    last = roles.feature
    if roles.square is not None and feature == "no-feature":
        trunk.insert(roles.place, roles.square)
    elif roles.square is not None:
        last = roles.square
    layers = [_linear(layer) for layer in trunk]
    if roles.output is not None:
        return Layers(layers, output=_turned(_linear(roles.output), -1 if density == "density-first" else 0))
    alpha = None if roles.alpha is None else _linear(roles.alpha)
    behind = None if last is None else _linear(last)
    if alpha is None and behind is not None:
        alpha, behind = _split(behind, density == "density-first")
    assert roles.rgb is not None
    return Layers(layers, alpha, behind, [_linear(layer) for layer in roles.views], _linear(roles.rgb))


def _questions(roles: Roles) -> list[Question]:
    """What the shapes do not tell; what corrupts most if it is wrong comes first."""
    questions: list[Question] = [readings.SKIP_ORDERS] if roles.has_skips else []
    questions += [readings.ENCODINGS, readings.FREQUENCIES, readings.FIRST]
    if roles.output is not None or roles.alpha is None:
        questions.append(_density_question(roles))
    if roles.square is not None or roles.feature is not None:
        questions.append(_feature_question(roles))
    return [*questions, *([readings.VIEWS] if roles.directions else []), readings.FLAGS["activation"]]


def _feature_question(roles: Roles) -> Question:
    linear, relu, none = readings.FEATURES
    if roles.square is None:
        return linear, relu
    return (linear, relu, none) if roles.is_feature else (none, linear, relu)


def _density_question(roles: Roles) -> Question:
    first, last = readings.DENSITIES
    return (first, last) if roles.output is None else (last, first)


def _linear(matrix: Matrix) -> nn.Linear:
    """The layer with its numbers; without a bias in the file, with one of zeros."""
    weight = matrix.weight.holder.tensor(matrix.weight.key, matrix.weight.shape)
    bias = torch.zeros(matrix.outputs)
    if matrix.bias is not None:
        bias = matrix.bias.holder.tensor(matrix.bias.key, (matrix.outputs,))
    return _made(weight.T if matrix.turned else weight, bias)


def _made(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data.copy_(weight)
    layer.bias.data.copy_(bias)
    return layer.requires_grad_(False)


def _turned(output: nn.Linear, steps: int) -> nn.Linear:
    """The layer with its outputs moved by ``steps``: density, red, green, blue become red, green, blue, density."""
    if not steps:
        return output
    order = [1, 2, 3, 0, *range(4, output.out_features)]
    return _made(output.weight[order], output.bias[order])


def _split(layer: nn.Linear, density_first: bool) -> tuple[nn.Linear, nn.Linear]:
    """A layer that gives density and feature, as two."""
    one, rest = (slice(0, 1), slice(1, None)) if density_first else (slice(-1, None), slice(0, -1))
    return _made(layer.weight[one], layer.bias[one]), _made(layer.weight[rest], layer.bias[rest])


def _arrays(checkpoint: Checkpoint) -> list[NamedArray]:
    """The arrays of a file, of which those beside the objects with the layers do not count."""
    arrays = parts_of(checkpoint.root, MAX_ARRAYS + 1)
    if len(arrays) > MAX_ARRAYS:
        raise Unfit(f"more than {MAX_ARRAYS} arrays")
    inner = [array for array in arrays if len(array.path) > 1]
    return inner if sum(len(array.shape) == 2 for array in inner) > 2 else arrays


def _networks(arrays: Sequence[NamedArray]) -> list[Roles]:
    """One network, or a coarse and a fine one; raises :class:`Unfit`."""
    try:
        return [roles_of(arrays)]
    except Unfit as error:
        reason = error
    fine = [array for array in arrays if "fine" in array.name.lower()]
    others = [array for array in arrays if "fine" not in array.name.lower()]
    if fine and others:
        return [roles_of(others), roles_of(fine)]
    groups = _groups(arrays)
    if len(groups) != 2 or min(map(len, groups)) < 3:
        raise reason
    return [roles_of(group) for group in groups]


def _groups(arrays: Sequence[NamedArray]) -> list[list[NamedArray]]:
    """The arrays by the first part of their names in which they differ."""
    names = [BETWEEN.split(array.name) for array in arrays]
    same = 0
    while names and all(len(name) > same + 1 and name[same] == names[0][same] for name in names):
        same += 1
    groups: dict[str, list[NamedArray]] = {}
    for name, array in zip(names, arrays, strict=True):
        groups.setdefault(name[same], []).append(array)
    return list(groups.values())
