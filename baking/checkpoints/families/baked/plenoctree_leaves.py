"""What the leaves of a PlenOctree hold: density and colour coefficients, as written or with quantised colours."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.tree import CheckpointNode

MAX_DIMENSION = 1 << 20


class LeafTable(nn.Module):
    """Leaf data as svox writes it: coefficients channel after channel, then density. ``shape``: of ``child``."""

    data: Tensor

    def __init__(self, root: CheckpointNode, shape: tuple[int, ...]):
        super().__init__()
        data = root.tensor("data", (*shape, None), keep_half=True)
        self.register_buffer("data", data.reshape(-1, data.shape[-1]))
        self.count = (data.shape[-1] - 1) // 3
        _check_dimension(root, data.shape[-1])

    def sigma(self, cells: Tensor) -> Tensor:
        """Stored densities (n,) of ``cells`` (n,)."""
        return self.data[:, -1][cells].float()

    def coefficients(self, cells: Tensor) -> Tensor:
        """Colour coefficients (n, 3, count) of ``cells`` (n,)."""
        return self.data[cells][:, :-1].float().reshape(-1, 3, self.count)

    def in_unit_range(self) -> bool:
        """Whether all coefficients are colours already."""
        return bool(((self.data[:, :-1] >= 0) & (self.data[:, :-1] <= 1)).all())


class LeafCodebook(nn.Module):
    """Leaf data after volrend's median cut: for each coefficient a list of colours, and each cell's number in it.

    The first few coefficients may have been kept as they were (``data_retained``).
    """

    density: Tensor
    colors: Tensor
    numbers: Tensor
    retained: Tensor

    def __init__(self, root: CheckpointNode, shape: tuple[int, ...]):
        super().__init__()
        colors = root.tensor("quant_colors", (None, None, 3), keep_half=True)
        numbers = root.whole_tensor("quant_map", (len(colors), *shape))
        if not 0 <= int(numbers.min()) <= int(numbers.max()) < min(colors.shape[1], 1 << 16):
            raise DuplexError(f"quant_map leads to colour {int(numbers.max())} of {colors.shape[1]}: a damaged file")
        retained = colors.new_zeros(0, *shape, 3)
        if "data_retained" in root:
            retained = root.tensor("data_retained", (None, *shape, 3), keep_half=True)
        self.register_buffer("density", root.tensor("sigma", shape, keep_half=True).reshape(-1))
        self.register_buffer("colors", colors)
        self.register_buffer("numbers", torch.from_numpy(numbers.numpy().astype(np.uint16).view(np.int16)).flatten(1))
        self.register_buffer("retained", retained.flatten(1, -2))
        self.count = len(colors) + len(retained)
        _check_dimension(root, 3 * self.count + 1)

    def sigma(self, cells: Tensor) -> Tensor:
        """Stored densities (n,) of ``cells`` (n,)."""
        return self.density[cells].float()

    def coefficients(self, cells: Tensor) -> Tensor:
        """Colour coefficients (n, 3, count) of ``cells`` (n,)."""
        numbers = self.numbers[:, cells].long() & 0xFFFF  # torch indexes no unsigned numbers
        rows = torch.arange(len(self.colors), device=cells.device)[:, None]
        parts = [self.retained[:, cells].float(), self.colors[rows, numbers].float()]
        return torch.cat(parts).permute(1, 2, 0)

    def in_unit_range(self) -> bool:
        """Whether all coefficients are colours already."""
        return all(bool(((part >= 0) & (part <= 1)).all()) for part in (self.colors, self.retained))


def _check_dimension(root: CheckpointNode, width: int) -> None:
    """Raise :class:`DuplexError` where the size of a leaf is impossible or differs from ``data_dim``."""
    stated = root.whole("data_dim", 0, MAX_DIMENSION, width)
    if stated != width or width < 4 or (width - 1) % 3:
        raise DuplexError(
            f"{width} numbers in a leaf where data_dim says {stated}: expected 1 + 3 per coefficient: a damaged file"
        )
