"""What the readers make of a file: text, numbers, lists, dictionaries, and the few types of this module.

A dictionary has text or whole numbers as keys. Values may be shared, and may even contain themselves: nothing walks
through them but :class:`~duplex.baking.checkpoints.tree.Node`, which goes where it is asked to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from duplex.app.core.arrays import Array

BFLOAT16 = "bfloat16"
DTYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1", BFLOAT16)
MAX_AXES = 8
MAX_SIDE = 1 << 40
ARRAY = "numpy.ndarray"


class Broken(ValueError):
    """A file that contradicts itself, or is cut off. Readers turn it into the sentence for the user."""


class Refused(Exception):
    """A file that names a class or function which no checkpoint needs; the argument is that name."""


@dataclass(frozen=True)
class Name:
    """A class or a function that a file names. It is never imported."""

    text: str


@dataclass
class Instance:
    """An object that a file describes: the name of its class, what it was made from, and its state."""

    name: str
    arguments: list[Any] = field(default_factory=list)
    state: Any = None

    @property
    def description(self) -> str:
        """What messages say of it."""
        return f"a {self.name}"


def resolved(value: Any) -> Any:
    """``value``, or what a pickled array of numpy holds: :class:`Numbers`, a text, or a list of objects."""
    return value.state if isinstance(value, Instance) and value.name == ARRAY else value


class Storage(Protocol):
    """A run of bytes in a file."""

    @property
    def size(self) -> int:
        """How many bytes."""
        ...

    def read(self) -> Array:
        """The bytes, (size,) uint8 and writable; raises :class:`Broken` where the file does not hold them."""
        ...


@dataclass
class InMemory:
    """A storage whose bytes have been read with the rest of the file."""

    content: bytes | memoryview

    @property
    def size(self) -> int:
        """How many bytes."""
        return len(self.content)

    def read(self) -> Array:
        """A copy of the bytes."""
        return np.frombuffer(self.content, np.uint8).copy()


@dataclass
class Stored:
    """Caches what ``storage`` reads, since several tensors may share its bytes."""

    storage: Storage

    @property
    def size(self) -> int:
        """How many bytes."""
        return self.storage.size

    @cached_property
    def _content(self) -> Array:
        return self.storage.read()

    def read(self) -> Array:
        """The bytes, read once."""
        return self._content


@dataclass(frozen=True)
class Numbers:
    """An array in a file, by reference: it is read when it is asked for, and never reaches beyond its storage.

    ``dtype``: one of :data:`DTYPES`, or any other text for numbers that duplex does not read; ``shape``, ``strides``
    and ``offset``: in elements; ``big_endian``: order of the bytes of an element.
    """

    storage: Storage
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0
    big_endian: bool = False

    def __post_init__(self) -> None:
        """Raise :class:`Broken` for an array that reaches outside its storage."""
        _check_counts((*self.shape, *self.strides, self.offset))
        if len(self.shape) > MAX_AXES:
            raise Broken("an array of too many axes")
        if len(self.shape) != len(self.strides):
            raise Broken("an array whose strides do not fit its shape")
        if self.dtype in DTYPES and self.count:
            last = self.offset + sum((side - 1) * step for side, step in zip(self.shape, self.strides, strict=True))
            if (last + 1) * self.itemsize > self.storage.size:
                raise Broken("an array that reaches outside its storage")

    @classmethod
    def dense(
        cls, storage: Storage, dtype: str, shape: tuple[int, ...], *, fortran: bool = False, big_endian: bool = False
    ) -> Numbers:
        """An array that fills its storage from the beginning, row by row, or column by column where ``fortran``."""
        _check_counts(shape)
        strides = []
        step = 1
        for side in shape if fortran else reversed(shape):
            strides.append(step)
            step *= side
        return cls(storage, dtype, shape, tuple(strides if fortran else reversed(strides)), big_endian=big_endian)

    @property
    def description(self) -> str:
        """What messages say of it."""
        return f"an array of shape {self.shape}"

    @property
    def type_name(self) -> str:
        """The type as numpy and torch call it."""
        return np.dtype(self.dtype).name if self.dtype in DTYPES and self.dtype != BFLOAT16 else self.dtype

    @property
    def count(self) -> int:
        """How many elements the array has."""
        count = 1
        for side in self.shape:
            count *= side
        return count

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return 2 if self.dtype == BFLOAT16 else int(self.dtype[1])

    @property
    def repeats(self) -> bool:
        """Whether the array has more elements than its storage, since some stand for many."""
        return self.count * self.itemsize > self.storage.size

    def array(self) -> Array:
        """The elements in their own type, bfloat16 as float32; a view of the storage's bytes where that is possible."""
        stored = "u2" if self.dtype == BFLOAT16 else self.dtype
        dtype = np.dtype(f"{'>' if self.big_endian else '<'}{stored}")
        if not self.count:
            return _empty(self.shape, "f4" if self.dtype == BFLOAT16 else stored)
        data = self.storage.read()
        strides = tuple(step * dtype.itemsize for step in self.strides)
        view: Array = np.ndarray(self.shape, dtype, data, self.offset * dtype.itemsize, strides)
        if self.dtype == BFLOAT16:
            return (view.astype(np.uint32) << 16).view(np.float32)
        return view.astype(stored) if self.big_endian else view

    def tensor(self) -> Tensor:
        """The elements as a tensor of their own type; a view of the storage's bytes where that is possible."""
        return torch.from_numpy(self.array())


def _check_counts(counts: tuple[Any, ...]) -> None:
    if not all(type(count) is int and 0 <= count <= MAX_SIDE for count in counts):
        raise Broken("an array of impossible shape")


def _empty(shape: tuple[int, ...], dtype: str) -> Array:
    """An array without numbers; numpy would reserve memory for its other sides if it made that by itself."""
    try:
        return np.zeros(0, dtype).reshape(shape)
    except ValueError:
        raise Broken("an array of impossible shape") from None
