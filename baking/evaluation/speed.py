"""``duplex-eval --speed``: the viewer's frames beside the standard NeRF renderer's, on this machine in one run."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from duplex.app.scene.bundle import Bundle
from duplex.app.tools import benchmark
from duplex.baking.fields.field import Teacher
from duplex.baking.fields.rendering import rays_of, render_rays
from duplex.baking.rig import Rig

SAMPLES = (64, 128)  # of a ray, coarse and fine, as in the NeRF paper
RAYS, SECONDS = 4096, 20.0  # in one portion; portions are timed until so much time is spent


def compare_speed(bundle: Bundle, teacher: Teacher, size: tuple[int, int]) -> dict[str, Any]:
    """What :func:`duplex.app.tools.benchmark.benchmark` gives, the teacher's time for the same picture, and the ratio.

    Adds ``teacher`` (``seconds_per_frame``, extrapolated from ``rays_timed`` rays; ``samples`` of each, ``network``)
    and ``ratio``, how often the fastest backend draws a frame in that time. The standard renderer asks the network at
    every sample of every ray, so its time does not depend on the scene.
    """
    result = benchmark.benchmark(bundle, size)
    seconds, rays = seconds_per_ray(teacher)
    per_frame = seconds * size[0] * size[1]
    fastest = min(backend["frame_ms"]["median"] for backend in result["backends"].values())
    timed = {
        "seconds_per_frame": per_frame,
        "rays_timed": rays,
        "samples": list(SAMPLES),
        "network": teacher.fine.describe().get("network", teacher.family),
        "device": str(teacher.device),
    }
    return result | {"teacher": timed, "ratio": 1000 * per_frame / fastest}


def seconds_per_ray(teacher: Teacher) -> tuple[float, int]:
    """The standard renderer's median time of a ray, and how many rays were timed."""
    teacher = replace(teacher, scene=replace(teacher.scene, coarse_samples=SAMPLES[0], fine_samples=SAMPLES[1]))
    camera = Rig.from_scene(teacher.scene).cameras(1, 256, np.random.default_rng(0))[0]
    origins, directions = rays_of(camera, teacher.device)
    generator, spent = torch.Generator().manual_seed(0), 0.0
    times: list[float] = []
    while spent < SECONDS or len(times) < 2:
        chosen = torch.randperm(len(origins), generator=generator)[:RAYS].to(teacher.device)
        started = time.perf_counter()
        render_rays(teacher, origins[chosen], directions[chosen]).cpu()  # which waits for the device
        times.append(time.perf_counter() - started)
        spent += times[-1]
    kept = times[1:]  # the first one warms up
    return float(np.median(kept)) / RAYS, RAYS * len(kept)


def text(result: dict[str, Any]) -> str:
    """What :func:`compare_speed` found, for people."""
    teacher = result["teacher"]
    coarse, fine = teacher["samples"]
    return (
        f"{benchmark.text(result)}\nstandard renderer, {teacher['network']}, {coarse} + {fine} samples a ray, on "
        f"{teacher['device']}: {teacher['seconds_per_frame']:.5g} s a frame, from {teacher['rays_timed']} rays\n"
        f"ratio: {result['ratio']:.0f}"
    )
