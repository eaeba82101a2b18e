"""From photos or a video to a dataset with cameras: :func:`posed` is the table of contents."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from duplex.app.core.apart import apart, trusting
from duplex.app.core.errors import DuplexError
from duplex.app.core.files import identity_of, reserve_folder
from duplex.baking.capture import decoding, video
from duplex.baking.capture.failures import Matching
from duplex.baking.capture.folder import MODEL_FILES, WORK, CaptureFolder
from duplex.baking.capture.process import check_installed, reconstruct
from duplex.baking.capture.shots import Shot, photos_of, read_shots
from duplex.baking.capture.transforms_writer import IMAGES, MODEL
from duplex.baking.datasets.photos import MAX_NOTES, left_out
from duplex.baking.datasets.reading import is_dataset
from duplex.baking.runtime.progress import Listener, reporting, say, track

LONGEST = 1200  # pixels of the pictures in which features are found
COPIED = (".jpg", ".jpeg", ".png", ".webp")  # formats that other programs read
QUALITY = 95  # of JPEG files
SHARED_LENS_FROM = 8  # photos of one lens, which four distortion coefficients then suit
ONE_LENS, OWN_LENSES = "OPENCV", "SIMPLE_RADIAL"


def is_capture(source: Path) -> bool:
    """Whether ``source`` is a video, or a folder of photos without cameras."""
    return video.is_video(source) or (source.is_dir() and not is_dataset(source) and bool(photos_of(source)))


@dataclass(frozen=True)
class PosesReport:
    """The result of posing.

    ``output``: path of the dataset; ``photos``: how many there were, or frames of the video; ``placed``: names of those
    with a pose; ``points``: in the sparse model; ``error``: mean distance of these from where the photos show them,
    pixels.
    """

    output: str
    photos: int
    placed: list[str]
    points: int
    error: float


def pose(  # noqa: PLR0913 - keyword arguments of the public API
    source: str | Path,
    output: str | Path,
    *,
    progress: Listener | None = None,
    resume: bool = False,
    restart: bool = False,
    seed: int = 0,
    trusted: bool = False,
) -> PosesReport:
    """Find the cameras of photos or of a video, and write them with upright pictures as a dataset.

    Args:
        source: The folder of the photos, or the video.
        output: The folder to write: ``images/``, COLMAP's ``sparse/0`` and ``transforms.json``. Poses of the same
            photos that it holds already are kept.
        progress: Called with each :class:`~duplex.baking.runtime.progress.ProgressEvent`.
        resume, restart: Go on after an interruption, or begin anew.
        seed: Of all random numbers.
        trusted: Decode pictures and video in this process, not in one of its own that may crash without harm.

    Raises:
        DuplexError: The photos cannot be posed; the message gives the reason and the remedy.
    """
    source, folder = Path(source), Path(output)
    if not is_capture(source):
        raise DuplexError(f"{source}: neither photos without cameras nor a video: expected one of them")
    with reporting(progress), trusting(trusted):
        return posed(source, folder, seed=seed, resume=resume, restart=restart)


def with_cameras(
    source: Path, output: Path, poses: str | Path | None, *, seed: int, resume: bool, restart: bool
) -> Path:
    """The dataset of ``source``: itself, or where it has no cameras the folder ``poses``, after posing.

    ``poses``: by default the name of ``output`` with another ending. Raises :class:`DuplexError` as :func:`pose` does,
    and for a dataset with cameras if ``poses`` is given.
    """
    if not is_capture(source):
        if poses is not None:
            raise DuplexError(f"--poses {poses}: {source} has cameras: expected photos without any: leave it out")
        return source
    folder = output.with_name(f"{output.name}.poses") if poses is None else Path(poses)
    posed(source, folder, seed=seed, resume=resume, restart=restart)
    return folder


def posed(source: Path, folder: Path, *, seed: int = 0, resume: bool = False, restart: bool = False) -> PosesReport:
    """Pose the photos of a folder or the frames of a video, and make ``folder`` a dataset of them.

    A ``folder`` that holds their poses already stays as it is. Raises :class:`DuplexError` if they cannot be posed.
    """
    of_video = video.is_video(source)
    paths = [source] if of_video else photos_of(source)
    known = [identity_of(path) for path in paths]
    fingerprint = hashlib.sha256(json.dumps([known, LONGEST, seed]).encode()).hexdigest()
    check_installed()
    with reserve_folder(folder):
        output = CaptureFolder(folder, fingerprint, resume, restart)
        if output.is_complete:
            say(f"poses: those in {folder}, made from these photos before")
            return PosesReport(**output.report)
        say(f"poses: {source} has no cameras, so they are found from the {'video' if of_video else 'photos'}")
        with output.cleared_after_failure():
            shots = _frames(source, output) if of_video else _photos(paths, output)
            task = _task(shots, of_video, seed)
        facts = reconstruct(output.path / WORK, task)
        with output.cleared_after_failure():
            matching = Matching.of(facts, [shot.path.name for shot in shots])
            if not matching.placed:
                raise DuplexError(f"{source}: {matching.failure()}")
            return _finish(output, shots, matching)


def _photos(paths: list[Path], output: CaptureFolder) -> list[Shot]:
    """The photos, written upright into the folder of images, and small and grey to be matched."""
    shots = read_shots(paths)
    names = _free_names(shots)
    output.name_images(names)
    images, kept, broken = output.path / IMAGES, list[Shot](), list[DuplexError]()
    with track("turning photos upright", len(shots)) as progress:
        for shot, name in zip(shots, names, strict=True):
            written = Shot(images / name, shot.width, shot.height, True, shot.focal, shot.camera)
            try:
                if not _is_written(written):
                    _write_image(shot, written.path)
                _grey(written, output.path / WORK / _small_name(len(kept)))
            except DuplexError as error:  # cut off behind a sound header
                written.path.unlink(missing_ok=True)
                broken.append(error)
            else:
                kept.append(written)
            progress.advance()
    if not kept:
        raise broken[0]
    for each in broken[:MAX_NOTES]:
        say(left_out(each))
    return kept


def _frames(source: Path, output: CaptureFolder) -> list[Shot]:
    """The chosen frames of a video, written into the folder of images."""
    times = video.chosen_times(source)
    names = [f"frame-{i:05d}.jpg" for i in range(len(times))]
    output.name_images(names)
    shots = []
    with track("reading frames", len(times)) as progress:
        for time, name in zip(times, names, strict=True):
            path = output.path / IMAGES / name
            frame = video.read_frame(source, time)
            _replace(path, lambda file, frame=frame: Image.fromarray(frame).save(file, "JPEG", quality=QUALITY))  # type: ignore[misc]
            shots.append(Shot(path, frame.shape[1], frame.shape[0]))
            progress.advance()
    return shots


def _free_names(shots: list[Shot]) -> list[str]:
    """A name for each photo's upright copy, which differ without regard to case and suffix."""
    taken, names = set[str](), []
    for shot in shots:
        suffix = shot.path.suffix.lower() if shot.is_upright and shot.path.suffix.lower() in COPIED else ".jpg"
        stem, number = shot.path.stem, 2
        while stem.lower() in taken:
            stem, number = f"{shot.path.stem}-{number}", number + 1
        taken.add(stem.lower())
        names.append(stem + suffix)
    return names


