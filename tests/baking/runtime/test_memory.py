"""Memory that runs out, and how much there is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from duplex.app.core.errors import DuplexError
from duplex.baking.fields.rendering import in_chunks
from duplex.baking.runtime import memory
from duplex.baking.runtime.memory import GIB, Needs
from duplex.baking.runtime.out_of_memory import retry_with_less

CPU_MESSAGE = "[enforce fail at alloc_cpu.cpp:113] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"


def test_chunks_shrink_until_they_fit() -> None:
    sizes: list[int] = []

    def square(x: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x))
        if len(x) > 300:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return x * x

    x = torch.arange(2100.0)
    assert torch.equal(in_chunks(square, 1200, x), x * x)
    assert sizes == [1200, 600, *[300] * 7]


def test_the_cpu_runs_out_too_and_other_errors_pass() -> None:
    tried = []

    def always(size: int) -> None:
        tried.append(size)
        raise RuntimeError(CPU_MESSAGE)

    with pytest.raises(DuplexError, match="memory ran out"):
        retry_with_less(always, 1000)
    assert tried == [1000, 500, 256]
    with pytest.raises(RuntimeError, match="shapes"):
        in_chunks(lambda x: (_ for _ in ()).throw(RuntimeError("shapes do not fit")), 4, torch.ones(4))


def test_no_rows_give_no_rows() -> None:
    assert in_chunks(lambda x: x[:, :2], 4, torch.ones(0, 3)).shape == (0, 2)


def test_a_bake_that_does_not_fit_is_refused_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Needs(memory=1, disk=1).check(tmp_path)
    with pytest.raises(DuplexError, match=r"GiB free, this bake needs 9\.0e\+06 GiB|GiB free, this bake needs 9000000"):
        Needs(memory=1, disk=9e6 * GIB).check(tmp_path)
    monkeypatch.setattr(memory, "available_memory", lambda: 2 * GIB)
    with pytest.raises(DuplexError, match=r"needs about 3\.0 GiB of memory, 2\.0 GiB are available: give a smaller"):
        Needs(memory=3 * GIB, disk=1).check(tmp_path)


@pytest.mark.parametrize("version", [1, 2])
def test_a_container_has_what_its_limit_leaves(version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (_, limit, used, cached) = memory.CONTROL_GROUPS[2 - version]
    monkeypatch.setattr(
        memory, "CONTROL_GROUPS", ((tmp_path / "none", limit, used, cached), (tmp_path, limit, used, cached))
    )
    (tmp_path / limit).write_text("1000000\n")
    (tmp_path / used).write_text("700000\n")
    (tmp_path / "memory.stat").write_text(f"anon 500000\n{cached} 200000\n")
    assert memory.available_memory() == 500000
    (tmp_path / limit).write_text("max\n")
    assert memory.available_memory() != 500000


def test_an_outer_portion_shrinks_when_the_smallest_inner_one_does_not_fit() -> None:
    rows: list[int] = []

    def inner(x: torch.Tensor, held: int) -> torch.Tensor:
        if held > 600:  # what the outer function holds leaves no room for anything
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return x

    def outer(x: torch.Tensor) -> torch.Tensor:
        rows.append(len(x))
        return in_chunks(lambda part: inner(part, len(x)), 512, x)

    x = torch.arange(1000.0)
    assert torch.equal(in_chunks(outer, 1000, x), x) and rows == [1000, 500, 500]


def test_what_an_interrupted_bake_has_written_is_not_needed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory.psutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(DuplexError, match="GiB free"):
        Needs(1, 1500).check(tmp_path)
    (tmp_path / "views-00000.raw").write_bytes(bytes(600))
    Needs(1, 1500).check(tmp_path)
