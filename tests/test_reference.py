"""Pictures that a bundle carries along, and what the viewer shows of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import moderngl
import numpy as np
import pytest
from PIL import Image
from test_bundle import parts_of, refused, with_manifest, write_parts

from duplex.app.core.images import straight
from duplex.app.core.metrics import psnr
from duplex.app.render.display import RAMPS
from duplex.app.render.frame import TRANSPARENT, FrameOptions
from duplex.app.render.renderer import Renderer
from duplex.app.render.views import ERROR, FINAL, REFERENCE
from duplex.app.scene.bundle import Bundle, read_bundle, write_bundle
from duplex.app.scene.camera import Camera
from duplex.app.scene.reference import PHOTO, TEACHER, Reference

WHITE = (1.0, 1.0, 1.0)


def own_picture(renderer: Renderer, camera: Camera, kind: str = TEACHER) -> Reference:
    """What the bundle itself draws, as a reference."""
    return Reference(kind, camera, straight(renderer.image(camera, FrameOptions(background=TRANSPARENT))))


@pytest.fixture(scope="module")
def referenced(ctx: moderngl.Context, demo: Bundle) -> Bundle:
    renderer, first = Renderer(ctx, demo), demo.cameras[0].resized(120, 90)
    shifted = replace(demo.cameras[3].resized(80, 100), cx=31.0, cy=55.0)
    return replace(demo, references=(own_picture(renderer, first), own_picture(renderer, shifted, PHOTO)))


def test_references_come_back_as_they_were(referenced: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "scene.bundle"
    file.write_bytes(write_bundle(referenced))
    again = read_bundle(file).references
    for a, b in zip(referenced.references, again, strict=True):
        assert a.kind == b.kind and a.camera.to_json() == b.camera.to_json() and np.array_equal(a.rgba, b.rgba)


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("size", [None, (300, 200)])
def test_a_reference_lies_where_the_frame_is(
    ctx: moderngl.Context, referenced: Bundle, index: int, size: tuple[int, int] | None
) -> None:
    """In its own camera, and in a window of another size and shape whose camera is centred."""
    renderer, reference = Renderer(ctx, referenced), referenced.references[index]
    camera = reference.camera
    if size:
        camera = Camera.from_fov(camera.camera_to_world, *size, camera.fov_y)
    final, shown, error = (
        renderer.image(camera, FrameOptions(view, (*WHITE, 1.0))) for view in (FINAL, REFERENCE, ERROR)
    )
    corners = [(0.0, 0.0), (float(camera.width), float(camera.height))]
    x, y, left, bottom = reference.place(camera)
    assert all((x * a + left, y * b + bottom) == pytest.approx((a, b)) for a, b in corners) is (size is None)
    lowest = np.rint(255 * np.array(RAMPS["heat"][0]))
    if size is None:
        assert psnr(final[..., :3] / 255.0, shown[..., :3] / 255.0) > 48
        assert np.abs(error[..., :3] - lowest).max() < 12
        return
    columns = x * np.arange(0.5, size[0]) + left
    rows = y * (size[1] - np.arange(0.5, size[1])) + bottom
    beside = (columns < 0) | (columns > reference.camera.width)
    inside = ~(beside[None] | ((rows < 0) | (rows > reference.camera.height))[:, None])
    assert 0.2 < inside.mean() < 0.95
    assert (shown[..., :3] == 255)[~inside].all() and (error[..., :3] == 20)[~inside].all()
    moved = np.roll(final, 6, 1)[inside][:, :3] / 255.0
    wanted, found = final[inside][:, :3] / 255.0, shown[inside][:, :3] / 255.0
    assert psnr(wanted, found) > psnr(moved, found) + 4


def test_an_error_is_seen_where_it_is(ctx: moderngl.Context, referenced: Bundle) -> None:
    reference = referenced.references[0]
    rgba = reference.rgba.copy()
    rgba[20:40, 50:80] = 0, 255, 0, 255
    bundle = replace(referenced, references=(replace(reference, rgba=rgba),))
    error = Renderer(ctx, bundle).image(reference.camera, FrameOptions(ERROR, (0.3, 0.1, 0.9, 1.0))).astype(int).sum(-1)
    bright = np.zeros(error.shape, bool)
    bright[20:40, 50:80] = True
    assert np.median(error[bright]) > 500 and error[~bright].max() < 255 + 80


def test_from_elsewhere_there_is_no_reference(ctx: moderngl.Context, referenced: Bundle) -> None:
    renderer = Renderer(ctx, referenced)
    assert renderer.reference_at(referenced.references[1].camera) is referenced.references[1]
    assert renderer.reference_at(referenced.cameras[1]) is None
    elsewhere = referenced.cameras[1].resized(40, 40)
    for view in (REFERENCE, ERROR):
        assert np.array_equal(renderer.image(elsewhere, FrameOptions(view)), renderer.image(elsewhere))


def test_bundles_without_references_have_no_such_view(ctx: moderngl.Context, demo: Bundle) -> None:
    assert not {REFERENCE, ERROR} & set(Renderer(ctx, replace(demo, references=())).views)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["references"][0].update(kind="drawing"), ("neither of the teacher nor a photo",)),
        (lambda m: m["references"][0]["camera"].update(width=121), ("120 x 90", "121 x 90")),
        (lambda m: m["references"][0]["camera"].update(width=4000), ("4000 x 90", "at most 2048")),
        (lambda m: m["references"].extend(m["references"] * 8), ("18 reference pictures",)),
        (lambda m: m["references"][0].update(picture="../x"), ("does not list",)),
        (lambda m: m["references"][0].update(picture="report.json"), ("not a PNG",)),
        (lambda m: m.update(references={"kind": 3}), ("damaged",)),
        (lambda m: m.update(references=7), ("damaged",)),
    ],
)
def test_broken_references_are_one_sentence(
    referenced: Bundle, tmp_path: Path, change: Callable[[dict], object], words: tuple[str, ...]
) -> None:
    file = tmp_path / "scene.bundle"
    file.write_bytes(write_bundle(referenced))
    with_manifest(file, change)
    refused(file, *words)


def test_references_open_with_standard_tools(referenced: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "scene.bundle"
    file.write_bytes(write_bundle(referenced))
    parts = parts_of(file)
    entry = json.loads(parts["manifest.json"])["references"][1]
    (tmp_path / "picture.png").write_bytes(parts[entry["picture"]])
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.mode == "RGBA" and picture.size == (entry["camera"]["width"], entry["camera"]["height"])
    write_parts(file, {name: content for name, content in parts.items() if name != entry["picture"]})
    refused(file, entry["picture"], "missing")
