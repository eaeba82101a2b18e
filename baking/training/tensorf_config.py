"""Settings of the VM-split field and its training."""

from __future__ import annotations

from dataclasses import dataclass

from duplex.baking.settings import setting


@dataclass(frozen=True)
class TensorfConfig:
    """The VM-split field (--field tensorf) and its training."""

    voxels: int = setting(
        140,
        "cells along a side of the final grid, were it a cube; in a contracted space twice as many, since half of a "
        "side is its surroundings",
        low=8,
        high=640,
    )
    first_voxels: int = setting(64, "the same at the beginning", low=8, high=640)
    density: int = setting(8, "components of the density for each of the three planes", low=1, high=256)
    app: int = setting(24, "components of the colour for each of the three planes", low=1, high=256)
    features: int = setting(18, "features that the colour's components are mixed into", low=1, high=256)
    width: int = setting(64, "channels of the colour network's hidden layers", low=4, high=1024)
    feature_frequencies: int = setting(0, "frequencies of the encoding of the features", low=0, high=8)
    step_ratio: float = setting(1.0, "distance of a ray's samples, in cells", low=0.05, high=4)
    batch: int = setting(16384, "coloured samples in a step; the number of rays follows", low=64, high=1 << 24)
    grid_rate: float = setting(0.02, "Adam's learning rate of the grids at the start", low=1e-6, high=1)
    network_rate: float = setting(0.001, "Adam's learning rate of the network at the start", low=1e-6, high=1)
    l1: float = setting(4e-5, "weight of the density's sparsity", low=0, high=1)
    distortion: float = setting(
        0.002, "weight of what keeps matter together along rays, in a contracted space", low=0, high=10
    )
    tv: float = setting(0.0, "weight of the total variation of density and colour", low=0, high=100)
    opacity: float = setting(
        0.0, "weight of the opacity's error beside the colour's, where photos have alpha", low=0, high=10
    )
