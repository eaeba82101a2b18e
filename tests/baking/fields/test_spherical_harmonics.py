"""Real spherical harmonics against complex ones."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.special import sph_harm_y

from builders.grid.voxels import random_rays
from duplex.baking.fields.spherical_harmonics import spherical_harmonics


def test_harmonics_are_the_real_and_imaginary_parts_of_the_complex_ones() -> None:
    directions = random_rays([-1] * 3, [1] * 3)[1].astype(np.float64)
    theta, phi = np.arccos(directions[:, 2]), np.arctan2(directions[:, 1], directions[:, 0])
    columns = []
    for degree in range(5):
        for order in range(-degree, degree + 1):
            value = sph_harm_y(degree, abs(order), theta, phi)
            columns.append(value.real if order == 0 else math.sqrt(2) * (value.imag if order < 0 else value.real))
        found = spherical_harmonics(torch.from_numpy(directions), (degree + 1) ** 2)
        assert np.allclose(found.numpy(), np.stack(columns, -1), atol=1e-6)
