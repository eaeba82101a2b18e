"""Positional encodings (NeRF, equation 4) in every column order that code bases use.

Alphabet of :class:`Encoding.order`: ``t`` the trigonometric function (sine, then cosine), ``f`` the frequency,
``d`` the coordinate; the last letter runs fastest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from duplex.app.core.errors import DuplexError

MAX_FREQUENCIES = 32


@dataclass(frozen=True)
class Encoding:
    """``sin(s x)`` and ``cos(s x)`` for each scale ``s``, with or without ``x`` itself.

    ``scales``: factors of the coordinates, pi included where a code base has it; ``order``: ``ftd`` is the
    original NeRF's (sin and cos of the whole vector, frequency after frequency), ``tfd`` jaxnerf's, ``tdf``
    TensoRF's and nerfstudio's, ``dtf`` all of one coordinate before the next; ``identity``: where ``x`` stands
    (``first``, ``last`` or ``none``).
    """

    scales: tuple[float, ...]
    order: str = "ftd"
    identity: str = "first"

    @classmethod
    def powers(cls, frequencies: int, order: str = "ftd", identity: str = "first", first: float = 1.0) -> Encoding:
        """Scales ``first * 2^k``, ``k`` from 0 to ``frequencies - 1``."""
        return cls(tuple(first * 2.0**k for k in range(frequencies)), order, identity)

    @classmethod
    def fitting(
        cls, width: int, name: str, order: str = "ftd", identity: str = "first", first: float = 1.0
    ) -> Encoding:
        """The encoding of three coordinates that is ``width`` wide; raises :class:`DuplexError` if there is none.

        ``name``: of the layer that takes it, for the error's sentence.
        """
        extra = 0 if identity == "none" else 3
        count, rest = divmod(width - extra, 6)
        if rest or not 0 <= count <= MAX_FREQUENCIES:
            raise DuplexError(
                f"{name}: its input is {width} wide, which is no positional encoding of 3 coordinates "
                f"({extra} + 6 per frequency): a network of unknown shape"
            )
        return cls.powers(count, order, identity, first)

    def width(self, dims: int = 3) -> int:
        """Columns of the encoding of ``dims`` coordinates."""
        return dims * (2 * len(self.scales) + (self.identity != "none"))

    def __call__(self, x: Tensor) -> Tensor:
        """Encode ``x`` (n, d): (n, :meth:`width` of d) of the same dtype."""
        n, d = x.shape
        count = len(self.scales)
        out = x.new_empty(self.width(d), n)  # columns are contiguous: everything below runs along a column
        begin = d if self.identity == "first" else 0
        sizes = {"t": 2, "f": count, "d": d}
        waves = out[begin : begin + 2 * count * d].view(*(sizes[letter] for letter in self.order), n)
        waves = waves.permute(*(self.order.index(letter) for letter in "tfd"), 3)
        columns = x.t().contiguous()
        angles = columns * x.new_tensor(self.scales)[:, None, None]
        waves[0], waves[1] = torch.sin(angles), torch.cos(angles)
        if self.identity != "none":
            out[0 if begin else -d :][:d] = columns
        return out.t()

    def describe(self) -> str:
        """A short description for reports."""
        unit = "pi 2^k" if self.scales and abs(self.scales[0] - math.pi) < 1e-6 else "2^k"
        where = {"first": "with identity", "last": "identity last", "none": "no identity"}[self.identity]
        return f"{len(self.scales)} frequencies ({unit}), order {self.order}, {where}"
