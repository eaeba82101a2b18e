"""The corpus: small inputs that once showed a defect, each a ZIP file of the input's folder, by target."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

from fuzzing.judge import Outcome
from fuzzing.mutators.formats import Files

CORPUS = Path(__file__).resolve().parent / "corpus"
MAX_BYTES = 20_000


def entries() -> list[Path]:
    """All inputs of the corpus."""
    return sorted(CORPUS.glob("*/*.zip"))


def unpack(entry: Path, folder: Path) -> None:
    """Write the files of an input into ``folder``."""
    with zipfile.ZipFile(entry) as archive:
        archive.extractall(folder)


def add(target: str, outcome: Outcome, files: Files, place: Path = CORPUS) -> Path:
    """Write an input that showed ``outcome`` into the corpus, under a name that says what it did and where."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    where = re.sub(r":\d+$", "", outcome.place.partition(" ")[0]).replace(".py", "").rpartition("/")[2] or "somewhere"
    file, number = place / target / f"{outcome.kind}-{where}.zip", 2
    while file.exists():
        file, number = file.with_name(f"{outcome.kind}-{where}-{number}.zip"), number + 1
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(buffer.getvalue())
    return file
