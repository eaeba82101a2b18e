"""DirectVoxGO's checkpoints."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from builders.grid.voxels import Content

DVGO_KINDS = ("direct", "residual", "colours", "implicit", "four layers", "second release", "first release")
LOW, HIGH = np.array([-1.2, -0.8, -1.0], np.float32), np.array([1.0, 1.1, 0.9], np.float32)


@contextmanager
def mmcv_config_dict() -> Iterator[type]:
    """mmcv's dictionary class, of which DirectVoxGO's files have an instance for each grid, while they are written."""
    names = ("mmcv", "mmcv.utils", "mmcv.utils.config")
    config = type("ConfigDict", (dict,), {"__getstate__": lambda self: self, "__module__": names[2]})
    try:
        for name in names:
            sys.modules[name] = ModuleType(name)
        sys.modules[names[2]].ConfigDict = config  # type: ignore[attr-defined]
        yield config
    finally:
        for name in names:
            sys.modules.pop(name, None)


def dvgo(kind: str = "direct", sides: tuple[int, int, int] = (5, 4, 6)) -> Content:
    """What ``torch.save`` gets from DirectVoxGO, of one of :data:`DVGO_KINDS` or ``planes`` (DirectMPIGO)."""
    random = torch.Generator().manual_seed(3)
    normal = lambda *shape: torch.randn(*shape, generator=random)  # noqa: E731
    first, second, planes = kind == "first release", kind == "second release", kind == "planes"
    width = {"colours": 3, "implicit": 0}.get(kind, 6)
    dot = "" if first or second else ".grid"
    state: Content = {"xyz_min": torch.from_numpy(LOW), "xyz_max": torch.from_numpy(HIGH)}
    state |= {f"density{dot}": normal(1, 1, *sides), f"k0{dot}": normal(1, width, *sides)}
    options: Content = {"xyz_min": LOW.copy(), "xyz_max": HIGH.copy(), "num_voxels": 120, "alpha_init": 0.3}
    options |= {"num_voxels_base": 100, "fast_color_thres": 1e-4, "rgbnet_dim": width, "mask_cache_path": "coarse.tar"}
    if kind != "colours":
        state["viewfreq"] = torch.tensor([1.0, 2.0, 4.0])
        inputs = 3 + 3 * 3 * 2 + width - (3 if kind == "residual" else 0)
        if first:
            state["posfreq"] = torch.tensor([1.0, 2.0])
            inputs += 3 + 3 * 2 * 2
        shapes = {"rgbnet.0": (8, inputs), "rgbnet.2.0": (8, 8)}
        shapes |= {"rgbnet.3.0": (8, 8), "rgbnet.4": (3, 8)} if kind == "four layers" else {"rgbnet.3": (3, 8)}
        for name, shape in shapes.items():
            state[f"{name}.weight"], state[f"{name}.bias"] = normal(*shape), normal(shape[0])
    if first:
        options |= {"nearest": False, "pre_act_density": False, "in_act_density": False, "posbase_pe": 2}
        state |= {
            "nonempty_mask": torch.ones(1, 1, *sides, dtype=torch.bool),
            "mask_cache.density": normal(1, 1, 3, 3, 3),
        }
    else:
        mask = torch.rand(4, 4, 4, generator=random) < 0.8
        scale = (torch.tensor([4.0, 4.0, 4.0]) - 1) / torch.from_numpy(HIGH - LOW)
        state |= {"mask_cache.mask": mask, "mask_cache.xyz2ijk_scale": scale}
        state["mask_cache.xyz2ijk_shift"] = -torch.from_numpy(LOW) * scale
        options["voxel_size_ratio"] = torch.tensor(0.94)
    if second:
        options["act_shift"] = np.float64(0.4)
    elif planes:
        options |= {"mpi_depth": sides[2], "voxel_size_ratio": 0.9}
        state["act_shift.grid"] = normal(1, 1, 1, 1, sides[2])
        del options["alpha_init"], options["num_voxels_base"]
    elif not first:
        state["act_shift"] = torch.tensor([0.4])
        state |= {f"{grid}.xyz_min": torch.from_numpy(LOW) for grid in ("density", "k0")}
    optimizer = {"state": {0: {"step": 5, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    return {
        "global_step": 20000, "model_kwargs": options, "model_state_dict": state, "optimizer_state_dict": optimizer,
        "MaskCache_kwargs": {"act_shift": np.float64(-0.85), "xyz_min": LOW.copy()},
    }  # fmt: skip


def write_dvgo(path: Path, content: Content, legacy: bool = False) -> Path:
    with mmcv_config_dict() as config:
        options = {**content["model_kwargs"], "density_config": config(), "k0_config": config(n_comp=8)}
        whole = {**content, "model_kwargs": options}
        torch.save(whole, path, _use_new_zipfile_serialization=not legacy)
    return path
