"""FastNeRF's module, as its program pickles it."""

from __future__ import annotations

from torch import nn

from builders.mlp.naive import random_state


class FastNerf(nn.Module):
    """The layers of 1biswarup2's module, a few of them, which the original pickles whole."""

    def __init__(self) -> None:
        super().__init__()
        parts = [nn.Linear(63, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 16)]
        self.Fpos = nn.Sequential(*parts)
        self.Fdir = nn.Sequential(nn.Linear(27, 12), nn.ReLU(), nn.Linear(12, 5))
        self.embedding_dim_pos, self.embedding_dim_direction, self.D = 10, 4, 5


def fast_module() -> FastNerf:
    module = FastNerf()
    shapes = {key.removesuffix(".weight"): tuple(v.shape) for key, v in module.state_dict().items() if v.ndim == 2}
    module.load_state_dict(random_state(shapes))
    return module
