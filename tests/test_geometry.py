from dataclasses import replace
from pathlib import Path

import moderngl
import numpy as np
import pytest
import synthetic

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Teacher
from duplex.baking.geometry.atlas import AtlasConfig, unwrap
from duplex.baking.geometry.bracketing import Bracketing, bracketing, weigh
from duplex.baking.geometry.carving import carve
from duplex.baking.geometry.density import DensityConfig, DensityGrid, sample_density
from duplex.baking.geometry.gbuffers import Rasterizer
from duplex.baking.geometry.locality import in_order
from duplex.baking.geometry.shells import Shell, ShellConfig, extract_shells
from duplex.baking.rig import Rig


@pytest.fixture(scope="module")
def teacher(octahedron: Path) -> Teacher:
    return load_teacher(octahedron)


@pytest.fixture(scope="module")
def grid(teacher: Teacher) -> DensityGrid:
    return sample_density(teacher, None, DensityConfig(grid=80, scan=40))


@pytest.fixture(scope="module")
def shells(teacher: Teacher, grid: DensityGrid, ctx: moderngl.Context) -> tuple[Shell, Shell]:
    cameras = Rig.from_scene(replace(teacher.scene, hemisphere=False)).evenly(40, 200)
    outer, inner = extract_shells(grid, cameras, ShellConfig(faces=4000, inner_opacity=0.6), ctx)
    return unwrap(outer, AtlasConfig(texels=256)), unwrap(inner, AtlasConfig(texels=256))


def test_density_grid_holds_the_scene_and_its_values(grid: DensityGrid) -> None:
    assert (grid.low <= -synthetic.RADIUS).all() and (grid.high >= synthetic.RADIUS).all()
    assert max(grid.sigma.shape) == 80
    import torch

    points = np.stack(np.meshgrid(*grid.axes(), indexing="ij"), -1).reshape(-1, 3)
    exact = synthetic.density(torch.from_numpy(points).float()).numpy()
    assert np.allclose(grid.sigma.reshape(-1), exact, atol=0.01)


def test_empty_space_is_an_explained_error(tmp_path: Path) -> None:
    teacher = load_teacher(synthetic.write_flexible(tmp_path))
    teacher.fine.alpha.bias.data -= 1e4  # type: ignore[union-attr,operator]
    with pytest.raises(DuplexError, match="no surface: its density stays invisible everywhere"):
        sample_density(teacher, None, DensityConfig(grid=32, scan=16))


def test_shells_bracket_the_surface(shells: tuple[Shell, Shell]) -> None:
    outer, inner = (np.abs(shell.positions).sum(1) for shell in shells)
    assert outer.min() > synthetic.RADIUS - 0.03 and inner.max() < synthetic.RADIUS
    assert outer.mean() > inner.mean()
    assert len(shells[0].faces) <= 4000
    for shell in shells:
        a, b, c = (shell.positions[shell.faces[:, i]] for i in range(3))
        assert ((np.cross(b - a, c - a) * a).sum(1) > 0).mean() > 0.99  # fronts are outside


def test_bracketing_sees_most_of_the_weight(
    teacher: Teacher, shells: tuple[Shell, Shell], ctx: moderngl.Context
) -> None:
    cameras = Rig.from_scene(teacher.scene).cameras(4, 64, np.random.default_rng(5))
    outer, inner = ((s.positions, s.unit_uvs(), s.faces) for s in shells)

    def measured(first: tuple[np.ndarray, ...], second: tuple[np.ndarray, ...]) -> Bracketing:
        return bracketing(weigh(teacher, cameras, 2000, 0), Rasterizer(ctx, first, second))  # type: ignore[arg-type]

    good = measured(outer, inner)
    assert 0.8 < good.share <= 1 and good.missed < 0.01
    deep, thin = (inner[0] * 0.6, *inner[1:]), (outer[0] * 0.995, *outer[1:])
    assert measured(outer, deep).share >= good.share  # an inner shell far too deep leaves nothing behind it
    assert measured(outer, thin).share < 0.7  # one just below the outer shell leaves much behind it
    shrunk = (outer[0] * 0.7, *outer[1:])  # an outer shell below the surface has it in front, and loses rays beside it
    assert measured(shrunk, deep).share < 0.3 and measured(shrunk, deep).missed > 0.2


@pytest.mark.parametrize("wanted", [0.3, 0.6])
def test_the_inner_level_brackets_what_is_asked_for(
    teacher: Teacher, grid: DensityGrid, ctx: moderngl.Context, wanted: float
) -> None:
    rig = Rig.from_scene(replace(teacher.scene, hemisphere=False))
    weighed = weigh(teacher, rig.cameras(4, 64, np.random.default_rng(5)), 2000, 0)
    found = extract_shells(
        grid,
        rig.evenly(40, 200),
        ShellConfig(faces=8000, bracketing=wanted),
        ctx,
        share_of=lambda rasterizer: bracketing(weighed, rasterizer).share,
    )
    shells = [(shell.positions, shell.unit_uvs(), shell.faces) for shell in found]
    others = weigh(teacher, rig.cameras(4, 64, np.random.default_rng(9)), 2000, 1)
    assert bracketing(others, Rasterizer(ctx, *shells)).share == pytest.approx(wanted, abs=0.12)


