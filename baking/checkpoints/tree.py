"""The one way from what a reader made of a checkpoint to tensors, numbers and texts, each checked when asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import Key, Node, shown
from duplex.baking.checkpoints.formats.budget import Budget
from duplex.baking.checkpoints.formats.values import BFLOAT16, DTYPES, Broken, InMemory, Instance, Numbers, resolved

MAX_WEIGHTS = 1 << 28  # numbers in one network
MAX_GRID = 1 << 31  # numbers in one grid of half precision or of links
MAX_TENSORS = 10_000  # in one state dict
FLOATS = ("f2", BFLOAT16, "f4", "f8")
UNKNOWN = "a checkpoint of unknown layout, or a damaged one"
MEND = "mend it or move it away to bake with the defaults"  # a configuration
FEW = 64  # numbers in an array that may stand for a list
NUMBERS_AT_ONCE = 1 << 24

Shape = tuple[int | None, ...]


class CheckpointNode(Node):
    """A value of a checkpoint, or of a file beside one.

    An object of a class is its state, an absent member is empty. ``kind``: the name of that class; ``budget``: of the
    file, which bounds what is made of its numbers too.
    """

    def __init__(self, value: object, name: str, remedy: str = UNKNOWN, budget: Budget | None = None):
        self.kind = value.name if isinstance(value, Instance) else ""
        super().__init__(value.state if isinstance(value, Instance) else value, name, remedy)
        self.budget = budget

    def at(self, *keys: Key) -> Self:
        """The value that ``keys`` lead to, one below the other; an empty node where there is none."""
        node = self
        for key in keys:
            node = node._node(node._find(key), node._name(key))
        return node

    def section(self, key: Key) -> Self:
        """The member itself, an object."""
        member = self.child(key)
        if not member.is_object:
            raise self.wrong(key, "an object")
        return member

    def said(self, key: Key, default: str = "nothing") -> str:
        """A member as messages show it: a word, a number, or what else it is; ``default`` where there is none."""
        found = self._find(key)
        return default if found is None else shown(found)

    def children(self, most: int) -> list[Self]:
        """The elements of this list, of at most ``most``; none of anything else."""
        places = range(len(self.value)) if isinstance(self.value, list) and len(self.value) <= most else ()
        return [self.at(place) for place in places]

    def names(self) -> list[str]:
        """The keys of this object that are texts."""
        return [key for key in self.keys() if isinstance(key, str)]

    @property
    def exists(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

    @property
    def is_filled(self) -> bool:
        """Whether there is a value other than an object without members."""
        return self.value is not None and self.value != {}

    @property
    def is_object(self) -> bool:
        """Whether it has members."""
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self.value, list)

    def shape(self, key: Key) -> tuple[int, ...] | None:
        """The shape of an array of numbers that duplex reads; None for anything else."""
        found = resolved(self._find(key))
        return found.shape if isinstance(found, Numbers) and found.dtype in DTYPES else None

    def dtype(self, key: Key) -> str:
        """The type of an array's numbers, see :data:`~duplex.baking.checkpoints.formats.values.DTYPES`; else empty."""
        found = resolved(self._find(key))
        return found.dtype if isinstance(found, Numbers) else ""

    def tensor(self, key: Key, shape: Shape | None = None, *, keep_half: bool = False) -> Tensor:
        """An array of numbers as a finite float32 tensor; with ``keep_half``, float16 where the file has that.

        ``shape``: None for a side of any length, but not of none; without a shape, any will do.
        """
        numbers = self._numbers(key, shape, MAX_GRID if keep_half else MAX_WEIGHTS)
        made = self._read(numbers, key)
        if made.dtype != torch.float16 or not keep_half:
            made = made.float()
        return self._finite(made, key)

    def whole_tensor(self, key: Key, shape: Shape) -> Tensor:
        """An array of whole numbers as an int32 tensor."""
        numbers = self._numbers(key, shape, MAX_GRID)
        if numbers.dtype[0] not in "iu":
            raise DuplexError(f"{self._name(key)} holds no whole numbers: a checkpoint of unknown layout")
        array = self._array(numbers, key)
        if array.size and not -(1 << 31) <= int(array.min()) <= int(array.max()) < 1 << 31:
            raise DuplexError(
                f"{self._name(key)} holds {int(array.max())}: expected whole numbers of 32 bits: a damaged file"
            )
        return torch.from_numpy(np.ascontiguousarray(array, np.int32))

    def bits(self, key: Key) -> Array:
        """An array of bytes or of true and false, uint8 or bool."""
        numbers = self._numbers(key, None)
        if numbers.dtype not in ("u1", "b1"):
            raise DuplexError(
                f"{self._name(key)} holds {numbers.dtype}: expected bytes: a checkpoint of unknown layout"
            )
        return self._array(numbers, key)

    def data(self, key: Key) -> memoryview:
        """A run of bytes, empty where there is none."""
        found = self._find(key)
        if found is None:
            return memoryview(b"")
        if not isinstance(found, (bytes, memoryview)):
            raise self.wrong(key, "bytes")
        return memoryview(found)

    def packed(self, key: Key, dtype: str, shape: tuple[int, ...]) -> Tensor:
        """The numbers of type ``dtype`` that fill a run of bytes row by row, as :meth:`tensor` gives them."""
        data = self.data(key)
        count = math.prod(shape)
        if len(data) != count * np.dtype(dtype).itemsize:
            raise self.error(f"{self._name(key)}: {len(data)} bytes: expected {count} numbers of {dtype}")
        return self._finite(self._read(Numbers.dense(InMemory(data), dtype, shape), key).float(), key)

    def tensors(self, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """This state dict, or its members ``names`` as far as they exist, as finite float32 tensors."""
        wanted = self.names() if names is None else [name for name in names if name in self]
        if len(wanted) > MAX_TENSORS:
            raise DuplexError(f"{self.name} holds more than {MAX_TENSORS} tensors: no network that duplex knows")
        found = {name: resolved(self._find(name)) for name in wanted}
        odd = [f" ({shown(name)} is {shown(v)})" for name, v in found.items() if not isinstance(v, Numbers)]
        if odd or not self.is_object:
            raise DuplexError(
                f"{self.name} is no state dict of tensors{''.join(odd[:1])}: a checkpoint of unknown layout"
            )
        if sum(numbers.count for numbers in found.values()) > MAX_WEIGHTS:
            raise DuplexError(f"{self.name} holds more than {MAX_WEIGHTS} numbers: no network that duplex knows")
        for name, numbers in found.items():
            if numbers.dtype not in FLOATS:
                kind = shown(numbers.type_name)
                raise DuplexError(f"{self._name(name)} holds {kind}: expected dense floating point numbers")
        return {name: self.tensor(name) for name in wanted}

    def wrong(self, key: Key, expected: str) -> DuplexError:
        """The error of a member that is not what was ``expected``."""
        found = self._find(key)
        if not isinstance(found, Numbers):
            return super().wrong(key, expected)
        what = shown(self._array(found, key).item() if found.count == 1 and found.dtype in DTYPES else found)
        return self.error(f"{self._name(key)}: {what}: expected {expected}")

    def _node(self, value: object, name: str) -> Self:
        return type(self)(value, name, self.remedy, self.budget)

    def _numbers(self, key: Key, shape: Shape | None, most: int = MAX_WEIGHTS) -> Numbers:
        numbers = resolved(self._find(key))
        if not isinstance(numbers, Numbers) or numbers.dtype not in DTYPES:
            raise DuplexError(f"{self._name(key)} is missing or holds no numbers: {self.remedy}")
        if shape is not None:
            self._check_shape(numbers.shape, key, shape)
        if numbers.count > most:
            raise DuplexError(f"{self._name(key)} holds more than {most} numbers: no network that duplex knows")
        if numbers.repeats:
            raise DuplexError(
                f"{self._name(key)} repeats {numbers.storage.size} bytes to fill the shape {numbers.shape}: expected a "
                "tensor that holds its own numbers: save a copy of it (clone)"
            )
        return numbers

    def _check_shape(self, found: tuple[int, ...], key: Key, shape: Shape) -> None:
        fits = len(shape) == len(found) and all(b in (None, a) for a, b in zip(found, shape, strict=True))
        if not fits or 0 in found:
            wanted = " x ".join("any" if side is None else str(side) for side in shape) or "a single number"
            raise DuplexError(
                f"{self._name(key)} has the shape {found}: expected {wanted}: a checkpoint of unknown layout"
            )

    def _array(self, numbers: Numbers, key: Key) -> Array:
        if self.budget is not None:
            self.budget.hand_out(numbers.count * 4)
        try:
            return numbers.array()
        except (Broken, OSError, ValueError):
            raise DuplexError(f"{self._name(key)} cannot be read: a damaged file; copy it again") from None

    def _read(self, numbers: Numbers, key: Key) -> Tensor:
        array = self._array(numbers, key)
        if array.dtype.kind == "u" and array.dtype.itemsize > 1:
            array = array.astype(np.float32)  # torch converts no others
        if not array.flags.writeable or any(step < 0 for step in array.strides):
            array = array.copy()
        with np.errstate(over="ignore"):
            return torch.from_numpy(array)

    def _finite(self, made: Tensor, key: Key) -> Tensor:
        if not all(bool(torch.isfinite(part).all()) for part in torch.split(made.reshape(-1), NUMBERS_AT_ONCE)):
            raise DuplexError(
                f"{self._name(key)} holds NaN or infinity: the training diverged; use an earlier checkpoint"
            )
        return made

    def _find(self, key: Key) -> object:
        return resolved(super()._find(key))

    def _member(self, key: Key, default: object = None) -> Any:
        """The member; a small array of numbers as a list, one of a single number as that."""
        if self.value is None and default is not None:
            return default
        value = super()._member(key, default)
        if isinstance(value, Numbers) and value.dtype in DTYPES and 0 < value.count <= FEW and not value.repeats:
            array = self._array(value, key)
            return array.item() if value.count == 1 else array.tolist()
        return value
