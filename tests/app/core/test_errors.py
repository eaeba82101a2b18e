"""Expected failures that end a command with one sentence."""

from __future__ import annotations

import pytest
import torch

from duplex.app.core.errors import MAX_SENTENCE, DuplexError, run_command, sentence_of


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
    ],
)
def test_a_command_that_runs_out_of_memory_ends_with_a_sentence(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(lambda: (_ for _ in ()).throw(error)) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: memory ran out (") and said.count("\n") == 1 and "smaller settings" in said
    with pytest.raises(RuntimeError, match="shapes"):
        run_command(lambda: (_ for _ in ()).throw(RuntimeError("shapes do not fit")))


@pytest.mark.parametrize("text", ["x" * 10_000, "a\nb\n" * 500, "/folder" * 200 + ": no such file: give another one"])
def test_a_sentence_is_one_line_of_bounded_length(text: str) -> None:
    for error in (DuplexError(text), OSError(2, "gone", text)):
        said = sentence_of(error)
        assert len(said) <= MAX_SENTENCE and "\n" not in said
    assert sentence_of(DuplexError(text)).endswith(text.strip()[-20:].replace("\n", " "))
