"""What the shapes of a network's layers leave open: questions, and the words that answer them.

A question is a tuple of words, the usual answer first. Each word is a value of one of the flags in :data:`FLAGS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from duplex.baking.fields.field import ACTIVATIONS, Overrides

ENCODINGS = ("ftd", "tfd", "tdf", "dtf")
SKIP_ORDERS = ("encoded-first", "hidden-first")
FREQUENCIES = ("plain-frequencies", "pi-frequencies")  # of the encoding: 2^k, or pi 2^k
FIRST = ("relu-first", "linear-first")  # behind the first layer
FEATURES = ("linear-feature", "relu-feature", "no-feature")  # the layer before the view layers, and what is behind it
VIEWS = ("feature-first", "views-first")  # the columns that the first view layer takes
DENSITIES = ("density-first", "density-last")  # its row, where one layer gives density and more
WIRINGS = (*FREQUENCIES, *FIRST, *FEATURES, *VIEWS, *DENSITIES)
FLAGS: dict[str, tuple[str, ...]] = {
    "skip_order": SKIP_ORDERS,
    "encoding": ENCODINGS,
    "activation": tuple(ACTIVATIONS),
    "wiring": WIRINGS,
}
NAMES = {"skip_order": "skips", "encoding": "encoding order", "activation": "density", "wiring": "wiring"}

Question = tuple[str, ...]


def flag_for(question: Question) -> str:
    """The member of :class:`Overrides` that answers ``question``."""
    return next(name for name, words in FLAGS.items() if question[0] in words)


def answer_of(overrides: Overrides, question: Question) -> str | None:
    """The answer in ``overrides``, None where it is open."""
    name = flag_for(question)
    given = (overrides.wiring or ()) if name == "wiring" else (getattr(overrides, name),)
    return next((word for word in question if word in given), None)


def answered(overrides: Overrides, answers: Sequence[str]) -> Overrides:
    """``overrides`` with the words ``answers`` in them."""
    words = tuple(word for word in answers if word in WIRINGS)
    changes: dict[str, Any] = {flag_for((word,)): word for word in answers}
    changes["wiring"] = (*(overrides.wiring or ()), *words) or None
    return replace(overrides, **changes)


def assumptions(questions: Sequence[Question]) -> tuple[str, ...]:
    """What is assumed where ``questions`` are open: a sentence for each flag that answers some."""
    sentences = []
    for name, title in NAMES.items():
        mine = [question for question in questions if flag_for(question) == name]
        others = ", ".join(word for question in mine for word in question[1:])
        if mine:
            usual = ", ".join(question[0] for question in mine)
            sentences.append(f"{title} {usual}, as the shapes do not tell (--{name.replace('_', '-')} {others})")
    return tuple(sentences)
