"""What each matrix of a NeRF's network is for, found by shapes and order alone, whatever the layers are called.

Alphabet: ``e`` the width of the encoded point, ``v`` that of the encoded direction, ``w`` that of the trunk, ``f`` that
of what the view layers take. The trunk is ``e -> w``, ``w -> w``, ``w + e -> w`` at a skip; behind it come a density
``w -> 1``, a feature ``w -> f`` (or both in one, ``w -> 1 + f``), view layers ``f + v -> ...`` and a colour
``... -> 3``; without viewing directions density and colour alone, or one output of four numbers and more.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from duplex.baking.checkpoints.layers import NamedArray
from duplex.baking.fields.field import MAX_WIDTH

MAX_LAYERS = 64
MAX_OUTPUTS = 8  # of a layer that gives colour and density
FREQUENCIES, BARE_FREQUENCIES, VIEW_FREQUENCIES = 20, 12, 10  # at most; bare: of an encoding without the point itself
NUMBER = re.compile(r"[0-9]{1,9}")
STEM = re.compile(r"[._/][^._/]*$")


class Unfit(Exception):
    """Why arrays make no network of this shape, in a few words."""


@dataclass(frozen=True)
class Matrix:
    """A layer: its ``weight``, (outputs, inputs) or, where it is ``turned``, (inputs, outputs), and its ``bias``."""

    weight: NamedArray
    bias: NamedArray | None
    turned: bool

    @property
    def inputs(self) -> int:
        """How many numbers it takes."""
        return self.weight.shape[0 if self.turned else 1]

    @property
    def outputs(self) -> int:
        """How many numbers it gives."""
        return self.weight.shape[1 if self.turned else 0]

    @property
    def pattern(self) -> str:
        """Its name with a sign for each number, which the layers of one list share."""
        return NUMBER.sub("#", self.weight.name)

    def __str__(self) -> str:
        return f"{STEM.sub('', self.weight.key)[-40:]} ({self.inputs} to {self.outputs})"


@dataclass(frozen=True)
class Roles:
    """The layers of a network by what they are for.

    ``square``: the layer ``w -> w`` that may be the feature or part of the trunk, then at ``place``; ``is_feature``:
    which of both is usual for such names. ``feature`` gives the density too where ``alpha`` is None.
    """

    trunk: tuple[Matrix, ...]
    alpha: Matrix | None = None
    feature: Matrix | None = None
    square: Matrix | None = None
    place: int = 0
    is_feature: bool = False
    views: tuple[Matrix, ...] = ()
    rgb: Matrix | None = None
    output: Matrix | None = None
    directions: int = 0

    @property
    def has_skips(self) -> bool:
        """Whether a layer of the trunk takes the encoded point again."""
        return any(layer.inputs != layer.outputs for layer in self.trunk[1:])


def roles_of(arrays: Sequence[NamedArray]) -> Roles:
    """The roles of a network's ``arrays``; raises :class:`Unfit`."""
    reasons: list[Unfit] = []
    for layers in _layers(arrays):
        outputs = {layer.outputs for layer in layers}
        firsts = [layer for layer in layers if _is_encoding(layer.inputs, FREQUENCIES) and layer.outputs > 3]
        for first in sorted(firsts, key=lambda layer: layer.inputs in outputs):
            try:
                return _roles(first, [layer for layer in layers if layer is not first])
            except Unfit as error:
                reasons.append(error)
    raise reasons[0] if reasons else Unfit("no layer takes an encoded point, 3 + 6 per frequency")


def _is_encoding(width: int, most: int) -> bool:
    count, rest = divmod(width, 6)
    return (rest == 3 and count <= most) or (rest == 0 and 0 < count <= min(most, BARE_FREQUENCIES))


