"""DirectVoxGO's field, one point at a time."""

from __future__ import annotations

import math

import numpy as np

from builders.grid.dvgo import HIGH, LOW
from builders.grid.voxels import Content, Values, sigmoid, trilinear


def dvgo_encoding(x: np.ndarray, frequencies: list[float]) -> list[float]:
    angles = [v * f for v in x for f in frequencies]
    return [*x, *(math.sin(a) for a in angles), *(math.cos(a) for a in angles)]


def naive_dvgo(content: Content, points: np.ndarray, directions: np.ndarray) -> Values:
    """DirectVoxGO's point query; densities from the opacity of a step of half a voxel."""
    state, options = content["model_state_dict"], content["model_kwargs"]
    member = lambda name: state.get(f"{name}.grid", state.get(name)).double().numpy()[0]  # noqa: E731
    grid, features = np.moveaxis(member("density"), 0, -1), np.moveaxis(member("k0"), 0, -1)
    if "mpi_depth" in options:
        interval, step = 0.5 * options["voxel_size_ratio"], 0.5 / (options["mpi_depth"] - 1) * 2
        shift = state["act_shift.grid"].double().numpy()[0, 0, 0, 0]
    else:
        size = (np.prod(HIGH - LOW) / options["num_voxels"]) ** (1 / 3)
        base = (np.prod(HIGH - LOW) / options["num_voxels_base"]) ** (1 / 3)
        interval, step = 0.5 * size / base, 0.5 * size
        shift = float(state.get("act_shift", options.get("act_shift", math.log(1 / (1 - options["alpha_init"]) - 1))))
    sigma, rgb = np.zeros(len(points)), np.zeros((len(points), 3))
    for n, (point, direction) in enumerate(zip(points.astype(np.float64), directions.astype(np.float64), strict=True)):
        if (point < LOW).any() or (point > HIGH).any():
            continue
        if "mask_cache.mask" in state:
            cell = np.round(
                point * state["mask_cache.xyz2ijk_scale"].numpy() + state["mask_cache.xyz2ijk_shift"].numpy()
            )
            if not state["mask_cache.mask"][tuple(cell.astype(int))]:
                continue
        unit = (point - LOW) / (HIGH - LOW)
        place = unit * (np.array(grid.shape[:3]) - 1)
        raw = trilinear(grid, place)[0]
        raw += shift if np.ndim(shift) == 0 else np.interp(place[2], np.arange(len(shift)), shift)
        opacity = 1 - (1 + math.exp(raw)) ** -interval
        sigma[n] = -math.log(1 - opacity) / step
        k0, residual = trilinear(features, place), 0.0
        names = [f"rgbnet.{i}{rest}" for i, rest in ((0, ""), (2, ".0"), (3, ".0"), (3, ""), (4, ""))]
        if "rgbnet.0.weight" not in state:
            rgb[n] = sigmoid(k0)
            continue
        width = state["rgbnet.0.weight"].shape[1]
        encoded = dvgo_encoding(direction, state["viewfreq"].tolist())
        if "posfreq" in state:
            encoded = dvgo_encoding(unit, state["posfreq"].tolist()) + encoded
        if width < len(k0) + len(encoded):
            k0, residual = k0[3:], k0[:3]
        h = np.array([*k0, *encoded])
        used = [name for name in names if f"{name}.weight" in state]
        for name in used:
            h = state[f"{name}.weight"].double().numpy() @ h + state[f"{name}.bias"].double().numpy()
            h = h if name == used[-1] else np.maximum(h, 0)
        rgb[n] = sigmoid(h + residual)
    return sigma, rgb
