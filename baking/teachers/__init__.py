"""Trained NeRFs: one small module per family of checkpoints, told apart by content."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import torch

from duplex.app.errors import DuplexError
from duplex.baking.teachers import nerf_pytorch, nerf_pytorch_flexible
from duplex.baking.teachers.field import RadianceField, SceneInfo, Teacher
from duplex.baking.teachers.files import check_tensors, read_torch, sha256_of

__all__ = ["RadianceField", "SceneInfo", "Teacher", "load_teacher"]

FAMILIES: tuple[ModuleType, ...] = (nerf_pytorch_flexible, nerf_pytorch)
SUFFIXES = (".ckpt", ".tar", ".pth", ".pt")


def load_teacher(path: Path, device: torch.device | None = None) -> Teacher:
    """Load a trained NeRF from its checkpoint, or from the folder that holds it.

    In a folder the checkpoint with the highest number in its name is taken. Raises :class:`DuplexError` when
    there is none, when the file is no checkpoint of a known family, or when its weights are not finite.
    """
    file = _checkpoint_in(path) if path.is_dir() else path
    if not file.is_file():
        raise DuplexError(f"{path}: no such file: expected a checkpoint or the folder that holds one")
    checkpoint = read_torch(file)
    family = next((f for f in FAMILIES if f.matches(checkpoint)), None)
    if family is None:
        known = ", ".join(f.FAMILY for f in FAMILIES)
        members = ", ".join(str(key) for key in list(checkpoint)[:6])
        raise DuplexError(f"{file}: a checkpoint of an unknown family (it holds {members}): duplex reads {known}")
    for name in (family.COARSE, family.FINE):
        if name == family.COARSE or checkpoint.get(name) is not None:
            checkpoint[name] = check_tensors(checkpoint[name], file, name)
    try:
        coarse, fine, scene = family.load(checkpoint, file)
    except DuplexError as error:
        text = str(error)
        raise DuplexError(text if str(file.parent) in text else f"{file}: {text}") from None
    return Teacher(coarse, fine, scene, family.FAMILY, file, sha256_of(file)).to(device or torch.device("cpu"))


def _checkpoint_in(folder: Path) -> Path:
    files = [f for f in folder.iterdir() if f.suffix in SUFFIXES and f.is_file()]
    if not files:
        raise DuplexError(f"{folder}: no checkpoint in this folder: expected a file ending in {', '.join(SUFFIXES)}")
    return max(files, key=lambda f: (int("".join(c for c in f.stem if c.isdigit()) or 0), f.name))
