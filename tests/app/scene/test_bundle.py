"""Reading and writing a bundle: parts, manifest, values."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from builders.bundles import network_of, parts_of, refused, with_manifest, write_parts
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.bundle_writer import write_bundle
from duplex.assets import DEMO_BUNDLE


def test_round_trip_changes_nothing(demo_file: Path) -> None:
    demo = read_bundle(demo_file)
    content = write_bundle(demo)
    assert content == demo_file.read_bytes()
    again = read_bundle(demo_file)
    shells = ((demo.outer, again.outer), (demo.inner, again.inner))
    for before, after in [*shells, *((a.mesh, b.mesh) for a, b in shells)]:
        for field in dataclasses.fields(before):
            if field.name != "mesh":
                assert np.array_equal(getattr(before, field.name), getattr(after, field.name))
    assert again.network == demo.network and again.report == demo.report and again.onnx == demo.onnx
    assert all(np.array_equal(a, b) for a, b in zip(demo.weights.weights, again.weights.weights, strict=True))
    assert [c.to_json() for c in again.cameras] == [c.to_json() for c in demo.cameras]
    assert write_bundle(again) == content


def test_parts_open_with_standard_tools(demo_file: Path) -> None:
    import onnx
    import trimesh
    from safetensors.numpy import load

    parts = parts_of(demo_file)
    manifest = json.loads(parts["manifest.json"])
    assert manifest["parts"] == {name: len(content) for name, content in parts.items() if name != "manifest.json"}
    for name, shell in manifest["shells"].items():
        scene = trimesh.load(io.BytesIO(parts[shell["mesh"]]), file_type="glb", process=False)
        assert sum(len(g.faces) for g in scene.geometry.values()) == shell["faces"], name
        for texture in shell["textures"]:
            image = Image.open(io.BytesIO(parts[texture]))
            assert image.mode == "RGBA" and list(image.size) == shell["texture_size"]
    assert load(parts["shading.safetensors"])["layers.0.weight"].ndim == 4
    onnx.checker.check_model(onnx.load_from_string(parts["shading.onnx"]))
    assert Image.open(io.BytesIO(parts["thumbnail.png"])).size == (320, 240)
    assert 0.2 < json.loads(parts["report.json"])["bracketing"] <= 1


def test_demo_is_small_and_credited() -> None:
    assert DEMO_BUNDLE.stat().st_size <= 400_000
    credits = DEMO_BUNDLE.with_name("CREDITS.md").read_text()
    assert "CC-0" in credits and "MIT" in credits


def test_newer_format_names_the_remedy(demo_file: Path) -> None:
    with_manifest(demo_file, lambda m: m.update(version=3))
    refused(demo_file, "format 3, this viewer reads 1 to 2", "update duplex")


def test_what_was_seen_is_kept_and_needs_version_2(demo: Bundle, write_scene: Callable[[Bundle], Path]) -> None:
    seen = np.linspace(0, 1, len(demo.inner.mesh.positions), dtype=np.float32)
    inner = replace(demo.inner, mesh=replace(demo.inner.mesh, seen=seen))
    shells = {
        name: replace(s, mesh=replace(s.mesh, seen=None)) for name, s in (("outer", demo.outer), ("inner", inner))
    }
    plain = replace(demo, **shells, network=replace(demo.network, reference=None), onnx=b"")
    for bundle, version in ((plain, 1), (replace(plain, inner=inner), 2)):
        file = write_scene(bundle)
        assert json.loads(parts_of(file)["manifest.json"])["version"] == version
        found = read_bundle(file)
        assert found.outer.mesh.seen is None
        assert (found.inner.mesh.seen is None) == (version == 1)
    assert np.abs(found.inner.mesh.seen - seen).max() <= 0.5 / 255 + 1e-6


def test_a_strangers_text_does_not_reach_the_terminal(demo_file: Path) -> None:
    with_manifest(demo_file, lambda m: m.update(version="\x1b]0;owned\x07\nerror: line two"))
    code = "import sys; from duplex.app.tools.cli import main; sys.exit(main())"
    result = subprocess.run([sys.executable, "-c", code, demo_file, "--info"], capture_output=True, text=True)
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1 and result.stderr.strip().isprintable()


@pytest.mark.parametrize("row", [[0, 0, 0, 0], [0, 0, 0, 2]])
def test_frames_that_no_point_comes_back_from_are_refused(demo_file: Path, row: list[int]) -> None:
    whole = demo_file.read_bytes()
    with_manifest(demo_file, lambda m: m["scene"].update(to_checkpoint=[*np.eye(4)[:3].reshape(-1).tolist(), *row]))
    refused(demo_file, "frame")
    demo_file.write_bytes(whole)
    with_manifest(demo_file, lambda m: m["scene"].update(to_dataset=np.diag([1.0, 0, 1, 1]).reshape(-1).tolist()))
    refused(demo_file, "without volume")


def test_weights_beyond_the_view_kernel_are_refused(demo: Bundle, demo_file: Path) -> None:
    first, *others = demo.weights.weights
    assert demo.network.view_kernel == 1
    first = first.copy()
    first[0, -1, 0, 2] = 0.5
    weights = dataclasses.replace(demo.weights, weights=(first, *others))
    demo_file.write_bytes(write_bundle(dataclasses.replace(demo, weights=weights)))
    refused(demo_file, "view_kernel of 1")


def test_wrong_counts_in_the_manifest_are_refused(demo_file: Path, tmp_path: Path) -> None:
    whole = demo_file.read_bytes()
    changes: list[tuple[Callable[[dict], object], str]] = [
        (lambda m: m["shells"]["outer"].update(faces=3), "states"),
        (lambda m: m["shells"]["inner"].update(texture_size=[99999, 99999]), "from 1 to 4096"),
        (lambda m: m["shells"]["inner"].update(texture_size=[256, 255]), "manifest states"),
        (lambda m: m["shells"]["outer"].update(textures=["outer.features0.png"]), "textures"),
        (lambda m: m["shells"]["outer"].update(scale=[float("nan")] * 8), "finite"),
        (lambda m: m["shells"]["outer"].update(mesh="missing.glb"), "does not list"),
        (lambda m: network_of(m).update(channels_to_space=3), "channels_to_space"),
        (lambda m: network_of(m).update(view_encoding="magic"), "view_encoding"),
        (lambda m: network_of(m).update(view_kernel=5), "view_kernel 5"),
        (lambda m: network_of(m).update(mip_levels=0), "mip_levels 0"),
        (lambda m: network_of(m).update(mip_levels=10**400), "mip_levels"),
        (lambda m: network_of(m)["layers"][0].update(outputs=4096), "layer 0"),
        (lambda m: network_of(m)["layers"][1].update(inputs=20), "layer 1"),
        (lambda m: network_of(m)["layers"][0].update(kernel=7), "kernel 7"),
        (lambda m: network_of(m).update(layers=[]), "0 layers"),
        (lambda m: m.update(networks=[]), "networks"),
        (lambda m: network_of(m).update(weights="other"), "does not list"),
        (lambda m: m.pop("scene"), "scene"),
        (lambda m: m["scene"].update(up=[0, 1]), "3 finite numbers"),
        (lambda m: m.update(shells=None), "damaged"),
        (lambda m: m["shells"]["inner"].update(texture_size=[float("inf"), 1]), "damaged"),
        (lambda m: network_of(m).update(feature_channels=float("inf")), "network"),
        (lambda m: m["scene"].update(up=[10**400, 0, 0]), "damaged"),
        (lambda m: m["scene"].update(up=[0, 0, 0]), "unit vector"),
    ]
    for change, words in changes:
        demo_file.write_bytes(whole)
        with_manifest(demo_file, change)
        refused(demo_file, words)


def test_weights_that_are_not_finite_are_refused(demo: Bundle, write_scene: Callable[[Bundle], Path]) -> None:
    bad = [w.copy() for w in demo.weights.weights]
    bad[1][0, 0, 0, 0] = np.inf
    file = write_scene(dataclasses.replace(demo, weights=dataclasses.replace(demo.weights, weights=tuple(bad))))
    refused(file, "layer 1", "NaN or infinity")


def test_a_texture_of_another_size_is_refused(demo_file: Path) -> None:
    parts = parts_of(demo_file)
    buffer = io.BytesIO()
    Image.new("RGBA", (20000, 8)).save(buffer, "PNG")
    write_parts(demo_file, parts | {"outer.features0.png": buffer.getvalue()})
    with_manifest(demo_file, lambda m: None)
    refused(demo_file, "20000 x 8")


def test_json_parts_are_bounded_and_checked(demo_file: Path) -> None:
    whole = demo_file.read_bytes()
    changes: list[tuple[str, bytes, str]] = [
        ("report.json", b"[" * 200_000, "not JSON"),
        ("report.json", b'{"bracketing": "much"}', "bracketing"),
        ("report.json", b"[1]", "damaged"),
        ("cameras.json", b'{"rig": {}, "cameras": [{"camera_to_world": [1' + b"0" * 400 + b"]}]}", "cameras 0"),
        ("cameras.json", b" " * (5 << 20), "at most"),
    ]
    for name, content, words in changes:
        demo_file.write_bytes(whole)
        write_parts(demo_file, parts_of(demo_file) | {name: content})
        with_manifest(demo_file, lambda m: None)
        refused(demo_file, words)


def test_a_shell_without_extent_is_refused(demo: Bundle, write_scene: Callable[[Bundle], Path]) -> None:
    mesh = dataclasses.replace(demo.inner.mesh, positions=demo.inner.mesh.positions * 0)
    flat = dataclasses.replace(demo.inner, mesh=mesh)
    refused(write_scene(dataclasses.replace(demo, inner=flat)), "no extent")
