"""Feature look-ups and the view encoding exist twice: in torch or numpy for training, and in GLSL."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import moderngl
import numpy as np
import pytest
import torch

from duplex.app.render.readback import network_inputs
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.coordinates.reference_view import ReferenceView
from duplex.app.scene.network import encode_view
from duplex.baking.distill.features import FeatureTexture
from duplex.baking.distill.views import make_view_set
from duplex.baking.geometry.gbuffers import Rasterizer


@pytest.mark.system
@pytest.mark.parametrize("levels", [1, 5])
def test_training_and_viewing_see_the_same_gbuffer(ctx: moderngl.Context, demo: Bundle, levels: int) -> None:
    demo = replace(demo, network=replace(demo.network, mip_levels=levels))
    camera = demo.cameras[1].resized(150, 120)
    renderer = Renderer(ctx, demo)
    seen, scale = network_inputs(renderer.draw(camera), renderer.bundle.network.margin)
    padded = camera.padded(demo.network.margin)
    shells = (demo.outer, demo.inner)
    outer, inner = (s.mesh for s in shells)
    hits = Rasterizer(ctx, outer, inner, double_sided=demo.double_sided).layers(padded)
    planes = []
    for shell, hit in zip(shells, hits, strict=True):
        texels = shell.texels.transpose(1, 2, 0, 3).reshape(-1, demo.network.feature_channels)
        values = torch.from_numpy(texels / np.float32(255) * shell.scale + shell.offset)
        uv = torch.from_numpy(hit.uv.reshape(-1, 2))
        side = shell.texels.shape[1]
        texture = FeatureTexture(side, values.shape[1], levels)
        texture.texels.data[:] = values
        plane = texture(uv, torch.from_numpy(hit.level.reshape(-1))).detach().numpy() * (hit.face.reshape(-1, 1) >= 0)
        planes.append(plane.reshape(padded.height, padded.width, -1))
    rays = padded.ray_directions()
    planes.append(encode_view(rays / np.linalg.norm(rays, axis=-1, keepdims=True)) * (hits[0].face >= 0)[..., None])
    expected = np.concatenate(planes, -1).transpose(2, 0, 1)
    margin = demo.network.margin
    covered = (hits[0].face >= 0)[margin:-margin, margin:-margin]
    assert np.array_equal(scale > 0, covered)
    assert covered.mean() > 0.1
    difference = np.abs(seen - expected)
    assert difference.mean() < 2e-3
    assert (difference > 0.05).mean() < 2e-3  # bilinear weights of graphics hardware have 8 bits


def test_training_and_viewing_see_the_same_scale(ctx: moderngl.Context, demo: Bundle, tmp_path: Path) -> None:
    view = ReferenceView((0.3, -0.2, 0.5), 1.5, 10.0)
    demo = replace(demo, network=replace(demo.network, reference=view))
    camera = demo.cameras[1].resized(60, 50)
    _, scale = network_inputs(Renderer(ctx, demo).draw(camera), demo.network.margin)
    rasterizer = Rasterizer(ctx, demo.outer.mesh, demo.inner.mesh, double_sided=demo.double_sided)
    picture = np.zeros((50, 60, 4), np.uint8)
    views = make_view_set([camera], [picture], rasterizer, demo.network, tmp_path / "hits")
    stored = views.hits[0][views.margin : -views.margin, views.margin : -views.margin, 6] / 65535
    assert views.margin == 10 and (scale > 0).mean() > 0.1
    assert np.abs(stored / (1 - stored) - scale).max() < 0.01 * scale.max()
    middle = np.flatnonzero(scale[25] > 0)
    assert 1 < scale[25][middle].min() < 10
