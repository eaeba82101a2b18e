"""The bake's side of the Python API: ``duplex.bake``, ``train``, ``evaluate``, ``open_checkpoint``.

The commands are thin clients of these functions. Nothing here prints: the ``progress`` argument receives progress,
results are returned, and invalid input raises :class:`~duplex.app.core.errors.DuplexError`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from duplex.app.core.apart import trusting
from duplex.app.core.errors import DuplexError
from duplex.app.core.files import reserve, write_atomically
from duplex.app.core.outputs import check_output, kind_of
from duplex.app.render.gpu import create_headless_context
from duplex.app.scene.bundle import Bundle
from duplex.baking.capture.posing import with_cameras
from duplex.baking.compression.packing import checked_megabytes
from duplex.baking.config import BakeConfig, bake_config
from duplex.baking.datasets.reading import read_dataset
from duplex.baking.datasets.up_axis import up_note
from duplex.baking.evaluation.ablation.bench import Row
from duplex.baking.evaluation.ablation.study import AblationWorkspace, study_of
from duplex.baking.evaluation.ablation.study import ablate as ablate_job
from duplex.baking.evaluation.ablation.table import table
from duplex.baking.evaluation.comparison import height_of
from duplex.baking.evaluation.evaluation import Evaluation, EvaluationOptions
from duplex.baking.evaluation.evaluation import evaluate as evaluate_bundle
from duplex.baking.evaluation.metrics import Metrics
from duplex.baking.fields.field import Teacher
from duplex.baking.job import beside_photos, cropped, identity, read_job, with_surroundings, within_megabytes
from duplex.baking.pipeline import bake as bake_job
from duplex.baking.plan import checked_minutes, quality_for
from duplex.baking.runtime.devices import pick_device, read_seed
from duplex.baking.runtime.progress import Listener, reporting, say
from duplex.baking.runtime.workspace import Workspace
from duplex.baking.settings import as_number, check_names, names_of
from duplex.baking.subject import SceneOptions, read_background, read_bounds, read_subject, test_photos
from duplex.baking.training.config import TrainConfig, train_config
from duplex.baking.training.job import TrainingReport, TrainingWorkspace, TrainJob
from duplex.baking.training.job import train as train_job
from duplex.baking.training.scene import Given

SCENE_NAMES = frozenset(field.name for field in dataclasses.fields(SceneOptions))


def bake(  # noqa: PLR0913 - keyword arguments of the public API
    checkpoint: str | Path,
    output: str | Path,
    *,
    data: str | Path | None = None,
    quality: str | None = None,
    progress: Listener | None = None,
    resume: bool = False,
    restart: bool = False,
    preview: str | Path | None = None,
    minutes: float | None = None,
    crop: Sequence[float] | str | None = None,
    uncompressed: bool = False,
    megabytes: float | None = None,
    seed: int = 0,
    device: str = "auto",
    trusted: bool = False,
    **settings: Any,
) -> Bundle:
    """Bake a trained NeRF, the file or folder ``checkpoint``, into the bundle ``output`` and return the bundle.

    Args:
        checkpoint, output: The workspace of a bake that runs is the folder ``<output>.baking``.
        data: The checkpoint's dataset: its cameras say from where views are rendered, and its photos are learned from.
        quality: ``"draft"``, ``"standard"`` or ``"high"``, a preset; by default what suits ``minutes``, or a draft.
        progress: Called with each :class:`~duplex.baking.runtime.progress.ProgressEvent`; its exceptions end the bake.
        resume, restart, preview: Continue an interrupted bake, or discard it; where to write intermediate results.
        minutes: That the bake may take; numbers of views and steps follow from them and the speed here.
        crop: The part that is baked, in the dataset's frame: low x y z, high x y z, or ``"sphere:x,y,z,radius"``.
        uncompressed, megabytes: Store standard parts and reference pictures; or how many megabytes the bundle may take.
        seed, device: Of all random numbers, 0 to 2^63 - 1; ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"auto"``.
        trusted: Decode the dataset's pictures in this process, not in one of its own that may crash without harm.
        settings: Any setting of ``duplex-bake --help`` by its name with underscores, such as ``grid=256``, and any
            field of :class:`~duplex.baking.subject.SceneOptions`, such as ``background="white"``.

    Raises:
        DuplexError: The input cannot be baked, or a setting is unknown; the message gives the reason and the remedy.
    """
    output = Path(output)
    scene, stages = _sorted_settings(settings, names_of(BakeConfig))
    with reporting(progress), trusting(trusted):
        check_output(output, Workspace.content)
        preview_file = _checked_preview(preview, output)
        minutes, megabytes = checked_minutes(minutes), checked_megabytes(megabytes, uncompressed)
        config = bake_config(quality or quality_for(minutes, device), stages)
        job = read_job(checkpoint, data, config, device=device, seed=seed, scene=scene)
        job = dataclasses.replace(job, minutes=minutes, compressed=not uncompressed, megabytes=megabytes)
        job = within_megabytes(with_surroundings(beside_photos(cropped(job, crop), stages), stages), stages)
        with Workspace(output, job.fingerprint(), resume, restart) as workspace, _reserved(preview_file):
            return bake_job(job, output, workspace, create_headless_context(), preview_file)


def train(  # noqa: PLR0913 - keyword arguments of the public API
    photos: str | Path,
    output: str | Path,
    *,
    field: str = "tensorf",
    quality: str = "draft",
    progress: Listener | None = None,
    resume: bool = False,
    restart: bool = False,
    seed: int = 0,
    device: str = "auto",
    trusted: bool = False,
    poses: str | Path | None = None,
    **settings: Any,
) -> TrainingReport:
    """Train a radiance field from photos or a video and write its checkpoint, which :func:`bake` reads.

    Args:
        photos: The folder of the photos and their cameras, of photos alone, or a video; pycolmap finds missing cameras.
        output: The checkpoint to write.
        field: ``"tensorf"`` for TensoRF's grids, ``"mlp"`` for NeRF's network.
        quality: ``"draft"``, ``"standard"`` or ``"high"``, a preset of all settings.
        progress, resume, restart, seed, device, trusted: As for :func:`bake`.
        poses: Where to write cameras that are found, a dataset for ``data``; by default ``<output>.poses``.
        settings: Any setting of ``duplex-train --help`` by its name with underscores; of the scene ``near``, ``far``
            (depths, world units), ``background`` (``"white"``, ``"black"`` or ``"#rrggbb"``), ``bounds`` (low x y z,
            high x y z) and ``space`` (``"world"``, ``"ndc"`` or ``"contracted"``).

    Raises:
        DuplexError: The dataset cannot be used for training, or a setting is unknown.
    """
    output = Path(output)
    given_names = frozenset(each.name for each in dataclasses.fields(Given))
    scene, stages = _sorted_settings(settings, names_of(TrainConfig), given_names)
    with reporting(progress), trusting(trusted):
        chosen = read_seed(seed)
        check_output(output, TrainingWorkspace.content)
        config = train_config(quality, stages)
        torch_device = pick_device(device)
        options = SceneOptions(**scene)
        background = read_background(options.background)
        given = Given(options.near, options.far, background, read_bounds(options.bounds), options.space)
        source = with_cameras(Path(photos), output, poses, seed=chosen, resume=resume, restart=restart)
        dataset = read_dataset(source)
        dataset.report(source)
        if dataset.kind != "colmap" and dataset.up is not dataset.usual_up:
            say(up_note(dataset.up, dataset.usual_up))
        job = TrainJob(dataset, field, config, given, chosen, torch_device)
        with TrainingWorkspace(output, job.fingerprint(), resume, restart) as workspace:
            return train_job(job, output, workspace)


def evaluate(
    scene: Bundle | str | Path,
    *,
    teacher: str | Path | None = None,
    data: str | Path | None = None,
    progress: Listener | None = None,
    trusted: bool = False,
    **options: Any,
) -> Evaluation:
    """Compare a bundle with its teacher at held-out views and with the test photos of a dataset.

    Args:
        scene: The bundle, or its path.
        teacher: The checkpoint that the bundle was baked from.
        data: The folder of the dataset.
        progress, trusted: As for :func:`bake`.
        options: Other fields of :class:`~duplex.baking.evaluation.evaluation.EvaluationOptions`, such as ``views=16``,
            ``size=400`` (pixels) or ``lpips=False``.

    Raises:
        DuplexError: A file that cannot be read, or an option out of its range.
    """
    names = frozenset(each.name for each in dataclasses.fields(EvaluationOptions)) - {"teacher", "data"}
    _sorted_settings(options, frozenset(), names)
    paths: dict[str, Any] = {"teacher": teacher and Path(teacher), "data": data and Path(data)}
    with reporting(progress), trusting(trusted):
        source = scene if isinstance(scene, Bundle) else Path(scene)
        return evaluate_bundle(source, dataclasses.replace(EvaluationOptions(**options), **paths))


def ablate(  # noqa: PLR0913 - keyword arguments, as for bake
    checkpoint: str | Path,
    output: str | Path,
    *,
    data: str | Path | None = None,
    quality: str = "draft",
    size: int = 200,
    resources: bool = False,
    lpips: bool = True,
    progress: Listener | None = None,
    resume: bool = False,
    restart: bool = False,
    seed: int = 0,
    device: str = "auto",
    trusted: bool = False,
    **settings: Any,
) -> list[Row]:
    """Distil a checkpoint again and again, each time without one idea of the method, and write the Markdown table.

    Args:
        checkpoint, data, quality, progress, resume, restart, seed, device, trusted, settings: As for
            :func:`bake`.
        output: The table to write. While the ablation runs, its workspace is the folder ``<output>.ablating``.
        size: Of the longer side of the test photos in pixels, 16 to 4096.
        resources: Give each variant more of one resource instead, such as texels or steps, and compare with the
            teacher's pictures four times as large as those of the training.
        lpips: Whether to measure LPIPS.

    Returns the rows of the table; the first one is the bake as it is. Raises :class:`DuplexError` as :func:`bake` does.
    """
    output = Path(output)
    scene, stages = _sorted_settings(settings, names_of(BakeConfig))
    with reporting(progress), trusting(trusted):
        if not 16 <= as_number("size", size, int) <= 4096:
            raise DuplexError(f"--size {size}: expected 16 to 4096 pixels")
        check_output(output, AblationWorkspace.content)
        config = bake_config(quality, stages)
        job = read_job(checkpoint, data, config, device=device, seed=seed, scene=scene)
        photos = test_photos(job.teacher.scene, None if data is None else Path(data))
        metrics = Metrics(lpips)
        named = json.dumps([identity(photo) for photo in photos])
        fingerprint = f"{job.fingerprint()} {named} {size} {resources} {lpips}"
        study = study_of(job, [(photo, height_of(photo.camera, size)) for photo in photos], resources)
        with AblationWorkspace(output, fingerprint, resume, restart) as workspace:
            rows = ablate_job(job, study, workspace, create_headless_context(), metrics)
            write_atomically(output, (table(rows) + "\n").encode())
            workspace.remove()
        return rows


def open_checkpoint(
    checkpoint: str | Path,
    *,
    data: str | Path | None = None,
    device: str = "auto",
    trusted: bool = False,
    **scene: Any,
) -> Teacher:
    """Load a trained NeRF: its fields give density and colour, ``.scene`` describes the scene.

    Args:
        checkpoint: The checkpoint's file, or the folder that holds it.
        data: The folder of its dataset, whose cameras some checkpoint families need.
        device, trusted: As for :func:`bake`.
        scene: Fields of :class:`~duplex.baking.subject.SceneOptions`, such as ``near=2.0``.

    Raises:
        DuplexError: The checkpoint's family is unknown, or a name in ``scene`` is.
    """
    known, _ = _sorted_settings(scene, frozenset())
    folder = None if data is None else Path(data)
    with trusting(trusted):
        return read_subject(Path(checkpoint), folder, device, SceneOptions(**known)).teacher


def _sorted_settings(
    settings: Mapping[str, Any], stages: frozenset[str], scene: frozenset[str] = SCENE_NAMES
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of the scene and those of the stages; raises :class:`DuplexError` for an unknown name."""
    check_names(settings, scene | stages)
    of_scene = {name: value for name, value in settings.items() if name in scene}
    return of_scene, {name: value for name, value in settings.items() if name not in scene}


def _checked_preview(preview: str | Path | None, output: Path) -> Path | None:
    file = None if preview is None else Path(preview)
    if file and file.absolute() == output.absolute():
        raise DuplexError(f"--preview {file}: the bundle itself: expected another name, which will be overwritten")
    if file and (kind_of(file) not in ("", "file") or not file.absolute().parent.is_dir()):
        raise DuplexError(f"--preview {file}: expected the name of a file in a folder that exists")
    return file


def _reserved(preview: Path | None) -> AbstractContextManager[object]:
    return reserve(preview) if preview else nullcontext()
