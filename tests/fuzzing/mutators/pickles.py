"""Mutations of pickles: opcodes removed, doubled, exchanged, inserted, and given other arguments.

Nothing here is ever unpickled. The names that mutations put in are harmless, and one of them tells when it is called.
"""

from __future__ import annotations

import pickletools
import struct
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from fuzzing.mutators import raw, values

CALLED = "fuzzing.canary mark"
NAMES = (
    CALLED, CALLED, "builtins bytearray", "builtins set", "builtins complex", "builtins getattr", "builtins print",
    "builtins list", "builtins dict", "builtins range", "builtins slice", "builtins object", "__builtin__ long",
    "collections OrderedDict", "collections deque", "collections defaultdict", "collections Counter", "os getcwd",
    "copyreg _reconstructor", "copy_reg __newobj__", "_codecs encode", "argparse Namespace", "pathlib PosixPath",
    "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor", "torch._utils _rebuild_parameter",
    "torch._utils _rebuild_sparse_tensor", "torch._utils _rebuild_qtensor",
    "torch._utils _rebuild_meta_tensor_no_storage", "torch._utils _rebuild_device_tensor_from_numpy",
    "torch._tensor _rebuild_from_type_v2", "torch FloatStorage", "torch HalfStorage", "torch BFloat16Storage",
    "torch DoubleStorage", "torch LongStorage", "torch BoolStorage", "torch ComplexFloatStorage",
    "torch QInt8Storage", "torch Size", "torch device", "torch float32", "torch float8_e4m3fn",
    "torch.storage UntypedStorage", "torch.storage _load_from_bytes", "torch.nn.parameter Parameter", "torch Tensor",
    "torch.serialization _get_layout", "numpy ndarray", "numpy dtype", "numpy.core.multiarray _reconstruct",
    "numpy._core.multiarray scalar", "numpy.core.multiarray scalar", "numpy._core.numeric _frombuffer",
    "numpy.dtypes Float32DType", "numpy.random._pickle __randomstate_ctor", "mmcv.utils.config ConfigDict",
    "pytorch_lightning.utilities.parsing AttributeDict", "multi_modules MultiNetwork", "__main__ FastNerf", "a.b c",
)  # fmt: skip
BARE = tuple(bytes([code]) for code in b"(.012NRQ)]}abdeltuso\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98")
LITERALS = (
    b"I1\n", b"I00\n", b"I01\n", b"L99999L\n", b"F1e999\n", b"F\n", b"S'x'\n", b"Vx\\ud800\n", b"Px\n", b"p0\n",
    b"g0\n", b"iargparse\nNamespace\n", b"h\x00", b"h\x01", b"q\x00", b"r\xff\xff\xff\x7f", b"j\xff\xff\xff\xff",
    b"\x82\x01", b"\x83\x01\x01", b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x96\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"T\xff\xff\xff\x7f", b"B\xff\xff\xff\x7f", b"X\xff\xff\xff\xff", b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x8b\xff\xff\xff\x7f", b"\x80\x09", b"G\x7f\xf0\0\0\0\0\0\0", b"G\x7f\xf8\0\0\0\0\0\0",
    b"\x8a\xff" + b"\xff" * 255, b"\x8b\x00\x10\x00\x00" + b"\x7f" * 4096,
)  # fmt: skip
BOMBS = (
    b")" + b"2\x86" * 40, b")" + b"2\x86" * 40 + b"Ns", b"]" + b"q\xfeh\xfe" * 3 + b"e", b"(" * 3000, b"]" * 3000,
    b"}" + b"2\x85" * 900, b"](h\x00h\x00e" * 20, b"X\x01\x00\x00\x00x" + b"2\x86" * 26, b"]q\xfdh\xfda",
    b"}q\xfdNh\xfds", b"cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R", b"(" + b"N" * 3000 + b"t", b"N0" * 3000,
    b"(" + b"}" * 500 + b"l",
)  # fmt: skip


@dataclass(frozen=True)
class Opcode:
    """An opcode of a pickle: its name, its argument, and its bytes."""

    name: str
    argument: object
    content: bytes


