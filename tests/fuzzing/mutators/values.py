"""Values that readers stumble over: numbers at the edges of types, odd texts, names of classes and functions."""

from __future__ import annotations

from random import Random

EDGES = (0, 1, 2, 3, 7, 8, 15, 16, 24, 31, 32, 63, 64, 127, 128, 255, 256, 1000, 32767, 32768, 65535, 65536, 1 << 20)
HUGE = (1 << 24, 1 << 28, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 40, 1 << 53, (1 << 63) - 1, 1 << 63)
WHOLE = (*EDGES, *HUGE, (1 << 64) - 1, 1 << 64, 10**30, 10**400, *(-n for n in (*EDGES[1:6], *HUGE)))
REAL = (0.0, -0.0, 0.5, -0.5, 1e-9, 1e-45, 5e-324, 1e9, 1e18, 1e38, 3.5e38, 1e300, -1e300)
REAL = (*REAL, float("nan"), float("inf"), float("-inf"), 1.0, -1.0, 0.999999, 1e6, 1e-3)
TEXTS = (
    "",
    "x",
    "0",
    "-1",
    "1e999",
    "nan",
    "inf",
    "True",
    "None",
    "²",
    "１２",
    "\0",
    "\ud800",
    "\n",
    "\x1b[31m",
    "é" * 99,
)
TEXTS = (
    *TEXTS,
    "../x",
    "/etc/passwd",
    "C:\\x",
    ".",
    "..",
    "x" * 300,
    "x" * 5000,
    "9" * 400,
    "9" * 5000,
    "0x" + "f" * 999,
)
TEXTS = (
    *TEXTS,
    "blender",
    "llff",
    "SH9",
    "RGBA",
    "float16",
    "float32",
    "bfloat16",
    "object",
    "<f4",
    "|O",
    "V999999999",
)


def whole(random: Random, near: int | None = None) -> int:
    """A whole number: close to ``near``, or one at an edge."""
    if near is not None and random.random() < 0.4:
        return random.choice((near + 1, near - 1, 2 * near, near // 2, -near, near + 8, near * 1000))
    return random.choice(WHOLE)


def real(random: Random, near: float | None = None) -> float:
    """A floating point number: close to ``near``, or one that is hard to compute with."""
    if near is not None and random.random() < 0.4:
        return near * random.choice((-1.0, 0.5, 2.0, 1e3, 1e-3, 1e30))
    return random.choice(REAL)


def text(random: Random, near: str | None = None) -> str:
    """A text: ``near`` with a change, or an odd one."""
    if near and random.random() < 0.4:
        i = random.randrange(len(near))
        return random.choice((near[:i], near[i:], near[:i] + "\0" + near[i:], near * 2, near.upper(), near + "é"))
    return random.choice(TEXTS)
