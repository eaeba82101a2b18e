"""The torch device and the random seed that the command line names."""

from __future__ import annotations

import numbers

import torch

from duplex.app.core.errors import DuplexError


def pick_device(name: str) -> torch.device:
    """The torch device of a ``--device`` flag; raises :class:`DuplexError` if it is not available."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda"):
            raise RuntimeError("only cpu and cuda are supported")
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise DuplexError(f"--device {name}: not available ({str(error).splitlines()[0]}): try cpu") from None
    return device


def read_seed(seed: int) -> int:
    """The value of a ``--seed`` flag; raises :class:`DuplexError` if a random generator cannot take it."""
    if not isinstance(seed, numbers.Integral) or not 0 <= seed < 1 << 63:
        raise DuplexError(f"--seed {seed!r:.60}: expected 0 to 2^63 - 1")
    return int(seed)
