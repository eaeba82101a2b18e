"""Six views of the demo as they were drawn when their pictures were last accepted: ``run.py test --update-golden``.

They are compared on Mesa's software renderer only: other drivers rasterise and round differently.
"""

from __future__ import annotations

from pathlib import Path

import moderngl
import numpy as np
import pytest
from PIL import Image

from duplex.app.core.arrays import Array
from duplex.app.render.frame import FrameOptions
from duplex.app.render.gpu import describe
from duplex.app.render.renderer import Renderer
from duplex.app.render.views import View
from duplex.app.scene.bundle import Bundle

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
OUTPUT = ROOT / "tests" / "output"
SIZE = (200, 200)
VIEWS = {  # name of a view: the demo's camera that sees it
    "final": 0,
    "alpha": 1,
    "outer depth": 2,
    "inner normal": 3,
    "outer features 0": 4,
    "layer 1 channels 0-3": 5,
}
TOLERANCE, SHARE = 3, 0.002  # of 255, and of pixels that may differ by more: versions of Mesa round differently


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_looks_as_it_did(ctx: moderngl.Context, demo: Bundle, name: str, request: pytest.FixtureRequest) -> None:
    if "llvmpipe" not in describe(ctx):
        pytest.skip(f"golden images are of llvmpipe, here is {describe(ctx)}")
    camera = demo.cameras[VIEWS[name]].resized(*SIZE)
    drawn = Renderer(ctx, demo).image(camera, FrameOptions(View.parse(name)))[..., :3]
    file = GOLDEN / f"{name.replace(' ', '-')}.png"
    if request.config.getoption("--update-golden"):
        GOLDEN.mkdir(exist_ok=True)
        Image.fromarray(drawn).save(file)
    assert_alike(drawn, file)


def test_a_changed_picture_is_noticed_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.OUTPUT", tmp_path)
    file = GOLDEN / "final.png"
    picture = np.array(Image.open(file))
    assert_alike(picture, file)
    picture[60:80, 60:80] //= 2
    with pytest.raises(AssertionError, match=r"final-diff\.png"):
        assert_alike(picture, file)
    width, height = SIZE
    assert Image.open(tmp_path / "final-diff.png").size == (3 * width, height)


def assert_alike(drawn: Array, file: Path) -> None:
    """Compare a picture (h, w, 3) uint8 with ``file``; where they differ, write both and the difference beside."""
    expected = np.asarray(Image.open(file))
    difference = np.abs(drawn.astype(int) - expected.astype(int))
    share = float((difference.max(-1) > TOLERANCE).mean())
    if share <= SHARE:
        return
    OUTPUT.mkdir(exist_ok=True)
    shown = OUTPUT / f"{file.stem}-diff.png"
    enlarged = np.minimum(8 * difference, 255).astype(np.uint8)
    Image.fromarray(np.concatenate([drawn, expected, enlarged], 1)).save(shown)
    raise AssertionError(
        f"{file.name}: {share:.2%} of the pixels differ by more than {TOLERANCE}: see {shown} (drawn, expected, "
        "difference); if it is meant, accept it by run.py test --update-golden"
    )
