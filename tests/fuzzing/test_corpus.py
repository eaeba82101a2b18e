"""What once went wrong goes right: every input of the corpus is accepted, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzzing import corpus
from fuzzing.judge import judged
from fuzzing.targets import BY_NAME


@pytest.mark.parametrize("entry", corpus.entries(), ids=lambda entry: f"{entry.parent.name}-{entry.stem}")
def test_an_input_of_the_corpus_ends_well(entry: Path, tmp_path: Path) -> None:
    corpus.unpack(entry, tmp_path)
    outcome = judged(BY_NAME[entry.parent.name].use, tmp_path)
    assert not outcome.defect, outcome


def test_the_corpus_holds_small_files_of_known_targets() -> None:
    for entry in corpus.entries():
        assert entry.parent.name in BY_NAME and entry.stat().st_size <= corpus.MAX_BYTES
