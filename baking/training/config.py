"""All settings of a training: each stage's own dataclass, three presets, from which the command line is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from duplex.app.core.errors import DuplexError
from duplex.baking.settings import filled
from duplex.baking.training.mlp import MlpConfig
from duplex.baking.training.tensorf import TensorfConfig
from duplex.baking.training.trainer import TrainingConfig


@dataclass(frozen=True)
class TrainConfig:
    """The settings of the training itself, and of either kind of field."""

    training: TrainingConfig = field(default_factory=TrainingConfig)
    tensorf: TensorfConfig = field(default_factory=TensorfConfig)
    mlp: MlpConfig = field(default_factory=MlpConfig)


PRESETS: dict[str, dict[str, Any]] = {
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
}


def configured(quality: str, given: Mapping[str, Any]) -> TrainConfig:
    """The preset ``quality`` with the ``given`` settings on top; raises :class:`DuplexError`."""
    if quality not in PRESETS:
        raise DuplexError(f"quality {quality!r:.40}: expected {', '.join(PRESETS)}")
    config = filled(TrainConfig, PRESETS[quality], given)
    _check(config)
    return config


def _check(config: TrainConfig) -> None:
    t, f, m = config.training, config.tensorf, config.mlp
    for flag, value, low, high in (
        ("--size", t.size, 8, 4096),
        ("--steps", t.steps, 1, 10_000_000),
        ("--views", t.views, 1, 4000),
        ("--final-rate", t.final_rate, 1e-6, 1),
        ("--voxels", f.voxels, 8, 640),
        ("--first-voxels", f.first_voxels, 8, f.voxels),
        ("--density", f.density, 1, 256),
        ("--app", f.app, 1, 256),
        ("--features", f.features, 1, 256),
        ("--width", f.width, 4, 1024),
        ("--feature-frequencies", f.feature_frequencies, 0, 8),
        ("--step-ratio", f.step_ratio, 0.05, 4),
        ("--batch", f.batch, 64, 1 << 24),
        ("--tv", f.tv, 0, 100),
        ("--l1", f.l1, 0, 1),
        ("--opacity", f.opacity, 0, 10),
        ("--grid-rate", f.grid_rate, 1e-6, 1),
        ("--network-rate", f.network_rate, 1e-6, 1),
        ("--layers", m.layers, 1, 32),
        ("--hidden", m.hidden, 4, 1024),
        ("--coarse", m.coarse, 4, 1024),
        ("--fine", m.fine, 0, 1024),
        ("--rays", m.rays, 16, 1 << 20),
        ("--mlp-rate", m.mlp_rate, 1e-6, 1),
    ):
        if not low <= value <= high:
            raise DuplexError(f"{flag} {value:g}: expected {low:g} to {high:g}")
