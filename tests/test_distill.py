import math
from pathlib import Path
from typing import Any

import moderngl
import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera import Camera, look_at
from duplex.app.scene.network import NetworkSpec
from duplex.baking.distill.crops import Crops, CropSampler
from duplex.baking.distill.export import export_shell
from duplex.baking.distill.features import FeatureTexture, Mipmaps, sample
from duplex.baking.distill.shading import channels_to_space
from duplex.baking.distill.trainer import DistillConfig, Student, Trainer, dssim
from duplex.baking.distill.views import NOWHERE, UV_STEPS, ViewSet
from duplex.baking.geometry.shells import Shell

CONFIG = DistillConfig(steps=24, batch=2, crop=16, width=8)
CPU = torch.device("cpu")


def views() -> ViewSet:
    """Three random 24 x 24 views whose covered part is a square in the middle."""
    rng = np.random.default_rng(3)
    side, margin = 24, NetworkSpec.shallow(8, 8).margin
    wide = side + 2 * margin
    hits = np.full((3, wide, wide, 6), NOWHERE, np.uint16)
    hits[:, margin + 4 : margin + 20, margin + 4 : margin + 20] = rng.integers(0, UV_STEPS, (3, 16, 16, 6))
    pictures = rng.integers(0, 256, (3, side, side, 4), np.uint8)
    poses = [
        look_at(np.array([math.cos(i), math.sin(i), 0.5]) * 4, np.zeros(3), np.array([0.0, 0, 1])) for i in range(3)
    ]
    return ViewSet([Camera.from_fov(pose, side, side, 0.7) for pose in poses], [*pictures], [*hits], margin, [True] * 3)


def mipmaps(texels: torch.Tensor, side: int, levels: int) -> Mipmaps:
    maps = Mipmaps.empty(texels, side, levels)
    maps.texels[: len(texels)] = texels
    return maps.average()


def trainer(seed: int = 0) -> Trainer:
    return Trainer(NetworkSpec.shallow(8, 8), 64, CONFIG, seed, CPU)


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trainer()
    whole.train([views()], (1.0, 1.0, 1.0), tmp_path / "whole", views())
    first, calls = trainer(), 0
    original = Trainer._schedule

    def interrupted(self: Trainer) -> None:
        nonlocal calls
        calls += 1
        if calls > 15:  # after the second doubling
            raise KeyboardInterrupt
        original(self)

    monkeypatch.setattr(Trainer, "_schedule", interrupted)
    with pytest.raises(KeyboardInterrupt):
        first.train([views()], (1.0, 1.0, 1.0), tmp_path / "part", views())
    first.save(tmp_path / "part")
    monkeypatch.undo()
    second = trainer(seed=99)
    second.load(tmp_path / "part")
    assert second.step == 15
    second.train([views()], (1.0, 1.0, 1.0), tmp_path / "part", views())
    for name, value in whole.student.state_dict().items():
        assert torch.equal(value, second.student.state_dict()[name]), name
    assert [point[::2] for point in whole.curve] == [point[::2] for point in second.curve]  # all but the seconds


def test_training_reduces_the_error_and_the_seed_decides(tmp_path: Path) -> None:
    config = DistillConfig(steps=150, batch=2, crop=16, width=8)
    runs = []
    for seed in (1, 1, 2):
        t = Trainer(NetworkSpec.shallow(8, 8), 64, config, seed, CPU)
        t.train([views()], (1.0, 1.0, 1.0), tmp_path / "state", views())
        runs.append((t.curve, t.student.outer.texels.detach().clone()))
    steps, seconds, quality = zip(*runs[0][0], strict=True)
    assert steps[-1] == 150 and len(steps) == 16 and list(seconds) == sorted(seconds)
    assert quality[-1] > quality[0] + 0.5
    assert torch.equal(runs[0][1], runs[1][1])
    assert not torch.equal(runs[0][1], runs[2][1])


