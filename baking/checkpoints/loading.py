"""Loading a trained NeRF: the file or the folder it lies in, its family, and what the user says on top."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from duplex.app.core.errors import DuplexError, in_short
from duplex.app.core.tree import shown
from duplex.baking.checkpoints.families.mlp.renamed import misfit
from duplex.baking.checkpoints.files import Checkpoint, read_checkpoint, sha256_of
from duplex.baking.checkpoints.layers import parts_of
from duplex.baking.checkpoints.registry import family_of, state_classes
from duplex.baking.fields.field import Overrides, SceneInfo, Teacher, forward_facing
from duplex.baking.fields.spaces import Contracted, World

SUFFIXES = (".ckpt", ".tar", ".pth", ".pt", ".th", ".npy", ".npz", ".msgpack", ".ingp")
SUBFOLDERS = ("", "nerfstudio_models", "checkpoints", "ckpts")
MAX_LAYERS = 4  # that a message lists
MAX_LAYERS_TEXT, MAX_REASON_TEXT = 90, 65  # characters
COMPANIONS = ("occupancy.pth", "poses_bounds.npy")  # lie beside checkpoints and end like them


def load_teacher(path: Path, device: torch.device | None = None, overrides: Overrides | None = None) -> Teacher:
    """Load a trained NeRF from its checkpoint, or from the folder that holds it.

    In a folder the checkpoint with the highest number in its name is taken. ``overrides``: what the user knows
    better than the file. Raises :class:`DuplexError` when there is none, when the file is no checkpoint of a known
    family, or when its weights are not finite.
    """
    overrides = overrides or Overrides()
    file = checkpoint_in(path) if path.is_dir() else path
    if file is None:
        raise DuplexError(f"{path}: no checkpoint in this folder: expected a file ending in {', '.join(SUFFIXES)}")
    if not file.is_file():
        raise DuplexError(f"{path}: no such file: expected a checkpoint or the folder that holds one")
    checkpoint = read_checkpoint(file, state_classes())
    family = family_of(checkpoint)
    if family is None:
        raise _unknown(checkpoint)
    try:
        loaded = family.load(checkpoint, overrides)
        scene = _with_overrides(loaded.scene, overrides)
    except DuplexError as error:
        text = str(error)
        raise DuplexError(text if _begins_with_a_file(text) else f"{file}: {text}") from None
    for network in (loaded.coarse, loaded.fine):
        network.requires_grad_(False)
    fields = (loaded.coarse, loaded.fine)
    teacher = Teacher(*fields, scene, family.name, file, sha256_of(file), overrides, loaded.questions)
    return teacher.to(device or torch.device("cpu"))


def _begins_with_a_file(sentence: str) -> bool:
    try:
        return Path(sentence.partition(": ")[0]).is_file()
    except OSError:  # too long for a file's name
        return False


def _with_overrides(scene: SceneInfo, given: Overrides) -> SceneInfo:
    """The scene with what the user said in the place of what the checkpoint did."""
    if given.space is not None and given.space != scene.space.name:
        scene = SPACES[given.space](scene, given)
    changes = {
        name: getattr(given, name)
        for name in ("near", "far", "background", "up", "hemisphere")
        if getattr(given, name) is not None
    }
    if given.samples is not None:
        changes |= {"coarse_samples": given.samples[0], "fine_samples": given.samples[1]}
    if given.bounds is not None:
        changes["bounds"] = tuple(tuple(float(x) for x in corner) for corner in given.bounds)
    return replace(scene, **changes)


SPACES: dict[str, Callable[[SceneInfo, Overrides], SceneInfo]] = {
    "world": lambda scene, given: replace(scene, space=World(), bounds=None),
    "ndc": lambda scene, given: forward_facing(scene, given, ndc=True),
    "contracted": lambda scene, given: replace(scene, space=Contracted(), bounds=None),
}


def _unknown(checkpoint: Checkpoint) -> DuplexError:
    layers = _layers_in(checkpoint)
    while len(layers) > 1 and len(", ".join(layers)) > MAX_LAYERS_TEXT:
        layers = layers[:-1]
    if layers:
        reason = in_short(shown(misfit(checkpoint)), MAX_REASON_TEXT)
        what = f"its layers: {in_short(', '.join(layers), MAX_LAYERS_TEXT)}; as a NeRF: {reason}"
    else:
        members = ", ".join(shown(key) for key in checkpoint.root.keys()[:6])
        what = f"it holds {in_short(members, MAX_LAYERS_TEXT) or 'nothing'}"
    return DuplexError(
        f"{checkpoint.path}: a {checkpoint.kind} file of an unknown family ({what}): "
        "docs/checkpoints.md lists those that duplex reads"
    )


def _layers_in(checkpoint: Checkpoint) -> list[str]:
    """Names and shapes of the first few matrices in the member that has most of them."""
    found: dict[tuple[str, ...], list[str]] = {}
    for array in parts_of(checkpoint.root):
        if len(array.shape) > 1:
            text = f"{shown(array.key)} {' x '.join(map(str, array.shape))}"
            found.setdefault(array.path[:-1], []).append(text)
    return max(found.values(), key=len, default=[])[:MAX_LAYERS]


def checkpoint_in(folder: Path) -> Path | None:
    """The checkpoint with the highest number in its name in ``folder`` or where code bases keep them; None without."""
    for name in SUBFOLDERS:
        place = folder / name
        if not place.is_dir():
            continue
        files = [f for f in place.iterdir() if f.is_file() and (f.suffix in SUFFIXES or _is_flax(f))]
        files = [f for f in files if f.name not in COMPANIONS]
        if files:
            return max(files, key=lambda f: (int("".join(c for c in f.stem if c.isdecimal())[:18] or 0), f.name))
    return None


def _is_flax(file: Path) -> bool:
    """Whether a file is called as flax calls its checkpoints: ``checkpoint_<step>``, without a suffix."""
    return file.name.startswith("checkpoint_") and file.name.removeprefix("checkpoint_").isdecimal()
