import pytest
import torch

from duplex.app.errors import DuplexError
from duplex.baking.memory import with_less
from duplex.baking.rendering import in_chunks

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
        with_less(always, 1000)
    assert tried == [1000, 500, 256]
    with pytest.raises(RuntimeError, match="shapes"):
        in_chunks(lambda x: (_ for _ in ()).throw(RuntimeError("shapes do not fit")), 4, torch.ones(4))


def test_no_rows_give_no_rows() -> None:
    assert in_chunks(lambda x: x[:, :2], 4, torch.ones(0, 3)).shape == (0, 2)
