"""How a network of unknown names is wired, found by the photos that it was trained on.

What shapes leave open are questions (:mod:`duplex.baking.fields.readings`). Each reading, an answer to all of them,
draws the same few pixels; the one with the highest PSNR is right if it tells the pixels from their mean colour at all.
Questions are answered a few at a time, so that readings stay few. Meanwhile colours count up to a linear map: where a
later answer is wrong, they are often off while the shapes are right.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.core.metrics import psnr as psnr_of
from duplex.baking.datasets.photos import Photo
from duplex.baking.fields.field import Overrides, Teacher
from duplex.baking.fields.readings import Question, answered
from duplex.baking.fields.rendering import query, rays_of, volume_weights
from duplex.baking.runtime.progress import say
from duplex.baking.runtime.threads import one_view_a_thread

PHOTOS, HEIGHT, PIXELS = 3, 32, 48  # pixels of each photo
SAMPLES = 48  # of a ray
AT_ONCE = 32  # readings
SWEEPS = 2  # over all questions: an answer may only show once another is right
USUAL = 0.25  # dB that an unusual answer has to be better by
MARGIN = 1.0  # dB above the mean colour

Loader = Callable[[Overrides], Teacher]


def settled(teacher: Teacher, photos: Sequence[Photo], load: Loader) -> Teacher:
    """``teacher``, its questions answered by ``photos``, and a note about it; as it is where these answer none.

    ``photos``: with cameras in the world of the teacher; ``load``: reads the checkpoint again, with other overrides.
    """
    chosen = [photos[i] for i in np.linspace(0, len(photos) - 1, PHOTOS).round().astype(int)] if photos else []
    chosen = list({photo.path: photo for photo in chosen}.values())
    pixels = _pixels(chosen, teacher)
    if not teacher.questions or pixels is None:
        return teacher
    scores = _scores(teacher, pixels, load)
    best = max(scores, key=lambda reading: scores[reading] - _unusual(teacher, reading))
    psnr = scores[best]
    worse = [score for score in scores.values() if score < psnr]
    plain = _psnr(pixels.colors.mean(0), pixels.colors)
    count = f"{len(chosen)} photo{'s' * (len(chosen) > 1)}"
    if psnr < plain + MARGIN:
        say(
            f"note: no reading of this network draws {count} of the dataset ({psnr:.1f} dB at best; their mean colour "
            f"{plain:.1f}): what is assumed stays; the dataset, --near, --far or --space may be others"
        )
        return teacher
    rest = f"; next {max(worse):.1f}" if worse else ""
    say(f"note: found by {count}: {', '.join(best)} ({psnr:.1f} dB{rest})")
    return load(answered(teacher.overrides, best))


@dataclass(frozen=True)
class Pixels:
    """Pixels of photos: ``origins``, ``directions`` and ``colors``, all (n, 3) float32, colours on the background."""

    origins: Tensor
    directions: Tensor
    colors: Tensor


def _pixels(photos: Sequence[Photo], teacher: Teacher) -> Pixels | None:
    """Known pixels, spread at random over small ``photos``; None where none is known."""
    generator = np.random.default_rng(0)
    rays: list[tuple[Tensor, Tensor, Tensor]] = []
    for photo in photos:
        colors = photo.pixels(HEIGHT, teacher.scene.background).reshape(-1, 3)
        known = np.flatnonzero(np.isfinite(colors).all(1))
        some = torch.from_numpy(generator.permutation(known)[:PIXELS])
        origins, directions = rays_of(photo.camera_at(HEIGHT), torch.device("cpu"))
        rays.append((origins[some], directions[some], torch.from_numpy(colors)[some]))
    if not sum(len(colors) for _, _, colors in rays):
        return None
    return Pixels(*(torch.cat(parts).to(teacher.device) for parts in zip(*rays, strict=True)))


def _scores(teacher: Teacher, pixels: Pixels, load: Loader) -> dict[tuple[str, ...], float]:
    """PSNR by the reading, of those that were tried."""

    def drawn(readings: Sequence[tuple[str, ...]]) -> list[Tensor]:
        def draw(i: int) -> Array:
            return _drawn(load(answered(teacher.overrides, readings[i])), pixels).cpu().numpy()

        with one_view_a_thread(teacher.device) as each:
            return [torch.from_numpy(picture) for picture in each(draw, range(len(readings)))]

    colors = pixels.colors.cpu()
    answers = tuple(question[0] for question in teacher.questions)
    scores: dict[tuple[str, ...], float] = {}
    fits: dict[tuple[str, ...], float] = {}
    for few in SWEEPS * _few_at_a_time(teacher.questions):
        choices = [question if i in few else (answers[i],) for i, question in enumerate(teacher.questions)]
        new = [reading for reading in itertools.product(*choices) if reading not in scores]
        for reading, picture in zip(new, drawn(new), strict=True):
            scores[reading] = _psnr(picture, colors)
            fits[reading] = _psnr(_fitted(picture, colors), colors) - _unusual(teacher, reading)
        answers = max(fits, key=lambda reading: fits[reading])
    return scores


def _unusual(teacher: Teacher, reading: Sequence[str]) -> float:
    return USUAL * sum(answer != question[0] for answer, question in zip(reading, teacher.questions, strict=True))


def _fitted(drawn: Tensor, colors: Tensor) -> Tensor:
    """The colours ``drawn``, mapped to ``colors`` as well as a linear map can."""
    x = torch.cat([drawn, torch.ones_like(drawn[:, :1])], -1).double()
    ridge = 1e-3 * torch.eye(4, dtype=x.dtype, device=x.device)
    mapping: Tensor = torch.linalg.solve(x.T @ x + ridge, x.T @ colors.double())
    return (x @ mapping).to(colors.dtype)


def _few_at_a_time(questions: Sequence[Question]) -> list[list[int]]:
    """The places of ``questions`` in groups, in order, each of at most :data:`AT_ONCE` combinations of answers."""
    groups: list[list[int]] = [[]]
    for i, question in enumerate(questions):
        if math.prod(len(questions[j]) for j in groups[-1]) * len(question) > AT_ONCE:
            groups.append([])
        groups[-1].append(i)
    return groups


@torch.no_grad()
def _drawn(teacher: Teacher, pixels: Pixels) -> Tensor:
    """Colours (n, 3) of ``pixels`` by evenly spaced samples of the fine network."""
    scene = teacher.scene
    o, d = scene.space.rays(pixels.origins, pixels.directions)
    t = scene.space.distances(scene.near, scene.far, SAMPLES).to(o.device).expand(len(o), -1)
    points = scene.space.warp((o[:, None] + t[..., None] * d[:, None]).reshape(-1, 3))
    views = F.normalize(scene.space.view_directions(pixels.directions, d), dim=-1).repeat_interleave(SAMPLES, 0)
    raw = query(teacher.fine, points, views).view(*t.shape, 4)
    weights = volume_weights(raw[..., 3], t, d.norm(dim=-1, keepdim=True))
    background = torch.tensor(scene.background, device=o.device)
    return (weights[..., None] * raw[..., :3]).sum(1) + (1 - weights.sum(1, keepdim=True)) * background


def _psnr(drawn: Tensor, colors: Tensor) -> float:
    return psnr_of(drawn.cpu().numpy(), colors.cpu().numpy())
