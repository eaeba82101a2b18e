"""The files of a nerfstudio run: ``nerfstudio_models/step-*.ckpt``, ``config.yml``, and the frame.

The configuration is YAML of pickled Python objects. It is read as plain data: no object that it names is created.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.files import PLAIN, Checkpoint, check_tensors, read_small_text
from duplex.baking.checkpoints.plain_yaml import plain_yaml

FOLDER = "nerfstudio_models"
PREFIXES = ("_model.module.", "module._model.", "_model.")
COLORS = {"white": (1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0)}
WHOLE = (torch.int64, torch.int32, torch.int16, torch.uint8)
MAX_COORDINATE = 1e6
MAX_NUMBER = 1e12


@dataclass(frozen=True)
class NerfstudioRun:
    """A checkpoint and the files beside it.

    ``state``: the model's members by name; ``config``: file of the configuration, None where there is none;
    ``method``: what nerfstudio calls it, empty where unknown; ``model``: its options; ``dataset_to_world``: as
    :class:`~duplex.baking.fields.field.SceneInfo` has it; ``assumed``: what no file states.
    """

    path: Path
    state: dict[str, Any]
    config: Path | None = None
    method: str = ""
    model: dict[str, Any] = field(default_factory=dict)
    dataset_to_world: tuple[float, ...] | None = None
    assumed: tuple[str, ...] = ()

    def tensors(self, names: Iterable[str]) -> dict[str, Tensor]:
        """Members of these names, as far as they exist, as finite float32 tensors."""
        return check_tensors({name: self.state[name] for name in names if name in self.state}, self.path, "pipeline")

    def under(self, *prefixes: str) -> dict[str, Tensor]:
        """Members whose names begin so."""
        return self.tensors(name for name in self.state if name.startswith(prefixes))

    def whole(self, name: str, least: int, most: int) -> int:
        """The whole number in the buffer ``name``; raises :class:`DuplexError` where there is none in that range."""
        value = self.state.get(name)
        if not isinstance(value, Tensor) or value.numel() != 1 or value.dtype not in (*WHOLE, *PLAIN) or value.is_meta:
            raise DuplexError(f"{name} is missing or no number: not a nerfstudio field that duplex knows")
        number = float(value.item())
        if not (number.is_integer() and least <= number <= most):
            raise DuplexError(f"{name} is {number:g}: expected a whole number from {least} to {most}")
        return int(number)

    def number(self, name: str, default: float, options: dict[str, Any] | None = None) -> float:
        """The number that the model's option ``name`` has; raises :class:`DuplexError` if it is none."""
        value = (self.model if options is None else options).get(name)
        if value is None:
            return float(default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < MAX_NUMBER:
            raise self.broken(f"{name} is {_said(value)}: expected a number")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """What the model's option ``name`` says; raises :class:`DuplexError` if that is neither true nor false."""
        value = self.model.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.broken(f"{name} is {_said(value)}: expected true or false")
        return default if value is None else value

    def background(self, default: str) -> tuple[tuple[float, float, float], tuple[str, ...]]:
        """The background that the model was trained against, and which part of it is assumed."""
        name = _said(self.model.get("background_color", default))
        if name in COLORS:
            return COLORS[name], ()
        return COLORS["black"], (f"a black background, in the place of nerfstudio's {name}: --background",)

    def broken(self, reason: str) -> DuplexError:
        """The error about a configuration."""
        return DuplexError(f"{self.config}: {reason}: mend it or move it away to bake with the defaults")


def is_run(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint is nerfstudio's, of whatever method."""
    return checkpoint.kind == "torch" and bool(model_state(checkpoint))


def model_state(checkpoint: Checkpoint) -> dict[str, Any]:
    """The members of the pipeline's model, without prefix; empty for other files."""
    pipeline = checkpoint.content.get("pipeline")
    state = {}
    for name, value in pipeline.items() if isinstance(pipeline, dict) else ():
        prefix = next((p for p in PREFIXES if isinstance(name, str) and name.startswith(p)), None)
        if prefix is not None:
            state[name.removeprefix(prefix)] = value
    return state


def read_run(checkpoint: Checkpoint) -> NerfstudioRun:
    """The run that a checkpoint belongs to; raises :class:`DuplexError` where files beside it are damaged."""
    place = checkpoint.path.absolute().parent
    folders = (place, place.parent) if place.name == FOLDER else (place,)
    frame = _dataset_to_world(folders)
    missing = "the frame of the dataset's files as the world: no dataparser_transforms.json beside it"
    assumed = (missing,) if frame is None else ()
    run = NerfstudioRun(checkpoint.path, model_state(checkpoint), dataset_to_world=frame, assumed=assumed)
    for folder in folders:
        if text := read_small_text(folder / "config.yml"):
            method, model = _options(text, folder / "config.yml")
            return NerfstudioRun(run.path, run.state, folder / "config.yml", method, model, frame, assumed)
    return run


def _options(text: str, file: Path) -> tuple[str, dict[str, Any]]:
    """Name of the method and options of its model, as ``config.yml`` has them."""
    try:
        config = plain_yaml(text)
        model = config["pipeline"]["model"]
        if not isinstance(model, dict):
            raise TypeError("pipeline.model is no mapping")
        return _said(config.get("method_name", "")), model
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise DuplexError(
            f"{file}: not a nerfstudio configuration ({type(error).__name__}: {' '.join(str(error).split())[:120]}): "
            "mend it or move it away to bake with the defaults"
        ) from None


def _said(value: Any) -> str:
    """What a file says, short enough for an error's sentence; the type of what is more than a word."""
    if isinstance(value, (int, float)) and abs(value) < MAX_NUMBER:
        return f"{value:g}"
    return " ".join(value.split())[:40] if isinstance(value, str) else f"of type {type(value).__name__}"


def _dataset_to_world(folders: tuple[Path, ...]) -> tuple[float, ...] | None:
    """What ``dataparser_transforms.json`` says: the world is ``scale (R p + t)``; None where there is no such file."""
    file = next(
        (f / "dataparser_transforms.json" for f in folders if (f / "dataparser_transforms.json").is_file()), None
    )
    if file is None:
        return None
    try:
        content = json.loads(read_small_text(file))
        matrix = np.array(content["transform"], np.float64)
        scale = float(content["scale"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise DuplexError(
            f"{file}: not the frame of a nerfstudio dataset ({type(error).__name__}): copy it again from the run"
        ) from None
    if matrix.shape != (3, 4) or not (np.abs(matrix) < MAX_COORDINATE).all() or not 0 < scale < MAX_COORDINATE:
        raise DuplexError(
            f"{file}: a transform of shape {matrix.shape} and scale {scale:g}: expected 3 x 4 numbers and a positive "
            "one: copy it again from the run"
        )
    rotation = matrix[:, :3]
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3) or np.linalg.det(rotation) < 0:
        raise DuplexError(f"{file}: its transform is no rotation and translation: copy it again from the run")
    return tuple(float(x) for x in np.vstack([scale * matrix, [0, 0, 0, 1]]).reshape(-1))