def test_the_view_direction_enters_at_the_centre_alone(tmp_path: Path) -> None:
    student = trainer()
    before = student.student.network.exported().weights[0]
    student.train([views()], (1, 1, 1), tmp_path / "state")
    spec, weights = student.student.network.spec, student.student.network.exported()
    weights.check(spec, "network")
    of_view, of_features = weights.weights[0][:, 16:], weights.weights[0][:, :16]
    assert of_view.shape[1:] == (8, 3, 3) and (of_view[:, :, 1, 1] != before[:, 16:, 1, 1]).any(0).all()
    assert np.count_nonzero(of_view) == np.count_nonzero(of_view[:, :, 1, 1])
    assert (of_features != before[:, :16]).any((0, 1)).all()
    assert spec.macs_per_pixel == sum(
        np.count_nonzero(spec.taps()) if i == 0 else w.size for i, w in enumerate(weights.weights)
    )


def test_what_training_sees_is_what_is_exported() -> None:
    texture = FeatureTexture(8, 8)
    texture.texels.data.uniform_(-1.5, 1.5)
    shell = Shell(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]]))
    exported = export_shell(shell, texture)
    values = exported.texels / np.float32(255)
    planes = values.transpose(1, 2, 0, 3).reshape(64, 8) * exported.scale + exported.offset
    assert np.allclose(planes, texture.mipmaps().texels.numpy(), atol=1e-6)


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


def test_refining_interpolates() -> None:
    student = Student(NetworkSpec.shallow(8, 8), 4)
    ramp = (torch.arange(4) + 0.5) / 4
    student.outer.texels.data[:] = ramp.repeat(4)[:, None]
    student.refine()
    assert student.outer.side == 8 and student.outer.texels.shape == (64, 8)
    assert torch.allclose(student.outer.texels[1:7, 0], (torch.arange(1, 7) + 0.5) / 8)


def test_channels_become_blocks_of_pixels() -> None:
    x = torch.arange(16.0).view(1, 16, 1, 1)
    y = channels_to_space(x, 2)
    assert y.shape == (1, 4, 2, 2)
    assert y[0, :, 0, 1].tolist() == [4, 5, 6, 7] and y[0, :, 1, 0].tolist() == [8, 9, 10, 11]


def test_a_batch_in_portions_gives_the_same_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when memory runs out for more than one crop at once."""
    gradients = []
    for at_most in (2, 1):
        t = trainer()
        t.student.outer.texels.data.uniform_(-1, 1, generator=torch.Generator().manual_seed(0))
        whole = t._composited

        def limited(crops: Crops, background: torch.Tensor, most: int = at_most, whole: Any = whole) -> Any:
            if len(crops.views) > most:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return whole(crops, background)

        monkeypatch.setattr(t, "_composited", limited)
        crops = CropSampler([views()], 16, CPU)([2], torch.Generator().manual_seed(0))
        errors = t._backward(crops, torch.ones(3))
        assert t.portion == at_most and errors.shape == (2,)
        gradients.append(t.student.outer.texels.grad.clone())  # type: ignore[union-attr]
    assert gradients[0].abs().max() > 0
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-4, atol=1e-9)


def test_views_that_show_nothing_are_an_explained_error() -> None:
    empty = views()
    for hits in empty.hits:
        hits[..., :4] = NOWHERE
    assert len(CropSampler([views(), empty], 16, CPU).sets[1]) == 0
    with pytest.raises(DuplexError, match="none of 3 views"):
        CropSampler([empty], 16, CPU)


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


def test_dssim_is_what_scikit_image_measures() -> None:
    first = np.random.default_rng(0).random((40, 32, 3), np.float32)
    second = np.clip(first + np.random.default_rng(1).normal(0, 0.1, first.shape), 0, 1).astype(np.float32)
    _, expected = structural_similarity(
        first, second, channel_axis=-1, data_range=1.0, win_size=7, use_sample_covariance=False, full=True
    )
    a, b = (torch.from_numpy(x).permute(2, 0, 1)[None] for x in (first, second))
    found = dssim(a, b)[0, 0].numpy()
    assert np.abs(found - 0.5 * (1 - expected.mean(-1)))[3:-3, 3:-3].max() < 1e-4
    assert float(dssim(a, a).abs().max()) < 1e-5
