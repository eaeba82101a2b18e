"""Small bundles: nearly the pictures of before, in a fraction of the bytes, within what was asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from builders.bundles import parts_of, refused, with_manifest, write_parts
from duplex.app.core.errors import DuplexError
from duplex.app.core.metrics import psnr
from duplex.app.render.offscreen import render
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.bundle_writer import write_bundle
from duplex.baking.compression.packing import StorageConfig, as_it_is


@pytest.fixture(scope="module")
def small(demo: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("small") / "small.bundle"
    file.write_bytes(as_it_is(demo, StorageConfig()))
    return file


def likeness(first: Bundle, second: Bundle) -> float:
    one, two = (np.asarray(render(b, 1, size=(400, 400), background=(1.0, 1.0, 1.0))) for b in (first, second))
    return psnr(one[..., :3].astype(np.float32) / 255, two[..., :3].astype(np.float32) / 255)


def test_reference_pictures_are_kept_on_request(demo: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "small.bundle"
    file.write_bytes(as_it_is(demo, StorageConfig(references=3)))
    found = read_bundle(file).references
    assert [each.camera.to_json() for each in found] == [demo.references[i].camera.to_json() for i in (0, 2, 3)]
    for each, wanted in zip(found, [demo.references[i] for i in (0, 2, 3)], strict=True):
        white = (1.0, 1.0, 1.0)
        assert each.kind == wanted.kind and psnr(each.over(white), wanted.over(white)) > 30
    parts = parts_of(file)
    whole = parts["reference0.webp"]
    for forged, words in (
        (b"RIFF" + bytes(len(whole) - 4), "not a WebP"),
        (parts["thumbnail.webp"], "the manifest states one picture"),
    ):
        write_parts(file, parts | {"reference0.webp": forged})
        with_manifest(file, lambda manifest: None)
        refused(file, words)


def test_it_looks_the_same_in_a_fifth_of_the_bytes(demo: Bundle, small: Path) -> None:
    found = read_bundle(small)
    assert small.stat().st_size < len(write_bundle(demo)) / 4.8
    assert likeness(demo, found) > 43
    assert len(found.cameras) == len(demo.cameras) and found.rig == demo.rig and found.report == demo.report
    assert not found.references and found.network == demo.network and len(found.thumbnail) < len(demo.thumbnail)


def test_equal_bundles_give_equal_bytes_and_what_is_expanded_is_what_was_read(small: Path, tmp_path: Path) -> None:
    found = read_bundle(small)
    file = tmp_path / "large.bundle"
    file.write_bytes(write_bundle(found))
    again = read_bundle(file)
    for one, two in ((found.outer, again.outer), (found.inner, again.inner)):
        assert (one.texels == two.texels).all() and (one.mesh.faces == two.mesh.faces).all()
        assert np.abs(one.mesh.positions - two.mesh.positions).max() < 1e-4
    assert set(parts_of(file)) > {"outer.glb", "outer.features0.png", "shading.safetensors"}
    assert write_bundle(read_bundle(small)) == write_bundle(found)


def test_a_coarser_step_takes_fewer_bytes_and_looks_worse(demo: Bundle, tmp_path: Path) -> None:
    found = []
    for step in (0.5, 4.0):
        file = tmp_path / f"{step}.bundle"
        file.write_bytes(as_it_is(demo, StorageConfig(feature_step=step)))
        found.append((file.stat().st_size, likeness(demo, read_bundle(file))))
    (large, good), (tiny, bad) = found
    assert tiny < 0.4 * large and 30 < bad < good - 8


@pytest.mark.slow
def test_megabytes_are_kept_to(demo: Bundle) -> None:
    size = len(as_it_is(demo, StorageConfig(), 0.4))
    assert 0.38e6 < size <= 0.4e6
    with pytest.raises(DuplexError, match=r"--megabytes 0.05: this scene takes 0\.\d\d MB .*--faces"):
        as_it_is(demo, StorageConfig(), 0.05)


def test_a_shell_with_another_atlas_keeps_its_mesh(demo: Bundle, tmp_path: Path) -> None:
    bent = replace(demo.outer.mesh, uvs=(demo.outer.mesh.uvs**2).astype(np.float32))
    file = tmp_path / "bent.bundle"
    file.write_bytes(as_it_is(replace(demo, outer=replace(demo.outer, mesh=bent)), StorageConfig(feature_step=4.0)))
    found = read_bundle(file)
    assert len(found.outer.mesh.faces) == len(demo.outer.mesh.faces)
    assert {"outer.glb", "inner.charts"} < set(parts_of(file)) and "outer.charts" not in parts_of(file)


def test_parts_that_do_not_fit_are_refused_in_a_sentence(small: Path, tmp_path: Path) -> None:
    file = tmp_path / "broken.bundle"
    parts = parts_of(small)
    changes = {
        "outer.model": parts["inner.coarse"],
        "outer.coarse": parts["outer.coarse"][:-2],
        "inner.fine": parts["inner.fine"] + b"\0\0\0\0",
        "outer.charts": parts["inner.charts"],
        "inner.glb": parts["inner.glb"][:-100],
    }
    for name, content in changes.items():
        write_parts(file, parts | {name: content})
        with_manifest(file, lambda m: None)
        refused(file, name.split(".")[0])
    write_parts(file, parts)
    with_manifest(file, lambda m: m["shells"]["outer"]["features"].update(codec="other"))
    refused(file, "codec", "wavelet")
    write_parts(file, parts)
    with_manifest(file, lambda m: m["shells"]["outer"].update(texture_size=[4096, 4096]))
    refused(file, "4096 x 4096 texels")
