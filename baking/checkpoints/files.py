"""Reading checkpoint files and the small files beside them, all of which may be hostile, as plain data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duplex.app.core.errors import DuplexError
from duplex.app.core.file_kinds import CHECKPOINT, TORCHSCRIPT, kind_of, wrong_kind
from duplex.app.core.tree import parse_json, shown
from duplex.baking.checkpoints.formats.archives import ZIP, ZipArchive
from duplex.baking.checkpoints.formats.budget import Budget
from duplex.baking.checkpoints.formats.msgpack_files import GZIP, ZLIB, Unpacker, inflated
from duplex.baking.checkpoints.formats.numpy_files import NPY, is_npz, read_npy, read_npz
from duplex.baking.checkpoints.formats.plain_yaml import read_yaml, scalar
from duplex.baking.checkpoints.formats.safetensors_files import is_safetensors, read_safetensors
from duplex.baking.checkpoints.formats.torch_files import read_archive, read_stream
from duplex.baking.checkpoints.formats.values import Broken, Instance, Numbers, Refused, resolved
from duplex.baking.checkpoints.tree import MEND, CheckpointNode

MAX_TEXT_BYTES = 1 << 20
MAX_LINE = 1 << 12


LONE = "tensor"  # name of the only tensor of a file that holds nothing else


@dataclass(frozen=True)
class Checkpoint:
    """The content of a file whose family is not yet known.

    ``kind``: ``torch`` (torch.save, safetensors), ``npz``, ``npy`` or ``msgpack``; ``root``: its members by name; those
    of an ``npy`` file, an array of arrays, are called ``"0"``, ``"1"``, ...
    """

    path: Path
    kind: str
    root: CheckpointNode


def read_checkpoint(path: Path, state_classes: Iterable[str] = ()) -> Checkpoint:
    """Read ``path`` by its content, whatever its name; raises :class:`DuplexError` of one sentence.

    No object that the file describes is made. ``state_classes``: the classes that it may name beside those that any
    file may (:func:`~duplex.baking.checkpoints.formats.constructors.is_known`); one that names others is refused.
    """
    budget = Budget(path)
    with path.open("rb") as stream:
        head = stream.read(9)
    kind, read, expected = _format(path, head, budget)
    try:
        content = read(frozenset(state_classes))
    except Refused as error:
        if kind_of(path) is TORCHSCRIPT:
            raise DuplexError(f"{path}: {TORCHSCRIPT.what}: expected a checkpoint: {TORCHSCRIPT.remedy}") from None
        raise DuplexError(
            f"{path}: refused unread: it pickles the Python object {shown(str(error))}, and unpickling can run "
            "any code: save the network's state_dict() instead and bake that"
        ) from None
    except Broken:
        damaged = DuplexError(f"{path}: not a checkpoint, or a damaged one: expected {expected}")
        raise wrong_kind(path, "a checkpoint", (CHECKPOINT,)) or damaged from None
    return Checkpoint(path, kind, CheckpointNode(_members(path, content), str(path), budget=budget))


Reader = Callable[[frozenset[str]], Any]


def _format(path: Path, head: bytes, budget: Budget) -> tuple[str, Reader, str]:
    """Kind, reader and description of a file that begins with ``head``."""
    if head.startswith(NPY):
        reader: Reader = lambda allowed: dict(_numbered(read_npy(path, budget, allowed)))  # noqa: E731
        return "npy", reader, "the weights of a network"
    if head.startswith(ZIP):
        try:
            archive = ZipArchive(path, budget)
        except Broken:
            raise DuplexError(f"{path}: a damaged ZIP archive: copy or export it again") from None
        if is_npz(archive):
            return "npz", lambda allowed: read_npz(archive), "arrays of numbers"
        return "torch", lambda allowed: read_archive(archive, budget, allowed), "a file written by torch.save"
    if head.startswith(GZIP) or (head.startswith(ZLIB) and len(head) > 1 and (head[0] * 256 + head[1]) % 31 == 0):
        return "msgpack", lambda allowed: Unpacker(inflated(path.read_bytes(), budget), budget).load(), "a msgpack map"
    if is_safetensors(head, budget.size):
        return "torch", lambda allowed: read_safetensors(path, budget), "a safetensors file"
    if head and (0x80 < head[0] <= 0x8F or head[0] in (0xDE, 0xDF)):
        return "msgpack", lambda allowed: Unpacker(path.read_bytes(), budget).load(), "a msgpack map"
    return "torch", lambda allowed: read_stream(path, budget, allowed), "a file written by torch.save"


def _numbered(arrays: list[Any]) -> list[tuple[str, Any]]:
    if not all(isinstance(array, Numbers) for array in arrays):
        raise Broken("more than arrays of numbers")
    return [(str(i), array) for i, array in enumerate(arrays)]


def _members(path: Path, content: Any) -> Any:
    """The members of what a file holds: of a pickled module its own, a lone tensor under a name."""
    content = resolved(content)
    if isinstance(content, Numbers):
        return {LONE: content}
    if isinstance(content, Instance) and isinstance(content.state, dict):
        return content
    if not isinstance(content, dict):
        raise DuplexError(f"{path}: it holds a {_kind_of(content)}: expected a dictionary of state dicts")
    return content


def _kind_of(content: Any) -> str:
    return shown(content.name) if isinstance(content, Instance) else type(content).__name__


def read_small_text(path: Path) -> str:
    """The text of a small configuration file, its lines cut where they are too long; empty when there is none."""
    if not path.is_file():
        return ""
    size = path.stat().st_size
    if size > MAX_TEXT_BYTES:
        raise DuplexError(f"{path}: {size} bytes: expected a configuration of at most 1 MiB")
    with path.open("rb") as stream:
        text = stream.read(MAX_TEXT_BYTES).decode("utf-8-sig", errors="replace")
    return "\n".join(line[:MAX_LINE] for line in text.splitlines())


def yaml_beside(path: Path, kind: str) -> CheckpointNode:
    """The YAML file ``path``, an empty node where there is none; ``kind``: whose it is, for the error."""
    try:
        content = read_yaml(_whole_text(path)) if path.is_file() else None
    except Broken as error:
        raise DuplexError(f"{path}: not a {kind} configuration ({shown(error)}): {MEND}") from None
    return CheckpointNode(content, str(path), remedy=MEND)


def json_beside(path: Path, kind: str) -> CheckpointNode:
    """The JSON file ``path``, an empty node where there is none; ``kind``: what it is, for the error."""
    try:
        content = parse_json(_whole_text(path).encode()) if path.is_file() else None
    except ValueError as error:
        raise DuplexError(f"{path}: not {kind} ({shown(error)}): {MEND}") from None
    return CheckpointNode(content, str(path), remedy=MEND)


def _whole_text(path: Path) -> str:
    with path.open("rb") as stream:
        content = stream.read(MAX_TEXT_BYTES + 1)
    if len(content) > MAX_TEXT_BYTES:
        raise DuplexError(f"{path}: over {MAX_TEXT_BYTES} bytes: expected a configuration of at most 1 MiB")
    return content.decode("utf-8-sig", errors="replace")


def read_options(folder: Path) -> CheckpointNode:
    """The ``key = value`` lines of ``config.txt`` and ``args.txt`` in ``folder``; the second one wins.

    Values are what YAML would make of them: ``True``, numbers, texts.
    """
    options: dict[str, Any] = {}
    for name in ("config.txt", "args.txt"):
        for line in read_small_text(folder / name).splitlines():
            key, equals, value = line.partition("=")
            if equals:
                options[key.strip()] = scalar(value.strip())
    return CheckpointNode(options, str(folder / "args.txt"), remedy=MEND)


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
