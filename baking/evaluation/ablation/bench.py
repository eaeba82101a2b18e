"""Trains and judges variants; pictures are scored in torch, because a bundle cannot store some variants."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.files import write_atomically
from duplex.app.core.images import over
from duplex.baking.distill.trainer import Distiller
from duplex.baking.evaluation.ablation.variants import AblationVariant
from duplex.baking.evaluation.metrics import Metrics, mean_of
from duplex.baking.evaluation.silhouettes import Silhouettes
from duplex.baking.job import BakeJob
from duplex.baking.runtime.progress import say
from duplex.baking.runtime.workspace import is_stored, reading

Means = dict[str, float | None]
Pair = tuple[Array, Array]  # a picture as drawn and as wanted, with premultiplied alpha


@dataclass(frozen=True)
class Row:
    """The result of one variant.

    ``macs``: multiply-adds per pixel; ``unseen``, ``photos``: means at held-out views and on the test photos, see
    :func:`duplex.baking.evaluation.metrics.mean_of`; ``unseen`` also has ``boundary``, the PSNR in dB along the
    silhouette, a mean of four backgrounds; ``photos`` is None without any.
    """

    name: str
    macs: float
    unseen: Means
    photos: Means | None


class Bench:
    """Trains and judges variants of ``job``; each result is saved in ``folder`` at once."""

    def __init__(self, job: BakeJob, metrics: Metrics, folder: Path):
        self.job = job
        self.metrics = metrics
        self.folder = folder
        self.file = folder / "rows.json"
        self.rows: dict[str, Row] = {}
        if is_stored(self.file):
            with reading(self.file):
                self.rows = {name: _row(values) for name, values in json.loads(self.file.read_bytes()).items()}

    def row(self, variant: AblationVariant) -> Row:
        """The row of ``variant``, computed if no earlier run saved it."""
        if variant.name in self.rows:
            return self.rows[variant.name]
        say(f"{variant.name} ...")
        trainer = self._trained(variant)
        drawn = list(trainer.pictures(variant.views.unseen))
        unseen = self._means(drawn) | {"boundary": _boundary(drawn)}
        photos = None if variant.views.test is None else self._means(trainer.pictures(variant.views.test))
        row = Row(variant.name, variant.spec.macs_per_pixel, unseen, photos)
        self.rows[variant.name] = row
        say(f"{variant.name}: {unseen['psnr']:.2f} dB at unseen cameras")
        write_atomically(self.file, json.dumps({name: asdict(each) for name, each in self.rows.items()}).encode())
        return row

    def _trained(self, variant: AblationVariant) -> Distiller:
        job = self.job
        config = replace(job.config.distill, **variant.settings)
        texels = variant.texels or job.config.atlas.texels
        trainer = Distiller(variant.spec, texels, config, job.seed, job.teacher.device, job.dome is not None)
        trainer.student.view_channels = variant.view_channels
        for texture in trainer.student.textures:
            texture.rounded = variant.rounded
        trainer.train(variant.sets, job.teacher.scene.background, self.folder / "variant.safetensors")
        return trainer

    def _means(self, pairs: Iterable[Pair]) -> Means:
        background = self.job.teacher.scene.background
        shown = ([over(picture, background) for picture in pair] for pair in pairs)
        return mean_of([self.metrics(drawn, wanted) for drawn, wanted in shown if np.isfinite(wanted).any()])


def _boundary(pairs: Iterable[Pair]) -> float | None:
    silhouettes = Silhouettes()
    for drawn, wanted in pairs:
        silhouettes.add(drawn, wanted)
    found = silhouettes.summary()["boundary_psnr"]
    return found and float(found["mean"])


def _row(values: dict[str, Any]) -> Row:
    """The row of saved ``values``; raises for values of another kind."""
    unseen, photos = (
        means and {str(key): None if value is None else float(value) for key, value in means.items()}
        for means in (values["unseen"], values["photos"])
    )
    return Row(str(values["name"]), float(values["macs"]), unseen, photos)
