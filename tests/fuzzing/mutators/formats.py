"""Which mutation a file gets: by its content, by its name where that does not tell."""

from __future__ import annotations

import struct
from random import Random

from fuzzing.mutators import archives, arrays, media, packed, pickles, raw, records, texts, trees

TEXTS = (".txt", ".yml", ".yaml", ".py", ".gin", ".cfg")
MAX_GROWTH = 1 << 20  # bytes by which a change may enlarge a file
Files = dict[str, bytes]


def mutated_file(name: str, content: bytes, random: Random) -> bytes:
    """``content`` of the file ``name`` with one change."""
    try:
        return _mutated(name, content, random)
    except (ValueError, RecursionError, OverflowError, struct.error):  # of a file that an earlier change broke
        return raw.mutated(content, random)


def _mutated(name: str, content: bytes, random: Random) -> bytes:
    last = name.rpartition("/")[2]
    if content.startswith(b"PK"):
        return archives.mutated(content, random, mutated_file)
    if content.startswith(arrays.MAGIC):
        return arrays.mutated_npy(content, random)
    if content.startswith(b"glTF"):
        return media.mutated_glb(content, random)
    if content.startswith(media.PNG):
        return media.mutated_png(content, random)
    if content.startswith((b"\x1f\x8b", b"\x78")):
        return packed.mutated_stream(content, random, packed.mutated_msgpack)
    if last in records.FIELDS:
        return records.mutated(last, content, random)
    if last.endswith(TEXTS):
        return texts.mutated(content, random, last)
    if last.endswith(".json") or content.startswith((b"{", b"[")):
        return trees.mutated_json(content, random)
    if last.endswith(".safetensors") or (content[8:9] == b"{" and content[3:8] == b"\0" * 5):
        return arrays.mutated_safetensors(content, random)
    if content.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        return pickles.mutated(content, random)
    if content[:1] and (0x80 < content[0] <= 0x8F or content[0] in (0xDE, 0xDF)):
        return packed.mutated_msgpack(content, random)
    return raw.mutated(content, random)


def mutated(files: Files, random: Random, only: tuple[str, ...] = ()) -> Files:
    """A folder's files with one to a few changes; ``only``: ends of the names of those that are changed."""
    files = dict(files)
    for _ in range(1 if random.random() < 0.7 else random.randrange(2, 6)):
        names = sorted(name for name in files if not only or name.endswith(only))
        if not names:
            break
        name = max(names, key=lambda x: len(files[x])) if random.random() < 0.5 else random.choice(names)
        if random.random() < 0.01:
            _change_folder(files, name, random)
        else:
            new = mutated_file(name, files[name], random)
            if len(new) < len(files[name]) + MAX_GROWTH:
                files[name] = new
    return files


def _change_folder(files: Files, name: str, random: Random) -> None:
    """Remove, empty or exchange a file."""
    other = random.choice(sorted(files))
    kind = random.randrange(3)
    if kind == 0 and len(files) > 1:
        del files[name]
    elif kind == 1:
        files[name] = b""
    else:
        files[name], files[other] = files[other], files[name]
