"""The plan of a bake: how long it takes, and what fits into the minutes that it is given."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import moderngl
import numpy as np
import pytest

from builders.scenes.scenery import BALL, NDC, teacher_in
from duplex.app.core.errors import DuplexError
from duplex.baking import pipeline
from duplex.baking.config import BakeConfig
from duplex.baking.geometry.density import DensityConfig
from duplex.baking.job import BakeJob
from duplex.baking.pipeline import bake
from duplex.baking.plan import ENDING, LEAST_STEPS, LEAST_VIEWS, SLACK, Pace, Plan, checked_minutes, plan, quality_for
from duplex.baking.rig import Rig
from duplex.baking.runtime.progress import ProgressEvent, reporting
from duplex.baking.runtime.workspace import Workspace

CONFIG = BakeConfig()


def test_without_minutes_the_settings_stay_and_their_time_is_told() -> None:
    pace = Pace(view=0.2, step=0.05)
    found = plan(CONFIG.views, CONFIG.distill, pace, None)
    assert (found.views, found.steps) == (CONFIG.views.views, CONFIG.distill.steps)
    assert found.seconds == pytest.approx(SLACK * (0.2 * (900 + 225) + 0.05 * 2500) + ENDING)


@pytest.mark.parametrize("pace", [Pace(0.2, 0.05), Pace(2.0, 0.05), Pace(0.01, 0.4)])
def test_minutes_are_filled_and_the_dearer_is_saved(pace: Pace) -> None:
    plans = [plan(CONFIG.views, CONFIG.distill, pace, left) for left in (300, 600, 1800)]
    assert [found.seconds for found in plans] == pytest.approx([300, 600, 1800], rel=0.03)
    for few, more in pairwise(plans):
        assert few.views < more.views and few.steps < more.steps
    shares = plans[0].views / CONFIG.views.views, plans[0].steps / CONFIG.distill.steps
    assert (shares[0] < shares[1]) == (pace.seconds(CONFIG.views, 0) > SLACK * pace.step * CONFIG.distill.steps)


def test_when_no_time_is_left_there_still_is_a_bake() -> None:
    found = plan(CONFIG.views, CONFIG.distill, Pace(1.0, 1.0), -100)
    assert (found.views, found.steps) == (LEAST_VIEWS, LEAST_STEPS) and found.seconds > 200


def test_much_time_goes_into_a_larger_preset() -> None:
    assert [quality_for(minutes, "cpu") for minutes in (None, 5, 20, 300)] == ["draft", "draft", "standard", "high"]


@pytest.mark.parametrize("minutes", [0, -5, float("nan"), 1e6])
def test_impossible_minutes_are_refused(minutes: float) -> None:
    with pytest.raises(DuplexError, match=r"--minutes .*: expected 1 to 10000"):
        checked_minutes(minutes)


@pytest.mark.parametrize("values", [[1, 100, 3], [100, 0, 3], [100, 100, -1], [100, 100, np.nan], [100, 100]])
def test_what_is_no_plan_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="not"):
        Plan.from_arrays({"plan": np.array(values)})
    assert Plan.from_arrays(Plan(90, 80, 7.5).to_arrays()) == Plan(90, 80, 7.5)


@pytest.mark.system
def test_an_interrupted_bake_keeps_its_plan(
    tmp_path: Path, ctx: moderngl.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(
        CONFIG,
        density=DensityConfig(grid=64, scan=32),
        shells=replace(CONFIG.shells, faces=3000),
        atlas=replace(CONFIG.atlas, texels=128),
        views=replace(CONFIG.views, views=400, view_size=48),
        distill=replace(CONFIG.distill, steps=900, crop_size=16, batch=2),
    )
    teacher = teacher_in(NDC, BALL)
    job = BakeJob(teacher, config, Rig.from_scene(teacher.scene), minutes=1)
    output = tmp_path / "scene.bundle"
    lines: list[str] = []

    def listen(event: ProgressEvent) -> None:
        lines.append(event.message)
        if event.message.startswith("distillation ..."):
            raise KeyboardInterrupt

    asked = []
    monkeypatch.setattr(pipeline, "plan", lambda *given: asked.append(given[3]) or Plan(60, 30, 1.0))
    with reporting(listen), pytest.raises(KeyboardInterrupt), Workspace(output, job.fingerprint(), False, False) as ws:
        bake(job, output, ws, ctx)
    assert "plan: 75 views, 30 steps, 0 more minutes" in " ".join(lines)
    with Workspace(output, job.fingerprint(), True, False) as ws:
        bundle = bake(job, output, ws, ctx)
    assert bundle.report["settings"]["views"]["views"] == 60 and bundle.report["curve"][-1][0] == 30
    assert len(asked) == 1 and 0 < asked[0] < 60
