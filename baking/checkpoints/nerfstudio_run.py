"""The files of a nerfstudio run: ``nerfstudio_models/step-*.ckpt``, ``config.yml``, and the frame.

The configuration is YAML of pickled Python objects. It is read as plain data: no object that it names is created.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.files import Checkpoint, json_beside, yaml_beside
from duplex.baking.checkpoints.tree import CheckpointNode, Shape

FOLDER = "nerfstudio_models"
PREFIXES = ("_model.module.", "module._model.", "_model.")
COLORS = {"white": (1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0)}
MAX_COORDINATE = 1e6
MIN_SCALE = 1e-9


@dataclass(frozen=True)
class NerfstudioRun:
    """A checkpoint and the files beside it.

    ``pipeline``: the checkpoint's state dict, ``members``: the keys in it of the model's members by their names there;
    ``configured``: whether there is a configuration; ``method``: what nerfstudio calls it, as messages show it, empty
    where unknown; ``model``: its options; ``dataset_to_world``: as :class:`~duplex.baking.fields.field.SceneInfo` has
    it; ``assumed``: what no file states.
    """

    pipeline: CheckpointNode
    members: dict[str, str]
    configured: bool
    method: str
    model: CheckpointNode
    dataset_to_world: tuple[float, ...] | None = None
    assumed: tuple[str, ...] = ()

    def has(self, *prefixes: str) -> bool:
        """Whether the names of any members begin so."""
        return any(name.startswith(prefixes) for name in self.members)

    def tensor(self, name: str, shape: Shape) -> Tensor:
        """The member of that name and shape, as :meth:`CheckpointNode.tensor` reads it."""
        return self.pipeline.tensor(self.members.get(name, name), shape)

    def under(self, *prefixes: str) -> dict[str, Tensor]:
        """Members whose names begin so, as finite float32 tensors."""
        return self._tensors(name for name in self.members if name.startswith(prefixes))

    def whole(self, name: str, low: int, high: int) -> int:
        """The whole number in the buffer ``name``, from ``low`` to ``high``."""
        return self.pipeline.whole(self.members.get(name, name), low, high)

    def background(self, default: str) -> tuple[tuple[float, float, float], tuple[str, ...]]:
        """The background that the model was trained against, and which part of it is assumed."""
        name = self.model.said("background_color", default)
        if name in COLORS:
            return COLORS[name], ()
        return COLORS["black"], (f"a black background, in the place of nerfstudio's {name}: --background",)

    def _tensors(self, names: Iterable[str]) -> dict[str, Tensor]:
        keys = {name: self.members[name] for name in names}
        found = self.pipeline.tensors(keys.values())
        return {name: found[key] for name, key in keys.items() if key in found}


def is_run(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint is nerfstudio's, of whatever method."""
    return checkpoint.kind == "torch" and bool(members(checkpoint))


def members(checkpoint: Checkpoint) -> dict[str, str]:
    """The keys, in the pipeline's state dict, of the model's members by their names; empty for other files."""
    keys = {}
    for key in checkpoint.root.at("pipeline").names():
        prefix = next((prefix for prefix in PREFIXES if key.startswith(prefix)), None)
        if prefix is not None:
            keys[key.removeprefix(prefix)] = key
    return keys


def read_run(checkpoint: Checkpoint) -> NerfstudioRun:
    """The run that a checkpoint belongs to; raises :class:`DuplexError` where files beside it are damaged."""
    place = checkpoint.path.absolute().parent
    folders = (place, place.parent) if place.name == FOLDER else (place,)
    frame = _dataset_to_world(folders)
    missing = "the frame of the dataset's files as the world: no dataparser_transforms.json beside it"
    configs = (yaml_beside(folder / "config.yml", "nerfstudio") for folder in folders)
    config = next((config for config in configs if config.exists), None)
    return NerfstudioRun(
        checkpoint.root.at("pipeline"),
        members(checkpoint),
        configured=config is not None,
        method=config.said("method_name", "") if config is not None else "",
        model=config.section("pipeline").section("model") if config is not None else CheckpointNode({}, "config.yml"),
        dataset_to_world=frame,
        assumed=(missing,) if frame is None else (),
    )


def _dataset_to_world(folders: tuple[Path, ...]) -> tuple[float, ...] | None:
    """What ``dataparser_transforms.json`` says: the world is ``scale (R p + t)``; None where there is no such file."""
    files = (folder / "dataparser_transforms.json" for folder in folders)
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        return None
    content = json_beside(file, "the frame of a nerfstudio dataset")
    matrix = content.numbers("transform", 12, limit=MAX_COORDINATE).reshape(3, 4)
    scale = content.number("scale", MIN_SCALE, MAX_COORDINATE)
    rotation = matrix[:, :3]
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3) or np.linalg.det(rotation) < 0:
        raise DuplexError(f"{file}: its transform is no rotation and translation: copy it again from the run")
    return tuple(float(x) for x in np.vstack([scale * matrix, [0, 0, 0, 1]]).reshape(-1))
