"""How long a bake takes here, and how many views and steps fit into the minutes that it is given.

What comes before the views is over by then; a view and a step of the training are tried out. A workspace keeps the
plan.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera import Camera
from duplex.baking.distill.trainer import DistillConfig, Distiller
from duplex.baking.distill.views import ViewConfig, ViewSet
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.runtime.devices import pick_device
from duplex.baking.runtime.progress import say
from duplex.baking.runtime.threads import one_view_a_thread, parallel_views
from duplex.baking.settings import as_number

TRIAL_SECONDS = 3.0  # spent on views, at least
TRIAL_STEPS = 3  # after one that does not count; one in a short training
SHORT = 500  # steps
TRIAL_SHARES = ((0.1, 0.2), (0.4, 0.3), (0.9, 0.5))  # where in the training steps are tried, and for which share of it
SLACK = 1.15  # of what trials take: hits on the shells, held-out pictures and saving come on top
TUNING_COST = 2.0  # steps of a training that one step takes which makes a bundle small
ENDING = 6.0  # seconds, of packing and writing the bundle
LEAST_VIEWS, LEAST_STEPS = 40, 200
MOST_MINUTES = 10_000
LEAST_MINUTES = {"standard": 15.0, "high": 150.0}  # of a bake on two cores
GPU_SHARE = 0.1


def checked_minutes(minutes: float | None) -> float | None:
    """``minutes``, None for as long as it takes; raises :class:`DuplexError` for what is no span of a bake."""
    if minutes is not None and not 1 <= as_number("minutes", minutes, float) <= MOST_MINUTES:
        raise DuplexError(f"--minutes {minutes:g}: expected 1 to {MOST_MINUTES}")
    return minutes


def quality_for(minutes: float | None, device: str) -> str:
    """The preset that makes the most of ``minutes`` on a ``device``; a draft where they do not matter."""
    unit = 1.0 if pick_device(device).type == "cpu" else GPU_SHARE
    fitting = [name for name, least in LEAST_MINUTES.items() if minutes and minutes >= least * unit]
    return fitting[-1] if fitting else "draft"


@dataclass(frozen=True)
class Pace:
    """Seconds that a teacher's ``view`` and a ``step`` of the training take here."""

    view: float
    step: float

    def seconds(self, views: ViewConfig, steps: int) -> float:
        """What ``views`` and ``steps`` take together."""
        return SLACK * (self.view * (views.views + views.larger) + self.step * steps)


@dataclass(frozen=True)
class Plan:
    """The number of ``views`` and ``steps`` of a bake, and the ``seconds`` that it is expected to take from there."""

    views: int
    steps: int
    seconds: float

    def to_arrays(self) -> dict[str, Array]:
        """For a workspace."""
        return {"plan": np.array([self.views, self.steps, self.seconds], np.float64)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array]) -> Plan:
        """Read :meth:`to_arrays`; raises ValueError for anything else."""
        views, steps, seconds = arrays["plan"].tolist()
        if not (2 <= views <= 1e5 and 1 <= steps <= 1e9 and 0 <= seconds < math.inf):
            raise ValueError("not a plan")
        return cls(int(views), int(steps), seconds)


def plan(views: ViewConfig, distill: DistillConfig, pace: Pace, left: float | None) -> Plan:
    """As many views and steps as fit into the seconds ``left``, or those of the settings.

    The error is taken as a sum of two parts, one inverse to the number of views and one to that of steps, which are
    equal for the settings' own numbers. It is least where both numbers, in units of the settings', are inverse to the
    square root of what these would take.
    """
    count, steps = views.views, distill.steps
    if left is not None:
        left = max(left - ENDING, 0.0)
        rendering, learning = pace.seconds(views, 0), pace.seconds(replace(views, views=0), steps)
        share = left / max(math.sqrt(rendering) + math.sqrt(learning), 1e-9)
        count = max(round(count * share / math.sqrt(max(rendering, 1e-9))), LEAST_VIEWS)
        steps = max(round(steps * share / math.sqrt(max(learning, 1e-9))), LEAST_STEPS)
    return Plan(count, steps, pace.seconds(replace(views, views=count), steps) + ENDING)


def seconds_a_view(renderer: FastRenderer, cameras: Sequence[Camera]) -> float:
    """The time of one of the views of ``cameras``, which are as good as random, in a bake."""
    device = renderer.teacher.device
    together = parallel_views(device)

    def draw(index: int) -> Array:
        return np.asarray(renderer.render(cameras[index % len(cameras)]).cpu().numpy())

    with one_view_a_thread(device) as each:
        list(each(draw, range(together)))  # the first ones of a process are slower
        started = time.monotonic()
        for turn in range(1, max(len(cameras) // together, 1) + 1):
            list(each(draw, range(turn * together, (turn + 1) * together)))
            if time.monotonic() - started > TRIAL_SECONDS:
                break
        return (time.monotonic() - started) / (turn * together)


def seconds_a_step(distiller: Distiller, sets: list[ViewSet]) -> float:
    """The mean time of a step of a training on ``sets``; the ``distiller`` is of no use afterwards."""
    total = 0.0
    steps = distiller.config.steps
    advance = distiller.steps_on(sets)
    for share, weight in TRIAL_SHARES:
        distiller.step = int(share * steps)
        taken = []
        for _ in range(1 + (TRIAL_STEPS if steps > SHORT else 1)):
            taken.append(_seconds(advance, distiller.device))
        total += weight * float(np.median(taken[1:]))
    return total


def _seconds(work: Callable[[], None], device: torch.device) -> float:
    started = time.monotonic()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.monotonic() - started


def told(found: Plan, config: ViewConfig) -> Plan:
    """``found``, after saying what is going to be done, and until when."""
    views = found.views + replace(config, views=found.views).larger
    end = time.strftime("%H:%M", time.localtime(time.time() + found.seconds))
    say(f"plan: {views} views, {found.steps} steps, {found.seconds / 60:.0f} more minutes, until about {end}")
    return found
