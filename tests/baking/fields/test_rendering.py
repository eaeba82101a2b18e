"""Volume rendering along rays."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from builders import synthetic
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields import rendering


def test_weights_match_the_sum_written_out() -> None:
    rng = np.random.default_rng(0)
    sigma, t = rng.uniform(0, 3, (5, 7)), np.sort(rng.uniform(2, 6, (5, 7)), -1)
    length = rng.uniform(1, 2, (5, 1))
    found = rendering.volume_weights(*(torch.from_numpy(x) for x in (sigma, t, length))).numpy()
    for ray in range(5):
        light = 1.0
        for i in range(7):
            delta = (t[ray, i + 1] - t[ray, i] if i < 6 else 1e10) * length[ray, 0]
            alpha = 1 - math.exp(-sigma[ray, i] * delta)
            assert found[ray, i] == pytest.approx(light * alpha, abs=1e-8)
            light *= 1 - alpha


def test_samples_follow_the_weights() -> None:
    edges = torch.linspace(0, 4, 5)[None]
    samples = rendering.sample_pdf(edges, torch.tensor([[0.0, 1.0, 0.0, 3.0]]), 4001)[0]
    assert ((samples > 1) & (samples < 2)).float().mean() == pytest.approx(0.25, abs=0.01)
    assert (samples > 3).float().mean() == pytest.approx(0.75, abs=0.01)
    assert (samples[1:] >= samples[:-1]).all()


def test_a_ray_through_the_octahedron_has_its_surface_color(octahedron: Path) -> None:
    teacher = load_teacher(octahedron)
    origin, direction = torch.tensor([[4.0, 0.0, 0.0]]), torch.tensor([[-1.0, 0.0, 0.0]])
    rgba = rendering.render_rays(teacher, origin, direction)[0]
    entry = torch.tensor([[0.85, 0.0, 0.0]])  # light comes from just below the surface
    assert rgba[3] == pytest.approx(1, abs=1e-3)
    assert torch.allclose(rgba[:3], synthetic.color(entry, direction)[0], atol=0.03)
    miss = rendering.render_rays(teacher, origin, torch.tensor([[-1.0, 0.5, 0.0]]))[0]
    assert miss.abs().max() == 0