def _layers(arrays: Sequence[NamedArray]) -> list[list[Matrix]]:
    """The layers in order, as torch has them (outputs, inputs), as jax has them, or both where no bias tells."""
    odd = next((array for array in arrays if len(array.shape) > 2), None)
    if odd is not None:
        raise Unfit(f"{odd.key[-40:]} is no layer")
    pairs = _pairs(arrays)
    if not 3 <= len(pairs) <= MAX_LAYERS or not all(1 <= n <= MAX_WIDTH for each, _ in pairs for n in each.shape):
        raise Unfit(f"{len(pairs)} layers, not 3 to {MAX_LAYERS}, or over {MAX_WIDTH} wide")
    used = {id(bias) for _, bias in pairs}
    widths = {n for each, _ in pairs for n in each.shape if n > MAX_OUTPUTS}
    for array in arrays:
        if len(array.shape) == 1 and id(array) not in used and array.shape[0] in widths:
            raise Unfit(f"{array.key[-40:]} is no layer's bias")
    sides = [sum(bias is not None and bias.shape[0] == each.shape[side] for each, bias in pairs) for side in (0, 1)]
    turns = [turned for turned in (False, True) if sides[turned] == max(sides)]
    made = [[Matrix(*pair, turned) for pair in pairs] for turned in turns]
    for layer in made[0]:
        if layer.bias is not None and layer.bias.shape[0] != layer.outputs:
            raise Unfit(f"the bias of {layer} has {layer.bias.shape[0]} numbers")
    return [_in_order(layers) for layers in made]


def _pairs(arrays: Sequence[NamedArray]) -> list[tuple[NamedArray, NamedArray | None]]:
    """Matrices and their biases: the vectors that differ in the end of their names, else those next behind them."""
    vectors = {STEM.sub("", array.name): array for array in arrays if len(array.shape) == 1}
    pairs: list[tuple[NamedArray, NamedArray | None]] = []
    for i, array in enumerate(arrays):
        if len(array.shape) == 2:
            near = vectors.get(STEM.sub("", array.name)) or next(iter(arrays[i + 1 : i + 2]), None)
            fits = near is not None and len(near.shape) == 1 and near.shape[0] in array.shape
            pairs.append((array, near if fits else None))
    return pairs


def _in_order(layers: list[Matrix]) -> list[Matrix]:
    """The layers as they lie in the file, those of one list by their numbers (a file may sort 10 before 2)."""
    lists: dict[str, list[Matrix]] = {}
    for layer in layers:
        lists.setdefault(layer.pattern, []).append(layer)
    for found in lists.values():
        found.sort(key=lambda layer: [int(number) for number in NUMBER.findall(layer.weight.name)], reverse=True)
    return [lists[layer.pattern].pop() for layer in layers]


def _roles(first: Matrix, rest: list[Matrix]) -> Roles:
    """The roles where ``first`` takes the encoded point."""
    e, w = first.inputs, first.outputs
    alpha, rgb = _only(rest, 1, "density"), _only(rest, 3, "colour")
    inner = [layer for layer in rest if layer is not alpha and layer is not rgb]
    if alpha is not None and alpha.inputs != w:
        raise Unfit(f"{alpha} gives one number, but not of the trunk's {w}")
    trunk = [layer for layer in inner if layer.outputs == w and layer.inputs in (w, w + e)]
    heads = [layer for layer in inner if layer not in trunk]
    if rgb is None:
        return _with_output(first, trunk, heads, alpha)
    feature, start, f = _branch(heads, rgb, w, alpha is not None)
    heads = [layer for layer in heads if layer is not feature]
    beside = [layer for layer in trunk if layer.pattern == start.pattern != first.pattern and layer.inputs == w]
    if start.outputs == w and len(beside) < len(trunk):
        heads, trunk = [*heads, *beside], [layer for layer in trunk if layer not in beside]
    views = _chain(start, heads, rgb)
    directions = start.inputs - f
    roles = Roles((first, *trunk), alpha, feature, views=views, rgb=rgb, directions=directions)
    return _with_square(roles, w) if feature is None and directions else roles


