"""Making the input of a defect small: files, entries, opcodes and bytes are left out as long as the defect stays."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from fuzzing.mutators.archives import entries_of, packed
from fuzzing.mutators.formats import Files
from fuzzing.mutators.pickles import opcodes_of

Piece = TypeVar("Piece")


class Minimiser:
    """Makes inputs small for some seconds; ``stays``: whether an input still shows the defect."""

    def __init__(self, stays: Callable[[Files], bool], seconds: float):
        self._stays = stays
        self._end = time.monotonic() + seconds

    def files(self, files: Files) -> Files:
        """The smallest folder found."""
        names = self._shortest(sorted(files), lambda kept: {name: files[name] for name in kept})
        files = {name: files[name] for name in names}
        for name in sorted(files, key=lambda x: -len(files[x])):
            others = {k: v for k, v in files.items() if k != name}
            files[name] = self._content(files[name], lambda content, n=name, o=others: {**o, n: content})
        return files

    def _content(self, content: bytes, rebuilt: Callable[[bytes], Files]) -> bytes:
        """The shortest content of a file with which ``rebuilt`` shows the defect."""
        entries = entries_of(content)
        if entries and self._stays(rebuilt(packed(entries))):
            entries = tuple(self._shortest(entries, lambda kept: rebuilt(packed(tuple(kept)))))
            for i, entry in enumerate(entries):
                around = entries[:i], entries[i + 1 :]
                shorter = self._content(
                    entry.content, lambda c, e=entry, a=around: rebuilt(packed((*a[0], replace(e, content=c), *a[1])))
                )
                entries = (*around[0], replace(entry, content=shorter), *around[1])
            return packed(entries)
        opcodes, rest = opcodes_of(content) if content[:1] == b"\x80" else ((), b"")
        if len(opcodes) > 2:
            pieces = [*(opcode.content for opcode in opcodes), rest]
            return b"".join(self._shortest(pieces, lambda kept: rebuilt(b"".join(kept))))
        lines = content.splitlines(keepends=True)
        if len(lines) > 3:
            content = b"".join(self._shortest(lines, lambda kept: rebuilt(b"".join(kept))))
        kept = self._shortest(content, lambda kept: rebuilt(bytes(kept)), fewest=1 if len(content) < 400 else 16)
        return bytes(kept)

    def _shortest(
        self, pieces: Sequence[Piece], rebuilt: Callable[[list[Piece]], Files], fewest: int = 1
    ) -> list[Piece]:
        """Leave out stretches of pieces, long ones first (delta debugging)."""
        kept = list(pieces)
        size = max(len(kept) // 2, 1)
        while size >= fewest and kept:
            at = 0
            while at < len(kept):
                if time.monotonic() > self._end:
                    return kept
                without = kept[:at] + kept[at + size :]
                if self._stays(rebuilt(without)):
                    kept = without
                else:
                    at += size
            size //= 2
        return kept
