"""Feature textures: filtering, gradients, rounding."""

from __future__ import annotations

import moderngl
import numpy as np
import pytest
import torch

from builders.distill import mipmaps
from duplex.baking.distill.features import FeatureTexture, sample


def test_the_gradient_passes_the_rounding() -> None:
    texture = FeatureTexture(4, 4)
    texture.texels.data.uniform_(-1, 1)
    place = (torch.arange(4) + 0.5) / 4
    uv = torch.stack(torch.meshgrid(place, place, indexing="ij"), -1).view(16, 2)
    texture(uv, torch.zeros(16)).sum().backward()
    assert torch.allclose(texture.texels.grad, torch.ones(16, 4))  # type: ignore[arg-type]


@pytest.mark.parametrize("levels", [1, 3, 4])
def test_samples_match_opengl(ctx: moderngl.Context, levels: int) -> None:
    rng = np.random.default_rng(0)
    texels = rng.random((8, 8, 4)).astype(np.float32)
    texture = ctx.texture((8, 8), 4, texels.tobytes(), dtype="f4")
    texture.build_mipmaps(0, levels - 1)
    texture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
    texture.repeat_x = texture.repeat_y = False
    program = ctx.program(
        vertex_shader="#version 330\nvoid main() { gl_Position = vec4(vec2((gl_VertexID << 1) & 2, gl_VertexID & 2)"
        " * 2.0 - 1.0, 0.0, 1.0); }",
        fragment_shader="#version 330\nuniform sampler2D t; out vec4 c;"
        "void main() { vec2 uv = gl_FragCoord.xy / 37.0; c = textureLod(t, uv, 6.0 * uv.x * uv.y - 1.0); }",
    )
    target = ctx.framebuffer([ctx.texture((37, 37), 4, dtype="f4")])
    target.use()
    texture.use(0)
    ctx.vertex_array(program, []).render(moderngl.TRIANGLES, vertices=3)
    drawn = np.frombuffer(target.read(components=4, dtype="f4"), np.float32).reshape(-1, 4)
    place = (np.arange(37) + 0.5) / 37
    uv = np.stack(np.meshgrid(place, place), -1).reshape(-1, 2).astype(np.float32)
    values = torch.from_numpy(texels.reshape(-1, 4))
    maps = mipmaps(values, 8, levels)
    assert maps.sides == (8, 4, 2, 1)[:levels]
    level = torch.from_numpy(6 * uv[:, 0] * uv[:, 1] - 1)
    found = sample(values, maps, torch.from_numpy(uv), level)
    assert np.abs(found.numpy() - drawn).max() < 2 / 256
    chances = [
        sample(values, maps, torch.from_numpy(uv), level, torch.full_like(level, (i + 0.5) / 64)) for i in range(64)
    ]
    assert np.abs(torch.stack(chances).mean(0).numpy() - found.numpy()).max() < 1 / 64


def test_the_gradient_of_a_sample_is_that_of_an_embedding_bag() -> None:
    generator = torch.Generator().manual_seed(0)
    texels = torch.rand(64, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    uv = torch.rand(40, 2, generator=generator, dtype=torch.float64) * 1.2 - 0.1
    level = torch.rand(40, generator=generator, dtype=torch.float64) * 4 - 1
    for dither in (None, torch.rand(40, generator=generator, dtype=torch.float64)):
        assert torch.autograd.gradcheck(
            lambda t, d=dither: sample(t, mipmaps(t.detach(), 8, 3), uv, level, d), (texels,)
        )


def test_the_coarsest_level_with_the_largest_dither_is_that_level() -> None:
    texels = torch.rand(256, 4, generator=torch.Generator().manual_seed(0))
    uv, level, largest = torch.full((1, 2), 0.5), torch.full((1,), 9.0), torch.tensor([1 - 2**-24])
    assert torch.equal(sample(texels, mipmaps(texels, 16, 5), uv, level, largest), mipmaps(texels, 16, 5).texels[-1:])
