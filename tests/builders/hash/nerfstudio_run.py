"""A run as nerfstudio's trainer leaves it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor


def save_run(folder: Path, model: dict[str, Tensor], config: str | None, prefix: str = "_model.") -> Path:
    """A run as nerfstudio's trainer leaves it; returns the checkpoint's file."""
    place = folder / "nerfstudio_models"
    place.mkdir(parents=True, exist_ok=True)
    pipeline = {
        "datamanager.train_camera_optimizer.pose_adjustment": torch.zeros(3, 6),
        f"{prefix}device_indicator_param": torch.zeros(0),
        f"{prefix}camera_optimizer.pose_adjustment": torch.full((3, 6), 0.01),
        f"{prefix}lpips.net.lin0.model.1.weight": torch.ones(1, 8, 1, 1),
        **{f"{prefix}{name}": value for name, value in model.items()},
    }
    content = {
        "step": 29999,
        "pipeline": pipeline,
        "optimizers": {
            "fields": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": np.float64(0.01)}]}
        },
        "schedulers": {"fields": {"base_lrs": [0.01], "_last_lr": [np.float64(1e-4)], "lr_lambdas": [None]}},
        "scalers": {"scale": 65536.0, "growth_factor": 2.0},
    }
    torch.save(content, place / "step-000029999.ckpt")
    if config is not None:
        (folder / "config.yml").write_text(config)
    return place / "step-000029999.ckpt"


def config_text(method: str, options: str) -> str:
    """A configuration with the tags of the objects that nerfstudio pickles into it."""
    return f"""!!python/object:nerfstudio.engine.trainer.TrainerConfig
_target: &id001 !!python/name:nerfstudio.engine.trainer.Trainer ''
data: &id002 !!python/object/apply:pathlib.PosixPath
- data
- scene
method_name: {method}
optimizers:
  fields:
    optimizer: !!python/object:nerfstudio.engine.optimizers.AdamOptimizerConfig
      lr: 0.01
      betas: !!python/tuple
      - 0.9
      - 0.999
pipeline: !!python/object:nerfstudio.pipelines.base_pipeline.VanillaPipelineConfig
  datamanager: !!python/object:nerfstudio.data.datamanagers.base_datamanager.VanillaDataManagerConfig
    data: *id002
  model: !!python/object:nerfstudio.models.x.ModelConfig
    _target: *id001
    loss_coefficients: {{rgb_loss_coarse: 1.0}}
{options}
"""
