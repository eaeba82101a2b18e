"""``duplex-eval --speed``: frame times of the viewer and of the standard NeRF renderer on the same machine."""

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

SAMPLES = (64, 128)  # coarse and fine samples per ray, as in the NeRF paper
RAYS = 4096  # per batch
SECONDS = 20.0  # total time of the timed batches, at least


def compare_speed(bundle: Bundle, teacher: Teacher, size: tuple[int, int]) -> dict[str, Any]:
    """The result of :func:`duplex.app.tools.benchmark.benchmark`, with the teacher's time for the same picture.

    Adds ``teacher`` (``seconds_per_frame``, extrapolated from ``rays_timed`` rays; ``samples`` per ray; ``network``;
    ``device``) and ``ratio``, the teacher's frame time over that of the fastest backend. The standard renderer
    evaluates the network at every sample of every ray, so its time does not depend on the scene.
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
    """The standard renderer's median seconds per ray, and the number of timed rays."""
    teacher = replace(teacher, scene=replace(teacher.scene, coarse_samples=SAMPLES[0], fine_samples=SAMPLES[1]))
    camera = Rig.from_scene(teacher.scene).cameras(1, 256, np.random.default_rng(0))[0]
    origins, directions = rays_of(camera, teacher.device)
    generator = torch.Generator().manual_seed(0)
    spent = 0.0
    times: list[float] = []
    while spent < SECONDS or len(times) < 2:
        chosen = torch.randperm(len(origins), generator=generator)[:RAYS].to(teacher.device)
        started = time.perf_counter()
        render_rays(teacher, origins[chosen], directions[chosen]).cpu()  # the copy waits for the device
        times.append(time.perf_counter() - started)
        spent += times[-1]
    timed = times[1:]  # the first batch is a warm-up
    return float(np.median(timed)) / RAYS, RAYS * len(timed)


def text(result: dict[str, Any]) -> str:
    """The result of :func:`compare_speed` as readable lines."""
    teacher = result["teacher"]
    coarse, fine = teacher["samples"]
    return (
        f"{benchmark.text(result)}\nstandard renderer, {teacher['network']}, {coarse} + {fine} samples a ray, on "
        f"{teacher['device']}: {teacher['seconds_per_frame']:.5g} s a frame, from {teacher['rays_timed']} rays\n"
        f"ratio: {result['ratio']:.0f}"
    )
