import pickle
from pathlib import Path

import pytest
import synthetic
import torch
import torch.nn.functional as F
from hostile import Hostile
from torch import Tensor

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.families.mlp.nerf_pytorch import network as nerf_pytorch_network
from duplex.baking.checkpoints.families.mlp.nerf_pytorch_flexible import network as flexible_network
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.checkpoints.plain_yaml import plain_yaml
from duplex.baking.fields.encoding import Encoding
from duplex.baking.fields.field import Overrides


def random_points(n: int = 200) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(n, 3, generator=generator) * 2 - 1
    return points, F.normalize(torch.randn(n, 3, generator=generator), dim=-1)


def encode(x: Tensor, frequencies: int) -> Tensor:
    """The paper's encoding, written the slow way."""
    parts = [x]
    for k in range(frequencies):
        parts += [torch.sin(2.0**k * x), torch.cos(2.0**k * x)]
    return torch.cat(parts, -1)


def random_state(shapes: dict[str, tuple[int, int]]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    state = {}
    for name, (outputs, inputs) in shapes.items():
        state[f"{name}.weight"] = torch.randn(outputs, inputs, generator=generator) / inputs**0.5
        state[f"{name}.bias"] = torch.randn(outputs, generator=generator) * 0.1
    return state


def test_positional_encoding_matches_the_slow_one() -> None:
    points, _ = random_points()
    assert torch.allclose(Encoding.powers(10)(points), encode(points, 10), atol=1e-6)


@pytest.mark.parametrize("kind", ["flexible", "nerf-pytorch"])
def test_hand_made_network_gives_its_closed_form(kind: str, tmp_path: Path) -> None:
    if kind == "flexible":
        teacher = load_teacher(synthetic.write_flexible(tmp_path))
    else:
        teacher = load_teacher(synthetic.write_nerf_pytorch(tmp_path / "000007.tar"))
    points, directions = random_points()
    sigma, latent = teacher.fine.density(points)
    assert torch.allclose(sigma, synthetic.density(points), atol=1e-3)
    assert torch.allclose(teacher.fine.color(latent, directions), synthetic.color(points, directions), atol=1e-5)


def test_flexible_network_with_a_skip_matches_a_naive_one() -> None:
    shapes = {
        "layer1": (32, 39),
        "fc_feat": (32, 32),
        "fc_alpha": (1, 32),
        "layers_dir.0": (16, 32 + 15),
        "fc_rgb": (3, 16),
    }
    shapes |= {"layers_xyz.0": (32, 32), "layers_xyz.1": (32, 32 + 39), "layers_xyz.2": (32, 32)}
    state = random_state(shapes)
    points, directions = random_points()

    def layer(name: str, x: Tensor) -> Tensor:
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    e = encode(points, 6)
    h = layer("layer1", e)
    h = torch.relu(layer("layers_xyz.0", h))
    h = torch.relu(layer("layers_xyz.1", torch.cat([h, e], -1)))
    h = torch.relu(layer("layers_xyz.2", h))
    feature = torch.relu(layer("fc_feat", h))
    view = torch.relu(layer("layers_dir.0", torch.cat([feature, encode(directions, 2)], -1)))
    field = flexible_network(state, Overrides())
    sigma, latent = field.density(points)
    assert torch.allclose(sigma, torch.relu(layer("fc_alpha", h))[:, 0], atol=1e-5)
    assert torch.allclose(field.color(latent, directions), torch.sigmoid(layer("fc_rgb", view)), atol=1e-5)


def test_nerf_pytorch_network_with_a_skip_matches_a_naive_one() -> None:
    shapes = {f"pts_linears.{i}": (32, 32) for i in range(8)} | {"pts_linears.0": (32, 63), "pts_linears.5": (32, 95)}
    shapes |= {
        "feature_linear": (32, 32),
        "alpha_linear": (1, 32),
        "views_linears.0": (16, 32 + 27),
        "rgb_linear": (3, 16),
    }
    state = random_state(shapes)
    points, directions = random_points()

    def layer(name: str, x: Tensor) -> Tensor:
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    e = encode(points, 10)
    h = e
    for i in range(8):
        h = torch.relu(layer(f"pts_linears.{i}", h))
        if i == 4:
            h = torch.cat([e, h], -1)
    view = torch.relu(layer("views_linears.0", torch.cat([layer("feature_linear", h), encode(directions, 4)], -1)))
    field = nerf_pytorch_network({f"module.{name}": value for name, value in state.items()}, Overrides())
    sigma, latent = field.density(points)
    assert torch.allclose(sigma, torch.relu(layer("alpha_linear", h))[:, 0], atol=1e-5)
    assert torch.allclose(field.color(latent, directions), torch.sigmoid(layer("rgb_linear", view)), atol=1e-5)


def test_folder_takes_the_newest_checkpoint_and_its_configuration(tmp_path: Path) -> None:
    folder = synthetic.write_flexible(tmp_path)
    torch.save({"model_coarse_state_dict": {}}, folder / "checkpoint3.ckpt")
    teacher = load_teacher(folder)
    assert teacher.path.name == "checkpoint7.ckpt"
    assert (teacher.scene.near, teacher.scene.far, teacher.scene.fine_samples) == (2, 6, 64)
    assert teacher.scene.principal_shift == 0.5 / 400


def test_without_a_configuration_the_assumptions_are_named(tmp_path: Path) -> None:
    assert "no args.txt" in load_teacher(synthetic.write_nerf_pytorch(tmp_path / "1.tar")).scene.assumed[0]


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("key", ["model_coarse_state_dict", "network_fn_state_dict"])
def test_a_hostile_pickle_is_refused_and_never_run(tmp_path: Path, legacy: bool, key: str) -> None:
    file, trace = tmp_path / "evil.ckpt", tmp_path / "trace"
    content = {key: Hostile(f"touch {trace}")}
    torch.save(content, file, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(DuplexError, match="refused unread") as error:
        load_teacher(file)
    assert "\n" not in str(error.value)
    assert not trace.exists()


def test_a_plain_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    file, trace = tmp_path / "evil.ckpt", tmp_path / "trace"
    file.write_bytes(pickle.dumps(Hostile(f"touch {trace}")))
    with pytest.raises(DuplexError):
        load_teacher(file)
    assert not trace.exists()


def test_wrong_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    def refused(path: Path, *words: str) -> None:
        with pytest.raises(DuplexError) as error:
            load_teacher(path)
        text = str(error.value)
        assert "\n" not in text and all(word in text for word in words), text

    refused(tmp_path / "none.ckpt", "no such file")
    refused(tmp_path, "no checkpoint in this folder")
    (tmp_path / "text.ckpt").write_text("hello")
    refused(tmp_path / "text.ckpt", "not a checkpoint")
    (tmp_path / "empty.ckpt").write_bytes(b"")
    refused(tmp_path / "empty.ckpt", "not a checkpoint")
    whole = synthetic.write_nerf_pytorch(tmp_path / "whole.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "cut.tar", "not a checkpoint")
    torch.save([1, 2], tmp_path / "list.pt")
    refused(tmp_path / "list.pt", "list")
    torch.save({"weights": torch.zeros(3)}, tmp_path / "other.pt")
    refused(tmp_path / "other.pt", "unknown family", "weights")
    state = synthetic.flexible_state()
    torch.save({"model_coarse_state_dict": {**state, "layer1.weight": torch.zeros(8, 64)}}, tmp_path / "odd.pt")
    refused(tmp_path / "odd.pt", "unknown shape", "64")
    torch.save({"model_coarse_state_dict": {**state, "fc_rgb.bias": torch.full((3,), torch.nan)}}, tmp_path / "nan.pt")
    refused(tmp_path / "nan.pt", "NaN", "fc_rgb.bias")
    for name, change, word in (
        ("scalar", {"layers_xyz.0.weight": torch.tensor(1.0)}, "do not fit"),
        ("empty", {"fc_alpha.weight": torch.zeros(0, 8), "fc_alpha.bias": torch.zeros(0)}, "do not fit"),
        ("rgb5", {"fc_rgb.weight": torch.zeros(5, 8), "fc_rgb.bias": torch.zeros(5)}, "5 outputs"),
        ("huge", {"extra": torch.zeros(1).expand(10**13)}, "more than"),
        ("whole", {"extra": torch.zeros(2, dtype=torch.int64)}, "int64"),
    ):
        torch.save({"model_coarse_state_dict": state | change}, tmp_path / f"{name}.pt")
        refused(tmp_path / f"{name}.pt", word)
    torch.save({"model_coarse_state_dict": None}, tmp_path / "none.pt")
    refused(tmp_path / "none.pt", "no state dict")
    del state["fc_alpha.weight"]
    torch.save({"model_coarse_state_dict": state}, tmp_path / "hole.pt")
    refused(tmp_path / "hole.pt", "fc_alpha")


def test_every_truncation_of_a_checkpoint_is_refused(tmp_path: Path) -> None:
    for legacy in (True, False):
        torch.save(
            {"model_coarse_state_dict": synthetic.flexible_state()},
            tmp_path / "whole",
            _use_new_zipfile_serialization=not legacy,
        )
        whole = (tmp_path / "whole").read_bytes()
        for share in range(1, 20):
            (tmp_path / "cut.ckpt").write_bytes(whole[: len(whole) * share // 20])
            with pytest.raises(DuplexError):
                load_teacher(tmp_path / "cut.ckpt")


def test_yaml_cannot_multiply_itself() -> None:
    lines = ["a: &a {x: 1}"]
    for name, before in zip("bcdefghijklmnopqrstuvw", "abcdefghijklmnopqrstuv", strict=True):
        lines += [f"{name}: &{name}", f"  <<: [{', '.join(['*' + before] * 6)}]"]
    assert plain_yaml("\n".join(lines))["a"] == {"x": 1}  # 6^22 merged mappings would never be done
    assert plain_yaml("x: !!python/object/apply:os.system ['true']") == {"x": ["true"]}
    with pytest.raises(ValueError, match="brackets"):
        plain_yaml("[" * 2000)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[1, 2", "not a nerf-pytorch configuration"),
        ("dataset: {near: .inf, far: 6}\nnerf: {validation: {num_coarse: 64, num_fine: 64}}", "near"),
        ("dataset: {near: 2, far: 6}\nnerf: {validation: {num_coarse: 0, num_fine: 64}}", "0 coarse samples"),
        ("dataset: {near: 2, far: 6}\nnerf: {validation: {num_coarse: 64, num_fine: -3}}", "-3 fine samples"),
        ("dataset: {near: 2, far: 6}\nnerf: {validation: {num_coarse: .inf, num_fine: 3}}", "OverflowError"),
        ("dataset: {near: 2, far: 6, type: linemod}\nnerf: {}", "type linemod"),
        ("!!python/object/apply:os.system ['true']", "not a nerf-pytorch configuration"),
    ],
)
def test_a_broken_configuration_is_one_sentence(tmp_path: Path, text: str, word: str) -> None:
    folder = synthetic.write_flexible(tmp_path)
    (folder / "config.yml").write_text(text)
    with pytest.raises(DuplexError) as error:
        load_teacher(folder)
    assert word in str(error.value) and "\n" not in str(error.value)
