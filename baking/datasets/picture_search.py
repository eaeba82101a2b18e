"""Pictures whose paths were written for another place: found by how the path ends, inside the dataset's folder only."""

from __future__ import annotations

import os
import re
import unicodedata
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from duplex.baking.datasets.frames import SPLITS
from duplex.baking.datasets.pictures import MAX_NAME, SUFFIXES, find_picture, is_picture

MAX_FILES = 200_000  # that are looked at in a folder
MAX_DEPTH = 6
OTHERS = re.compile(r"\.|(mask|depth|normal|semantic|segment|sparse|dense|stereo|thumb)", re.IGNORECASE)  # no photos

OTHER_SUFFIX = re.compile(r"\.[a-z][a-z0-9]{1,4}$")  # of the photo from which the picture was made


class PictureSearch:
    """Finds pictures inside ``folder``, of which it makes one list when a path as written leads nowhere."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.rivals: dict[str, list[str]] = {}  # by name: the files of which none was taken

    def find(self, name: str) -> Path | None:
        """The picture ``name``: as written, or the one file whose path ends most like it.

        Letter case, the picture's suffix and leading folders may differ, but not the split (train, val, test); where
        two files end alike, neither is taken.
        """
        if len(name) > MAX_NAME:
            return None
        found = find_picture(self.folder, name) or find_picture(self.folder, unquote(name))
        if found is not None or not name:
            return found
        *folders, last = _parts(name)
        splits = set(SPLITS).intersection(folders)
        stems = (_stem(last), OTHER_SUFFIX.sub("", last))
        same = next((self._index[stem] for stem in stems if stem in self._index), [])
        places = [x for x in same if not splits or splits >= set(SPLITS).intersection(x[0])]
        common = [_common(folders, parents) for parents, _ in places]
        best = [path for (_, path), count in zip(places, common, strict=True) if count == max(common)]
        if len(best) > 1:
            self.rivals[name] = best
        return find_picture(self.folder, best[0], ("",)) if len(best) == 1 else None

    def is_outside(self, name: str) -> bool:
        """Whether a path as written names a picture outside the folder, which is not read."""
        written = name.replace("\\", "/")
        if not name or len(name) > MAX_NAME or not (".." in written.split("/") or Path(written).is_absolute()):
            return False
        try:
            return any((self.folder / (written + suffix)).is_file() for suffix in ("", *SUFFIXES))
        except (OSError, ValueError):
            return False

    @cached_property
    def _index(self) -> dict[str, list[tuple[list[str], str]]]:
        """The pictures by the stems of their names: the folders that each lies in, and its path."""
        index: dict[str, list[tuple[list[str], str]]] = {}
        count = 0
        for place, folders, files in os.walk(self.folder):
            inside = Path(place).relative_to(self.folder)
            folders[:] = [x for x in folders if len(inside.parts) < MAX_DEPTH and not OTHERS.match(x)]
            for file in files:
                count += 1
                if is_picture(file):
                    *parents, last = _parts(str(inside / file))
                    index.setdefault(_stem(last), []).append((parents, str(inside / file)))
            if count > MAX_FILES:
                break
        return index


def _parts(name: str) -> list[str]:
    alike = unicodedata.normalize("NFC", unquote(name)).lower()  # of a URL; macOS writes accents apart
    parts = [part for part in re.split(r"[\\/]+", alike) if part not in ("", ".", "..")]
    return parts or [""]


def _stem(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix}" in SUFFIXES else name


def _common(folders: list[str], others: list[str]) -> int:
    """How many folders agree, from the file upwards."""
    count = 0
    while count < min(len(folders), len(others)) and folders[-1 - count] == others[-1 - count]:
        count += 1
    return count