def test_what_no_camera_sees_is_removed(teacher: Teacher, grid: DensityGrid, ctx: moderngl.Context) -> None:
    above = [c for c in Rig.from_scene(teacher.scene).evenly(200, 200) if c.position[2] > 3.7]
    half, _ = extract_shells(grid, above, ShellConfig(), ctx)
    everywhere, _ = extract_shells(
        grid, Rig.from_scene(replace(teacher.scene, hemisphere=False)).evenly(30, 200), ShellConfig(), ctx
    )
    assert half.positions[:, 2].min() > everywhere.positions[:, 2].min() + 0.3


def test_a_floater_is_removed(grid: DensityGrid, teacher: Teacher, ctx: moderngl.Context) -> None:
    sigma = grid.sigma.copy()
    sigma[2, 2, 2] = 500
    cameras = Rig.from_scene(replace(teacher.scene, hemisphere=False)).evenly(30, 200)
    for share, reach in ((0.0, 3.0), (0.1, synthetic.RADIUS), (0.99, synthetic.RADIUS)):  # something always stays
        config = ShellConfig(floater=share)
        outer, _ = extract_shells(DensityGrid(sigma, grid.low, grid.step), cameras, config, ctx)
        assert np.abs(outer.positions).sum(1).max() == pytest.approx(reach, abs=0.15)


def test_no_surface_between_the_levels_is_an_explained_error(grid: DensityGrid, ctx: moderngl.Context) -> None:
    faint = DensityGrid(grid.sigma * 1e-3, grid.low, grid.step)
    with pytest.raises(DuplexError, match="no surface"):
        extract_shells(faint, [], ShellConfig(), ctx)


