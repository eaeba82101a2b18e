"""Whether a program may end as it did on an input: with a value, with one sentence, or otherwise, which is a defect."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fuzzing import canary

import duplex
from duplex.app.core.errors import DuplexError, out_of_memory, sentence_of

ROOT = Path(duplex.__file__).parent
ACCEPTED, REFUSED = "accepted", "refused"
MAX_SENTENCE = 300  # characters
MAX_SECONDS = 5.0  # of processor time, so that other programs do not matter
MAX_CLOCK = 30.0  # seconds by the clock, of one that waits
MAX_MEMORY = 1 << 30  # bytes above an idle process
MAX_PRINTED = 2048  # bytes


@dataclass(frozen=True)
class Outcome:
    """How the use of an input ended.

    ``kind``: accepted, refused, or a kind of defect; ``place``: the innermost lines of the program that it came from;
    ``text``: the sentence or the exception.
    """

    kind: str
    place: str = ""
    text: str = ""

    @property
    def defect(self) -> bool:
        """Whether this must not happen."""
        return self.kind not in (ACCEPTED, REFUSED)

    @property
    def skeleton(self) -> tuple[str, str, str]:
        """What inputs have in common that end alike: the text without its numbers and names."""
        return self.kind, self.place, re.sub(r"'[^']*'|[^ ]*[0-9/][^ ]*", "#", self.text)[:160]


def judged(use: Callable[[Path], None], folder: Path) -> Outcome:
    """Use the input in ``folder`` once."""
    canary.CALLS.clear()
    start, clock = time.process_time(), time.monotonic()
    try:
        use(folder)
        outcome = Outcome(ACCEPTED)
    except DuplexError as error:
        outcome = _of_sentence(error, folder)
    except BaseException as error:
        text = " ".join(f"{type(error).__name__}: {error!s:.300}".split())
        outcome = Outcome(type(error).__name__, _place(error), text)
    seconds, clock = time.process_time() - start, time.monotonic() - clock
    if canary.CALLS:
        return Outcome("executed", outcome.place, "a function of the file's choice was called")
    if seconds > MAX_SECONDS or clock > MAX_CLOCK:
        return Outcome("slow", outcome.place, f"{seconds:.1f} s of {clock:.1f} s, then {outcome.text}")
    return outcome


def _of_sentence(error: DuplexError, folder: Path) -> Outcome:
    place, sentence = _place(error), sentence_of(error).replace(str(folder), "FOLDER")
    if "\n" in sentence or len(sentence) > MAX_SENTENCE or len(str(error)) > MAX_PRINTED:
        return Outcome("sentence", place, f"of {len(str(error))} characters: {sentence!r:.400}")
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or (isinstance(cause, RuntimeError) and out_of_memory(cause)):
            return Outcome("memory", _place(cause), f"{cause!s:.200}, told as: {sentence}")
        cause = cause.__context__
    return Outcome(REFUSED, place, sentence)


def _place(error: BaseException) -> str:
    """The last two lines of the program in the error's traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f"{_relative(f.filename)}:{f.lineno}" for f in frames if _is_ours(f.filename)]
    return " < ".join(own[:-3:-1])


def _is_ours(file: str) -> bool:
    return file.startswith((f"{ROOT / 'app'}", f"{ROOT / 'baking'}"))


def _relative(file: str) -> str:
    return Path(file).relative_to(ROOT).as_posix()


def place_in(dump: str) -> str:
    """The innermost line of the program in a dump of :mod:`faulthandler`."""
    found = re.findall(r'File "([^"]+)", line (\d+)', dump)
    return next((f"{_relative(file)}:{line}" for file, line in found if _is_ours(file)), "")
