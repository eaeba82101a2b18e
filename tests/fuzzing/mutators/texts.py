"""Mutations of texts: YAML, options of a program, configurations in Python, COLMAP's text files."""

from __future__ import annotations

import re
from random import Random

from fuzzing.mutators import raw, values

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
DOUBLING = "\n".join(["a0: &a0 [x, x]", *(f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}*a{i - 1}]" for i in range(1, 9))])
MERGING = "\n".join(["m0: &m0 {x: 1}", *(f"m{i}: &m{i} {{<<: [*m{i - 1}, *m{i - 1}], k{i}: 1}}" for i in range(1, 20))])
YAML = (
    "*a", "*id001", "&a [*a]", "&a {x: *a}", "!!python/object/apply:fuzzing.canary.mark []",
    "!!python/name:fuzzing.canary.mark ''", "1:2:3:4", "190:20:30.15", ":".join(["59"] * 20000), "-1:0", ".inf",
    "-.INF", ".nan", "2001-13-45", "2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43.9999999999999",
    "0x" + "f" * 5000, "0b1", "0o7", "010", "1_000", "_", "!!binary \"@@@\"", "!!binary aGk=", "!!timestamp x",
    "!!set {a, b}", "!!omap [a: 1]", "!!omap [1]", "!!pairs [a: 1, a: 2]", "!!int x", "!!float x", "!!bool maybe",
    "!!null x", "!!str [1]", "!!seq {a: 1}", "!!map [1]", "! x", "!<tag:x> y", "!!python/tuple [1]", "{a: 1, a: 2}",
    "{[1, 2]: 3}", "? [a, b]\n: c", "? {a: 1}\n: c", "{<<: {a: 1}}", "{<<: [{a: 1}, {a: 2}]}", "{<<: 1}", "{<<: *a}",
    "|\n  x\n  y", ">-\n  x", "\"\\x00\"", "\"\\ud800\"", "'", "\"", "{", "[", "[" * 999, "[" * 999 + "]" * 999,
    "{a: " * 400 + "1" + "}" * 400, "- " * 900 + "1", "yes", "~", "9" * 5000, "1e999", "1.e+999", "@x", "`x", "%x",
    "%YAML 9.9", "---", "--- x", "...", "\t", "\ufeff", "a" * 100_000, "\u2028x", "=", "<<",
)  # fmt: skip
PYTHON = (
    "(" * 300, "[" * 3000, "1e999", "9**9**9", "'a'*10**9", "-" * 3000 + "1", "[1]*10**9", "f'{x}'", "\0",
    "lambda: 0", "{**{}}", "0_0", "0x" + "f" * 3000, "9" * 5000, "1j", "...", "None", "b'x'", "{1: 2}", "{[]: 1}",
    "(1, 2)", "__import__('fuzzing.canary')", "dict(a=1, a=2)", "dict(**{})", "dict(dict())", "dict(1)", "'\\ud800'",
    "not 1", "1 if x else 2", "x[0]", "x.y", "-'a'", "+[]", "~1", "1+1", "a" * 9000, "\\", "'''",
)  # fmt: skip
WORDS = (
    *YAML[:12],
    "nan",
    "inf",
    "-inf",
    "1e999",
    "9" * 400,
    "0x10",
    "1,5",
    "",
    "=",
    "==",
    "[1 2",
    "]",
    "None",
    "True",
    "²",
    "１",
    "x" * 3000,
)


def mutated(content: bytes, random: Random, name: str = "") -> bytes:
    """A text with one change: in a line, of a number or a value, or of lines as a whole."""
    if random.random() < 0.06:
        return raw.mutated(content, random)
    lines = content.decode("utf-8", "surrogateescape").split("\n")
    snippets = YAML if name.endswith(("yml", "yaml")) else PYTHON if name.endswith((".py", ".gin")) else WORDS
    i = random.randrange(len(lines))
    kind = random.randrange(10)
    if kind == 0:
        del lines[i]
    elif kind == 1:
        lines[i:i] = [lines[i]] * random.choice((1, 1, 3, 50))
    elif kind == 2:
        j = random.randrange(len(lines))
        lines[i], lines[j] = lines[j], lines[i]
    elif kind == 3:
        lines[i] = random.choice((" ", "  ", "\t", "- ", "#", "? ", "!!x ", "&a ", "!")) + lines[i]
    elif kind == 4:
        lines[i:i] = random.choice((*snippets, DOUBLING, MERGING)).split("\n")
    elif kind < 7:
        lines[i] = _other_number(lines[i], random)
    else:
        lines[i] = _other_value(lines[i], random.choice(snippets), random)
    return "\n".join(lines).encode("utf-8", "surrogatepass" if "\ud800" in "".join(lines) else "surrogateescape")


def _other_number(line: str, random: Random) -> str:
    numbers = list(NUMBER.finditer(line))
    if not numbers:
        return line + random.choice(WORDS)
    found = random.choice(numbers)
    new = random.choice((str(values.whole(random)), repr(values.real(random)), random.choice(WORDS), "-" + found[0]))
    return line[: found.start()] + new + line[found.end() :]


def _other_value(line: str, snippet: str, random: Random) -> str:
    """The line with ``snippet`` behind one of its separators, or anywhere."""
    places = [found.end() for found in re.finditer(r"[:=,(\[{-] ?", line)]
    start = random.choice(places) if places else random.randrange(len(line) + 1)
    following = [place for place in (line.find(c, start) for c in ",)]} ") if place >= 0]
    end = min(following, default=len(line)) if random.random() < 0.7 else len(line)
    return line[:start] + snippet + line[end:]
