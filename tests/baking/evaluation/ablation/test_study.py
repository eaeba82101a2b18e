"""Variants of a bake, trained and judged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import moderngl
import pytest
from PIL import Image

from duplex.app.core.tree import Node
from duplex.app.scene.network import NetworkSpec
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.config import BakeConfig
from duplex.baking.datasets.photos import Photo
from duplex.baking.distill.trainer import DistillConfig
from duplex.baking.distill.views import ViewConfig, to_bytes
from duplex.baking.evaluation.ablation.bench import Row
from duplex.baking.evaluation.ablation.ideas import pixel_mlp
from duplex.baking.evaluation.ablation.study import ablate, study_of
from duplex.baking.evaluation.ablation.table import table
from duplex.baking.evaluation.metrics import Metrics
from duplex.baking.fields import rendering
from duplex.baking.geometry.atlas import AtlasConfig
from duplex.baking.geometry.density import DensityConfig
from duplex.baking.geometry.shells import ShellConfig
from duplex.baking.job import BakeJob
from duplex.baking.rig import Rig
from duplex.baking.runtime.workspace import Workspace

pytestmark = pytest.mark.system

CONFIG = BakeConfig(
    DensityConfig(grid=48, scan=32),
    ShellConfig(faces=2000),
    AtlasConfig(texels=64),
    ViewConfig(views=12, view_size=48, sub_steps=1),
    DistillConfig(steps=60, batch=4, crop_size=32, width=8, features=4),
)


def test_the_pixel_mlp_costs_what_the_network_costs() -> None:
    for features, width in ((4, 8), (8, 16), (12, 16)):
        cnn = NetworkSpec.shallow(features, width)
        mlp = pixel_mlp(cnn)
        assert mlp.margin == 0 and NetworkSpec.from_json(Node(mlp.to_json(), "network")) == mlp
        assert 0.8 < mlp.macs_per_pixel / cnn.macs_per_pixel < 1.2


@pytest.mark.slow  # the command's own test is its quick sibling
def test_every_variant_is_trained_and_judged(octahedron: Path, tmp_path: Path, ctx: moderngl.Context) -> None:
    teacher = load_teacher(octahedron)
    rig, photos = Rig.from_scene(teacher.scene), []
    for i, camera in enumerate(rig.evenly(3, 48)):
        file = tmp_path / f"{i}.png"
        rgba = rendering.render(teacher, camera).numpy()
        Image.fromarray(to_bytes(rgba[..., :3] + 1 - rgba[..., 3:])).save(file)  # on white
        photos.append(Photo(camera, file))
    job = BakeJob(teacher, CONFIG, rig, photos=tuple(photos[:2]))
    study = study_of(job, [(photos[2], 48)], resources=False)
    workspace = Workspace(tmp_path / "t.md", job.fingerprint(), False, False)
    rows = ablate(job, study, workspace, ctx, Metrics(False))
    assert [row.name for row in rows] == [
        "duplex, CNN, distilled",
        "outer shell alone",
        "inner shell alone",
        "MLP for each pixel",
        "features not rounded to 8 bits",
        "no view directions",
        "view directions as unit vectors",
        "view directions in the whole 3 x 3 window",
        "DSSIM joins the loss",
        "photos only, not distilled",
        "distilled, then fine-tuned on photos",
    ]
    found = [means["psnr"] for row in rows for means in (row.unseen, row.photos) if means and means["psnr"]]
    assert len(found) == 2 * len(rows) and min(found) > 8
    assert len({row.unseen["psnr"] for row in rows}) == len(rows)  # no variant is another one in disguise
    kept = json.loads((workspace.folder / "rows.json").read_text())
    kept["no view directions"]["unseen"]["psnr"] = 7.0
    del kept["inner shell alone"]
    (workspace.folder / "rows.json").write_text(json.dumps(kept))
    workspace.lock.discard()  # as if the process had been killed
    taken_up = Workspace(tmp_path / "t.md", job.fingerprint(), True, False)
    again = ablate(job, study, taken_up, ctx, Metrics(False))
    assert again[5].unseen["psnr"] == 7.0 and replace(again[5], unseen=rows[5].unseen) == rows[5]
    assert [again[i] for i in range(11) if i != 5] == [rows[i] for i in range(11) if i != 5]  # one of them made anew


@pytest.mark.slow  # the command's own test is its quick sibling
def test_every_resource_is_changed_alone(octahedron: Path, tmp_path: Path, ctx: moderngl.Context) -> None:
    teacher = load_teacher(octahedron)
    job = BakeJob(teacher, CONFIG, Rig.from_scene(teacher.scene))
    study = study_of(job, [], resources=True)
    workspace = Workspace(tmp_path / "t.md", job.fingerprint(), False, False)
    rows = ablate(job, study, workspace, ctx, Metrics(False))
    assert [row.name for row in rows] == [
        "as baked",
        "half of the views",
        "twice the steps",
        "texels half as wide",
        "network twice as wide",
        "features not rounded to 8 bits",
        "twice the faces",
        "shells of a density grid 1.5 times as fine",
    ]
    assert min(row.unseen["psnr"] or 0 for row in rows) > 8 and min(row.unseen["boundary"] or 0 for row in rows) > 4
    assert len({row.unseen["psnr"] for row in rows}) == len(rows)
    assert rows[4].macs > 1.5 * rows[0].macs and {row.macs for row in rows} == {rows[0].macs, rows[4].macs}


def means(psnr: float, lpips: float | None = None, boundary: float | None = None) -> dict[str, float | None]:
    return {"psnr": psnr, "ssim": 0.9, "lpips_vgg": lpips, "lpips_alex": lpips, "boundary": boundary}


def test_the_table_gives_differences_to_the_first_row() -> None:
    rows = [Row("a", 100, means(30, boundary=20), means(28)), Row("b", 50.4, means(27.5, 0.1, 21.5), means(28.25))]
    lines = table(rows).splitlines()
    assert lines[0].count("|") == lines[1].count("|") == lines[3].count("|")
    assert lines[3] == (
        "| b | 50 | 27.50 dB | -2.50 | 0.9000 | 0.1000 | 21.50 dB | +1.50 | 28.25 dB | +0.25 | 0.9000 | not measured |"
    )
    alone = table([replace(row, photos=None) for row in rows]).splitlines()
    assert alone[3] == "| b | 50 | 27.50 dB | -2.50 | 0.9000 | 0.1000 | 21.50 dB | +1.50 |" and "photos" not in alone[0]