@lru_cache(1024)
def opcodes_of(content: bytes) -> tuple[tuple[Opcode, ...], bytes]:
    """The opcodes of all pickles at the start of ``content``, and what follows them."""
    found: list[Opcode] = []
    done = 0
    while done < len(content) and len(found) < 20_000:
        try:
            steps = list(pickletools.genops(content[done:]))
        except Exception:  # genops raises whatever the broken opcode leads to
            break
        places = [place or 0 for _, _, place in steps] + [(steps[-1][2] or 0) + 1]
        for (code, argument, place), end in zip(steps, places[1:], strict=True):
            found.append(Opcode(code.name, argument, content[done + (place or 0) : done + end]))
        done += places[-1]
    return tuple(found), content[done:]


def mutated(content: bytes, random: Random) -> bytes:
    """The pickles with one change."""
    opcodes, rest = opcodes_of(content)
    if len(opcodes) < 2 or random.random() < 0.03:
        return raw.mutated(content, random)
    if rest and random.random() < 0.1:
        return b"".join(o.content for o in opcodes) + raw.mutated(rest, random)
    i = random.randrange(len(opcodes))
    changed = _changed(opcodes, i, random)
    return b"".join([*(o.content for o in opcodes[:i]), *changed, rest])


def _changed(opcodes: tuple[Opcode, ...], i: int, random: Random) -> list[bytes]:
    """The opcodes from ``i`` on, with one change."""
    after = [o.content for o in opcodes[i:]]
    kind = random.random()
    if kind < 0.5:
        place = next((k for k in range(i, len(opcodes)) if opcodes[k].argument is not None), None)
        if place is None:
            return after
        after[place - i] = _other_argument(opcodes[place], opcodes, random)
        return after
    if kind < 0.6:
        return after[random.choice((1, 1, 2, 5)) :]
    if kind < 0.7:
        return after[: random.choice((1, 3, 10))] + after
    if kind < 0.75:
        return after[1:2] + after[:1] + after[2:]
    if kind < 0.8:
        return [random.choice(opcodes).content, *after[1:]]
    return [_piece(random), *after]


def _piece(random: Random) -> bytes:
    """Opcodes to put in: one that stands alone, a call, a state, or what grows when it is unpickled."""
    kind = random.randrange(6)
    if kind < 2:
        return random.choice(BARE)
    if kind == 2:
        return random.choice(LITERALS)
    if kind == 3:
        return random.choice(BOMBS)
    name = b"c" + random.choice(NAMES).replace(" ", "\n").encode() + b"\n"
    if kind == 4:
        return name + random.choice((b"", b")R", b")\x81", b"N\x85R", b")R}X\x01\x00\x00\x00xNsb", b")}\x92", b"0"))
    return name + random.choice((b"NtR0", b")R0", b"b", b"K\x05\x85R", b"]\x85R", b"X\x03\x00\x00\x00abc\x85R"))


def _other_argument(opcode: Opcode, opcodes: tuple[Opcode, ...], random: Random) -> bytes:
    """The opcode with another argument of its kind."""
    name, argument = opcode.name, opcode.argument
    if name == "GLOBAL":
        others = NAMES if random.random() < 0.7 else [str(o.argument) for o in opcodes if o.name == "GLOBAL"]
        return b"c" + random.choice(others).replace(" ", "\n", 1).encode() + b"\n"
    if name in ("BINGET", "BINPUT", "LONG_BINGET", "LONG_BINPUT"):
        place = int(str(argument)) + random.choice((-3, -2, -1, 1, 2, 7))
        return (
            bytes([opcode.content[0]]) + place.to_bytes(len(opcode.content) - 1, "little") if 0 <= place < 255 else b""
        )
    if isinstance(argument, int):
        return integer(values.whole(random, argument))
    if isinstance(argument, float):
        return b"G" + struct.pack(">d", values.real(random, argument))
    if isinstance(argument, str):
        others = [o.argument for o in random.choices(opcodes, k=20) if isinstance(o.argument, str)]
        new = random.choice(others) if others and random.random() < 0.5 else values.text(random, argument)
        data = str(new).encode("utf-8", "surrogatepass")
        return b"X" + struct.pack("<I", len(data)) + data
    if isinstance(argument, bytes | bytearray):
        data = raw.mutated(bytes(argument), random)
        return b"B" + struct.pack("<I", len(data)) + data
    return raw.mutated(opcode.content, random)


def integer(number: int) -> bytes:
    """The opcode that pushes a whole number."""
    if 0 <= number < 256:
        return b"K" + bytes([number])
    if -(1 << 31) <= number < 1 << 31:
        return b"J" + struct.pack("<i", number)
    data = number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data if len(data) < 256 else b"\x8b" + struct.pack("<I", len(data)) + data
