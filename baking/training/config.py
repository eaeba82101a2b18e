"""All settings of a training: its dataclasses and three presets. The command-line flags follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from duplex.app.core.errors import DuplexError
from duplex.baking.settings import Presets, checked_presets, configured
from duplex.baking.training.mlp import MlpConfig
from duplex.baking.training.tensorf_config import TensorfConfig
from duplex.baking.training.trainer import TrainingConfig

LEAST_SIZE = 8  # pixels, of photos


@dataclass(frozen=True)
class TrainConfig:
    """The settings of the training, and those of each kind of field."""

    training: TrainingConfig = field(default_factory=TrainingConfig)
    tensorf: TensorfConfig = field(default_factory=TensorfConfig)
    mlp: MlpConfig = field(default_factory=MlpConfig)


PRESETS: Presets = checked_presets(
    TrainConfig,
    {
        "draft": {},
        "standard": {
            "size": 400,
            "steps": 12000,
            "voxels": 220,
            "first_voxels": 96,
            "density": 16,
            "app": 32,
            "features": 27,
            "width": 96,
            "feature_frequencies": 1,
            "batch": 32768,
            "layers": 8,
            "hidden": 128,
            "coarse": 64,
            "fine": 64,
            "rays": 1024,
        },
        "high": {
            "size": 800,
            "steps": 30000,
            "voxels": 300,
            "first_voxels": 128,
            "density": 16,
            "app": 48,
            "features": 27,
            "width": 128,
            "feature_frequencies": 2,
            "step_ratio": 0.5,
            "batch": 65536,
            "layers": 8,
            "hidden": 256,
            "coarse": 64,
            "fine": 128,
            "rays": 4096,
            "mlp_rate": 5e-4,
        },
    },
)


def train_config(quality: str, given: Mapping[str, Any]) -> TrainConfig:
    """The preset ``quality`` with the ``given`` settings on top; raises :class:`DuplexError`."""
    config = configured(TrainConfig, PRESETS, quality, given)
    first = config.tensorf.first_voxels
    last = config.tensorf.voxels
    if first > last:
        raise DuplexError(f"--first-voxels {first}: expected 8 to {last}")
    if 0 < config.training.size < LEAST_SIZE:
        raise DuplexError(f"--size {config.training.size}: expected 0, or {LEAST_SIZE} to 4096")
    return config