def _branch(heads: list[Matrix], rgb: Matrix, w: int, has_alpha: bool) -> tuple[Matrix | None, Matrix, int]:
    """The feature layer of another width than ``w``, the first layer behind it, and how much of it that takes."""
    features = [layer for layer in heads if layer.inputs == w]
    widths: list[tuple[Matrix | None, int]] = [(layer, layer.outputs - (not has_alpha)) for layer in features]
    widths += [(None, w)] if has_alpha else []
    for feature, f in widths:
        behind = [layer for layer in (*heads, rgb) if layer is not feature]
        for start in behind:
            if _is_encoding(start.inputs - f, VIEW_FREQUENCIES):
                return feature, start, f
    for feature, f in reversed(widths):  # no viewing directions
        for start in (*heads, rgb):
            if start is not feature and start.inputs == f:
                return feature, start, f
    if not has_alpha:
        raise Unfit("no layer gives one number, the density")
    raise Unfit(f"{(*heads, rgb)[0]} takes no {w} and an encoded direction")


def _with_output(first: Matrix, trunk: list[Matrix], heads: list[Matrix], alpha: Matrix | None) -> Roles:
    """A network of one output. View layers beside it are never read: some codes always make them."""
    w = first.outputs
    output = _only([layer for layer in heads if 4 <= layer.outputs <= MAX_OUTPUTS and layer.inputs == w], 0, "output")
    unread = [layer for layer in heads if layer is not output]
    odd = next((layer for layer in unread if layer.inputs - w not in (0, 3)), None)
    if output is None or alpha is not None:
        raise Unfit(f"no layer gives a colour{f': {odd} is left' if odd else ''}")
    if odd is not None:
        raise Unfit(f"{odd} has no place beside the output")
    return Roles((first, *trunk), output=output)


def _only(layers: list[Matrix], outputs: int, what: str) -> Matrix | None:
    """The layer with so many ``outputs`` (0: any), None where there is none."""
    found = [layer for layer in layers if outputs in (0, layer.outputs)]
    if len(found) > 1:
        raise Unfit(f"{found[0]} and {found[1]} both give a {what}")
    return found[0] if found else None


def _chain(start: Matrix, heads: list[Matrix], rgb: Matrix) -> tuple[Matrix, ...]:
    """The hidden layers from ``start`` to ``rgb``, each of which takes what the one before gives; all of ``heads``."""
    chain: list[Matrix] = []
    left = list(heads)
    layer: Matrix | None = start
    while layer is not None and layer is not rgb:
        chain.append(layer)
        left.remove(layer)
        layer = next((other for other in left if other.inputs == chain[-1].outputs), None)
    if left:
        raise Unfit(f"{left[0]} has no place in a NeRF's network")
    if chain and rgb.inputs != chain[-1].outputs:
        raise Unfit(f"{rgb} does not take what {chain[-1]} gives")
    return tuple(chain)


def _with_square(roles: Roles, w: int) -> Roles:
    """``roles`` with the last ``w -> w`` layer of the trunk set apart, or the only one that is of no list."""
    squares = [layer for layer in roles.trunk[1:] if layer.inputs == w]
    if not squares:
        return roles
    counts = Counter(layer.pattern for layer in roles.trunk)
    alone = [layer for layer in squares if counts[layer.pattern] == 1]
    lists = max(counts.values()) > 1
    square = alone[0] if lists and len(alone) == 1 else squares[-1]
    heads = {layer.pattern for layer in (roles.alpha, roles.rgb) if layer is not None}
    one_list = not lists or square.pattern in heads
    return Roles(
        tuple(layer for layer in roles.trunk if layer is not square),
        roles.alpha,
        square=square,
        place=roles.trunk.index(square),
        is_feature=one_list or square in alone,
        views=roles.views,
        rgb=roles.rgb,
        directions=roles.directions,
    )