def _write_image(shot: Shot, target: Path) -> None:
    if shot.is_upright and shot.path.suffix.lower() in COPIED:
        _replace(target, lambda file: shutil.copyfile(shot.path, file))
        return
    pixels = apart(decoding.upright, str(shot.path), str(shot.path), 0)
    picture = Image.fromarray(np.asarray(pixels)[..., :3])
    _replace(target, lambda file: picture.save(file, "JPEG", quality=QUALITY))


def _replace(target: Path, write: Callable[[Path], object]) -> None:
    """Write beside ``target``, then rename."""
    beside = target.with_name(f"{target.name}.part")
    try:
        write(beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def _is_written(shot: Shot) -> bool:
    return shot.path.is_file() and not shot.path.is_symlink()


def _task(shots: list[Shot], of_video: bool, seed: int) -> dict[str, object]:
    """What the process is to do; writes the small pictures."""
    work = shots[0].path.parent.parent / WORK
    one_camera = of_video or (len({shot.lens for shot in shots}) == 1 and len(shots) >= SHARED_LENS_FROM)
    images = []
    with track("shrinking photos", len(shots)) as progress:
        for i, shot in enumerate(shots):
            name = _small_name(i)
            grey = _grey(shot, work / name)
            focal = shot.focal and shot.focal * max(grey) / max(shot.width, shot.height)
            image = {"name": name, "photo": shot.path.name, "small": grey, "focal": focal}
            images.append(image | {"width": shot.width, "height": shot.height})
            progress.advance()
    model = ONE_LENS if one_camera else OWN_LENSES
    flags = {"one_camera": one_camera, "model": model, "of_video": of_video}
    return {"images": images, **flags, "seed": seed % (1 << 31), "threads": os.cpu_count() or 1}


def _small_name(index: int) -> str:
    return f"{index:05d}.png"


def _grey(shot: Shot, file: Path) -> tuple[int, int]:
    """Write the photo small and grey to ``file``; returns its width and height."""
    if file.is_file():
        with Image.open(file, formats=["PNG"]) as written:
            return written.size
    pixels = np.asarray(apart(decoding.upright, str(shot.path), str(shot.path), LONGEST))
    over_white = pixels[..., :3] * (pixels[..., 3:] / 255) + (255 - pixels[..., 3:])
    grey = Image.fromarray(np.rint(over_white @ [0.299, 0.587, 0.114]).astype(np.uint8))
    _replace(file, lambda beside: grey.save(beside, "PNG"))
    return grey.size


def _finish(output: CaptureFolder, shots: list[Shot], matching: Matching) -> PosesReport:
    """Move the model to its place, write the cameras of its photos, and tell what was found."""
    work, model = output.path / WORK, output.path / MODEL
    for name in MODEL_FILES:
        if (work / name).is_file():
            (work / name).replace(model / name)
    error = round(matching.error, 3)
    report = PosesReport(str(output.path), len(shots), matching.placed, matching.points, error)
    output.finish(asdict(report))
    say(
        f"poses: {len(matching.placed)} of {len(shots)} photos, {matching.points} points, mean error {error:.2f} "
        f"pixels; up is +z by the cameras, the scale is arbitrary; written to {output.path}"
    )
    for note in matching.notes():
        say(note)
    return report