@pytest.mark.parametrize(("floor", "top", "radius", "share"), [(-1.2, -1.2, 0.0, 0.02), (-1.15, -1.2, 1.2, 0.06)])
def test_a_backdrop_is_carved_away_and_an_empty_scene_is_not(
    floor: float, top: float, radius: float, share: float, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    field, skin = teacher.fine, 0.1
    density, color = field.density, field.color

    def with_floor(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        sigma, latent = density(points)
        below = points[:, 2] < floor
        plate = ((points[:, 2] + 0.95).abs() < 0.06) & (points[:, :2].norm(dim=-1) < radius)  # hides much of the floor
        sigma = torch.where(plate, 500.0, sigma)
        depth = ((floor - points[:, 2:]) / skin).clamp(min=0)
        return torch.where(below, 500.0, sigma), torch.cat([latent, depth], -1)

    def white_floor(latent: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
        depth = latent[:, 8:]  # white on top, and dark underneath, which nobody has ever seen
        return torch.where(depth > 0, (depth < 1).float(), color(latent[:, :8], directions))

    monkeypatch.setattr(field, "density", with_floor)
    monkeypatch.setattr(field, "color", white_floor)
    cameras = Rig.from_scene(teacher.scene).evenly(48, 72)
    kept = sample_density(
        teacher, None, DensityConfig(grid=64, scan=48), lambda s, solid: carve(teacher, s, solid, cameras)
    )
    left = kept.opacity() > 0.5
    heights = kept.low[2] + kept.step * np.arange(left.shape[2])
    under = left[:, :, heights < top].sum()
    assert left[:, :, heights > -0.9].sum() > 1000  # the octahedron is whole ...
    assert under < share * left.sum()  # ... and the floor is gone, with what hides under it beneath the plate
    monkeypatch.undo()
    plain = sample_density(
        teacher, None, DensityConfig(grid=64, scan=48), lambda s, solid: carve(teacher, s, solid, cameras)
    )
    assert np.abs(plain.high).max() > 0.85


def test_atlas_is_injective_and_keeps_the_geometry(shells: tuple[Shell, Shell]) -> None:
    for shell in shells:
        assert shell.uvs is not None and shell.uvs.min() >= 0 and shell.uvs.max() <= 1
        assert np.unique(shell.faces).size == len(shell.positions)
        rng = np.random.default_rng(0)
        area = np.linalg.norm(np.cross(*(np.diff(shell.positions[shell.faces], axis=1).transpose(1, 0, 2))), axis=1)
        chosen = rng.choice(len(shell.faces), 200_000, p=area / area.sum())
        weights = rng.dirichlet([1, 1, 1], len(chosen)).astype(np.float32)[..., None]
        uvs = (shell.uvs[shell.faces[chosen]] * weights).sum(1)
        points = (shell.positions[shell.faces[chosen]] * weights).sum(1)
        side = 256
        texel = (uvs * side).astype(int)
        key = texel[:, 1] * side + texel[:, 0]
        assert len(np.unique(key)) > 0.3 * side**2  # the square is used ...
        order = np.argsort(key)
        begins = np.flatnonzero(np.r_[True, np.diff(key[order]) > 0])
        spread = np.maximum.reduceat(points[order], begins) - np.minimum.reduceat(points[order], begins)
        assert np.linalg.norm(spread, axis=1).max() < 0.15  # ... and one texel is one place


def test_atlas_stretch_is_bounded(shells: tuple[Shell, Shell]) -> None:
    shell = shells[0]
    assert shell.uvs is not None
    a, b, c = (shell.positions[shell.faces[:, i]] for i in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    p, q, r = (shell.uvs[shell.faces[:, i]].astype(np.float64) for i in range(3))
    flat = np.abs((q - p)[:, 0] * (r - p)[:, 1] - (q - p)[:, 1] * (r - p)[:, 0])
    large = area > np.median(area)
    ratio = (flat / area)[large]
    assert np.quantile(ratio, 0.99) / np.quantile(ratio, 0.01) < 5


def test_a_folded_chart_is_split() -> None:
    """A spiral that looks upwards twice at the same place must not share texels with itself."""
    angle = np.linspace(0, 4 * np.pi, 200)
    ring = np.stack([np.cos(angle), np.sin(angle), angle * 0.1], -1)
    positions = np.concatenate([ring * [0.5, 0.5, 1], ring]).astype(np.float32)
    i = np.arange(199)
    faces = np.concatenate([np.stack([i, i + 200, i + 1], -1), np.stack([i + 1, i + 200, i + 201], -1)])
    shell = unwrap(Shell(positions, faces.astype(np.int32)), AtlasConfig(texels=256))
    assert shell.uvs is not None
    weights = np.random.default_rng(0).dirichlet([1, 1, 1], 200_000).astype(np.float32)[..., None]
    chosen = np.arange(200_000) % len(shell.faces)
    texel = ((shell.uvs[shell.faces[chosen]] * weights).sum(1) * 256).astype(int)
    height = (shell.positions[shell.faces[chosen]] * weights).sum(1)[:, 2]
    key = texel[:, 1] * 256 + texel[:, 0]
    order = np.argsort(key)
    begins = np.flatnonzero(np.r_[True, np.diff(key[order]) > 0])
    spread = np.maximum.reduceat(height[order], begins) - np.minimum.reduceat(height[order], begins)
    assert spread.max() < 0.5 * 0.1 * 2 * np.pi  # less than half a turn


def test_windows_are_parts_of_the_pictures_they_are_cut_from(teacher: Teacher) -> None:
    rig = Rig.from_scene(teacher.scene)
    whole = rig.cameras(12, 64, np.random.default_rng(3), 0.4)
    windows = rig.windows(12, 64, 20, np.random.default_rng(3), 0.4)
    places = []
    for picture, window in zip(whole, windows, strict=True):
        rays, part = picture.ray_directions(), window.ray_directions()
        x, y = round(picture.cx - window.cx), round(picture.cy - window.cy)
        assert part.shape == (20, 20, 3) and np.allclose(part, rays[y : y + 20, x : x + 20], atol=1e-6)
        places.append((x, y))
    assert len(set(places)) > 8 and min(min(p) for p in places) >= 0 and max(max(p) for p in places) <= 44


def test_neighbours_in_space_are_neighbours_in_the_file(shells: tuple[Shell, Shell]) -> None:
    shell = shells[0]
    shuffled = np.random.default_rng(0).permutation(len(shell.faces))
    mixed = Shell(np.r_[shell.positions, [[9, 9, 9]]].astype(np.float32), shell.faces[shuffled],
                  np.r_[shell.unit_uvs(), [[0, 0]]].astype(np.float32))  # fmt: skip
    found = in_order(mixed)

    def corners(s: Shell) -> np.ndarray:
        whole = np.concatenate([s.positions, s.unit_uvs()], 1)[s.faces].reshape(len(s.faces), -1)
        return whole[np.lexsort(whole.T)]

    assert np.array_equal(corners(found), corners(mixed))  # the same faces, each still begun at its corner
    assert len(found.positions) == len(shell.positions)  # and no vertex that none of them has
    _, first = np.unique(found.faces, return_index=True)
    assert (np.diff(first) > 0).all()
    steps = [np.linalg.norm(np.diff(s.positions[s.faces].mean(1), axis=0), axis=1).mean() for s in (found, mixed)]
    assert steps[0] < 0.1 * steps[1]
