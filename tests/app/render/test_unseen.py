"""Parts that no camera saw fade, stay or disappear, whatever the backend."""

from __future__ import annotations

import moderngl
import numpy as np
import pytest

from builders.bundles import seen_from_above, with_values
from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.render.backends.names import NAMES
from duplex.app.render.frame import TRANSPARENT, FrameOptions
from duplex.app.render.offscreen import render
from duplex.app.render.passes.gbuffer import OPACITY_STEPS
from duplex.app.render.readback import unseen_share
from duplex.app.render.renderer import Renderer
from duplex.app.render.views import ALPHA, Unseen
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera
from duplex.app.scene.mesh import BORDER
from duplex.app.scene.orbits import Orbit

SIDE = 96


def below(bundle: Bundle, elevation: float = -0.6) -> Camera:
    low, high = bundle.bounds
    size = float(np.linalg.norm(high - low))
    return Orbit(0.5 * (low + high), 1.4 * size, np.array([0, 0, 1.0]), 0.8, elevation).camera(0, SIDE, SIDE)


def seen_everywhere(bundle: Bundle) -> Bundle:
    return with_values(bundle, None, None)


def drawn(renderer: Renderer, camera: Camera, unseen: Unseen) -> Array:
    return renderer.image(camera, FrameOptions(background=TRANSPARENT, unseen=unseen)).astype(int)


def least_values(bundle: Bundle, camera: Camera, ctx: moderngl.Context) -> Array:
    """The smaller value of both hits of each pixel, found on the CPU from the faces and the barycentric places."""
    renderer = Renderer(ctx, bundle, "fragment")
    frame = renderer.draw(camera).frame
    assert frame
    values = np.full((SIDE, SIDE), np.inf)
    targets = renderer._draw_surface(frame, renderer._targets.at((SIDE, SIDE)), FrameOptions())
    margin = bundle.network.margin
    for target, shell in zip(targets, (bundle.outer, bundle.inner), strict=True):
        width, height = target.size
        data = np.frombuffer(target.read(components=4, dtype="f4"), np.float32).reshape(height, width, 4)[::-1]
        data = data[margin : height - margin, margin : width - margin]
        hit = data[..., 3] > 0
        corners = shell.mesh.faces[data[..., 3][hit].astype(int) - 1]
        assert shell.mesh.seen is not None
        a, b, c = (shell.mesh.uvs[corners[:, i]].astype(np.float64) for i in range(3))
        system = np.stack([b - a, c - a], -1)
        sound = np.abs(np.linalg.det(system)) > 1e-12
        x = np.zeros((len(a), 2))
        x[sound] = np.linalg.solve(system[sound], (data[..., :2][hit] - a)[sound][..., None])[..., 0]
        weights = np.concatenate([1 - x.sum(1, keepdims=True), x], 1)
        values[hit] = np.minimum(values[hit], (weights * shell.mesh.seen[corners]).sum(1))
    return values


@pytest.mark.parametrize("backend", NAMES)
def test_alpha_follows_the_values(ctx: moderngl.Context, demo: Bundle, backend: str) -> None:
    bundle = seen_from_above(demo)
    renderer, camera = Renderer(ctx, bundle, backend), below(bundle)
    shown, faded, hidden = (drawn(renderer, camera, unseen) for unseen in (Unseen.SHOW, Unseen.FADE, Unseen.HIDE))
    assert np.array_equal(shown, drawn(Renderer(ctx, seen_everywhere(demo), backend), camera, Unseen.FADE))
    values = least_values(bundle, camera, ctx)
    share = (values / 0.5).clip(0, 1)
    wanted = share**2 * (3 - 2 * share)
    error = np.abs(faded / 255 - shown / 255 * wanted[..., None])
    assert np.percentile(error, 99) < 0.02 and error.max() < 0.2  # the values of tiny faces are ill-conditioned here
    assert ((wanted > 0.1) & (wanted < 0.9) & (shown[..., 3] > 200)).sum() > 50
    clear, unseen = (values > 0.999) & np.isfinite(values), values < BORDER - 1e-3
    assert clear.sum() > 100 and unseen.sum() > 100
    assert np.abs(hidden - shown)[clear].max() <= 1
    assert not hidden[unseen].any()


def test_backends_agree(ctx: moderngl.Context, demo: Bundle) -> None:
    bundle = seen_from_above(demo)
    for unseen in Unseen:
        first, *others = (drawn(Renderer(ctx, bundle, name), below(bundle), unseen) for name in NAMES)
        for other in others:
            assert np.abs(first - other).mean() < 1


def test_alpha_is_shown_faded_too(ctx: moderngl.Context, demo: Bundle) -> None:
    bundle = seen_from_above(demo)
    renderer, camera = Renderer(ctx, bundle), below(bundle)
    alpha = renderer.image(camera, FrameOptions(ALPHA, TRANSPARENT))[..., 0].astype(int)
    assert np.abs(alpha - drawn(renderer, camera, Unseen.FADE)[..., 3]).max() <= 1


def test_the_inner_shell_alone_can_be_unseen(ctx: moderngl.Context, demo: Bundle) -> None:
    bundle = with_values(demo, None, np.zeros(len(demo.inner.mesh.positions)))
    renderer, camera = Renderer(ctx, bundle), below(bundle)
    frame = renderer.draw(camera, FrameOptions()).frame
    assert frame
    inner = np.frombuffer(frame.hits[1].read(), np.uint16).reshape(frame.hits[1].height, -1, 4)[::-1]
    hit = inner[1:-1, 1:-1, 3] > 0
    for unseen in (Unseen.FADE, Unseen.HIDE):
        assert not drawn(renderer, camera, unseen)[hit].any()
    assert drawn(renderer, camera, Unseen.SHOW)[hit].any()


def test_the_level_of_detail_is_not_disturbed(ctx: moderngl.Context, demo: Bundle) -> None:
    camera = below(demo)
    levels = []
    for bundle in (seen_everywhere(demo), seen_from_above(demo)):
        frame = Renderer(ctx, bundle).draw(camera).frame
        assert frame
        levels.append(np.frombuffer(frame.hits[0].read(), np.uint16).reshape(-1, 4)[:, 2] // OPACITY_STEPS)
    assert np.array_equal(*levels) and len(np.unique(levels[0])) > 20


def test_the_share_of_what_was_not_seen(ctx: moderngl.Context, demo: Bundle) -> None:
    bundle = seen_from_above(demo)
    renderer, camera = Renderer(ctx, bundle), below(bundle)
    values = least_values(bundle, camera, ctx)
    for unseen, end in ((Unseen.FADE, 0.25), (Unseen.SHOW, 0.25), (Unseen.HIDE, BORDER)):
        frame = renderer.draw(camera, FrameOptions(unseen=unseen)).frame
        assert frame
        assert unseen_share(frame) == pytest.approx((values < end).sum() / np.isfinite(values).sum(), abs=0.03)
    plain = Renderer(ctx, seen_everywhere(demo))
    frame = plain.draw(camera).frame
    assert frame and unseen_share(frame) == 0
    assert renderer.has_unseen and not plain.has_unseen


def test_the_python_api_takes_the_name(demo: Bundle) -> None:
    bundle = seen_from_above(demo)
    faded, shown = (render(bundle, below(bundle), unseen=name) for name in ("fade", "show"))
    assert (faded != shown).any() and np.array_equal(faded, render(bundle, below(bundle)))
    with pytest.raises(DuplexError, match=r"unseen 'dim': expected fade, show, hide"):
        render(bundle, below(bundle), unseen="dim")
