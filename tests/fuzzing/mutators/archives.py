"""Mutations of ZIP files: of what an entry holds, of the entries, and of what the file says of them."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from random import Random
from typing import Any

from fuzzing.mutators import raw, values

STORED, DEFLATED = 0, 8
MANIFEST = "manifest.json"
FIELDS = ("method", "flags", "crc", "packed", "unpacked", "offset", "extra", "disk", "version")
BOMBS = tuple(zlib.compress(piece * (1 << 22), 9)[2:-4] for piece in (b"\0" * 8, b"]", b"[", b"N0"))


@dataclass(frozen=True, eq=False)
class Entry:
    """An entry: its content, how it is packed, and lies about it (``local`` and ``central`` header by field)."""

    name: bytes
    content: bytes
    method: int = STORED
    local: dict[str, Any] = field(default_factory=dict)
    central: dict[str, Any] = field(default_factory=dict)
    packed: bytes | None = None

    @cached_property
    def data(self) -> bytes:
        """The content as the file has it."""
        if self.packed is not None or self.method != DEFLATED:
            return self.content if self.packed is None else self.packed
        packer = zlib.compressobj(1, zlib.DEFLATED, -15)
        return packer.compress(self.content) + packer.flush()

    @cached_property
    def headers(self) -> tuple[bytes, bytes, int | None]:
        """The local header, the central one up to its offset, and the offset if that is a lie."""
        facts = {"version": 20, "flags": 0, "method": self.method, "crc": zlib.crc32(self.content)}
        facts |= {"packed": len(self.data), "unpacked": len(self.content), "extra": b"", "disk": 0}
        headers = []
        for lies in (self.local, self.central):
            told = facts | lies
            shorts = [_fit(told[name], 2) for name in ("version", "flags", "method")]
            sizes = [_fit(told[name], 4) for name in ("crc", "packed", "unpacked")]
            headers.append(struct.pack("<5H3I2H", *shorts, 0, 33, *sizes, len(self.name) & 0xFFFF, len(told["extra"])))
        rest = struct.pack("<HHHI", 0, _fit((facts | self.central)["disk"], 2), 0, 0)
        local = b"PK\3\4" + headers[0] + self.name + self.local.get("extra", b"")
        return local, b"PK\1\2\x14\0" + headers[1] + rest, self.central.get("offset")


@lru_cache(256)
def entries_of(content: bytes) -> tuple[Entry, ...]:
    """The entries of a sound ZIP file, none of any other."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return tuple(
                Entry(e.filename.encode("utf-8", "surrogateescape"), archive.read(e), e.compress_type)
                for e in archive.infolist()
                if e.file_size < 1 << 22 and e.compress_type in (STORED, DEFLATED)
            )
    except Exception:  # what zipfile raises on mutated files is of no interest
        return ()


def packed(entries: tuple[Entry, ...], end: dict[str, int] | None = None, before: bytes = b"") -> bytes:
    """A ZIP file of ``entries``; ``end``: lies in its end record."""
    out, directory = [before], []
    position = len(before)
    for entry in entries:
        local, central, offset = entry.headers
        place = struct.pack("<I", _fit(position if offset is None else offset, 4))
        directory.append(central + place + entry.name + entry.central.get("extra", b""))
        out += [local, entry.data]
        position += len(local) + len(entry.data)
    size = sum(map(len, directory))
    facts = {"disk": 0, "first": 0, "here": len(entries), "all": len(entries), "size": size, "at": position}
    facts |= end or {}
    record = struct.pack("<4s4H2IH", b"PK\5\6", *(_fit(facts[k], 2 if i < 4 else 4) for i, k in enumerate(facts)), 0)
    return b"".join([*out, *directory, record])


def _fit(number: int, size: int) -> int:
    return int(number) & (1 << 8 * size) - 1


def mutated(content: bytes, random: Random, inner: Callable[[str, bytes, Random], bytes]) -> bytes:
    """The file with one change; ``inner`` changes the content of an entry by its name."""
    entries = entries_of(content)
    chance = random.random()
    if not entries or chance < 0.05:
        return raw.mutated(content, random)
    if chance < 0.8:
        return packed(_true_sizes(_inner(entries, random, inner), random))
    if chance < 0.9:
        return packed(_true_sizes(_shuffled(entries, random), random))
    if chance < 0.98:
        return packed(_lying(entries, random))
    ends = {random.choice(("disk", "first", "here", "all", "size", "at")): values.whole(random)}
    return packed(entries, ends, random.choice((b"", b"MZ" * 9)))


def _inner(
    entries: tuple[Entry, ...], random: Random, inner: Callable[[str, bytes, Random], bytes]
) -> tuple[Entry, ...]:
    """The most telling entries are changed more often than the others."""
    telling = [i for i, e in enumerate(entries) if e.name.endswith((b".pkl", b".json", b".glb", b".safetensors"))]
    i = random.choice(telling) if telling and random.random() < 0.6 else random.randrange(len(entries))
    entry = entries[i]
    new = replace(entry, content=inner(entry.name.decode("utf-8", "replace"), entry.content, random))
    return (*entries[:i], new, *entries[i + 1 :])


def _true_sizes(entries: tuple[Entry, ...], random: Random) -> tuple[Entry, ...]:
    """A bundle's manifest mostly states the sizes of the changed parts, so that their readers are reached."""
    place = next((i for i, e in enumerate(entries) if e.name == MANIFEST.encode()), None)
    if place is None or random.random() < 0.03:
        return entries
    try:
        manifest = json.loads(entries[place].content)
        for entry in entries:
            if entry.name.decode() in manifest["parts"]:
                manifest["parts"][entry.name.decode()] = len(entry.content)
        new = replace(entries[place], content=json.dumps(manifest).encode())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return entries
    return (*entries[:place], new, *entries[place + 1 :])


def _shuffled(entries: tuple[Entry, ...], random: Random) -> tuple[Entry, ...]:
    """Entries removed, doubled, renamed, with another one's content, packed otherwise, or without an end."""
    i, j = random.randrange(len(entries)), random.randrange(len(entries))
    entry, other = entries[i], entries[j]
    changes: tuple[tuple[Entry, ...], ...] = (
        (),
        (entry, entry),
        (replace(entry, name=other.name),),
        (replace(entry, content=other.content),),
        (replace(entry, method=DEFLATED - entry.method if entry.method in (0, 8) else 0),),
        (
            entry,
            replace(other, name=values.text(random, entry.name.decode("utf-8", "replace")).encode("utf-8", "replace")),
        ),
    )
    if random.random() < 0.01:
        changes = ((replace(entry, packed=random.choice(BOMBS), method=8, content=b"\0" * (1 << 22)),),)
    return (*entries[:i], *random.choice(changes), *entries[i + 1 :])


def _lying(entries: tuple[Entry, ...], random: Random) -> tuple[Entry, ...]:
    i = random.randrange(len(entries))
    name = random.choice(FIELDS)
    lie: Any = values.whole(random, 20)
    if name == "method":
        lie = random.choice((0, 1, 6, 8, 9, 12, 14, 93, 95, 99))
    elif name == "flags":
        lie = 1 << random.randrange(16)
    elif name == "extra":
        wide = struct.pack(
            "<HHQQQ", 1, random.choice((24, 16, 8, 3)), *(_fit(values.whole(random), 8) for _ in range(3))
        )
        lie = random.choice((wide, random.randbytes(20), struct.pack("<HH", 0x7075, 65535)))
    where = random.choice((("local",), ("central",), ("local", "central")))
    entry = replace(entries[i], **{header: {name: lie} for header in where})
    return (*entries[:i], entry, *entries[i + 1 :])
