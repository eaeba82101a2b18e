"""The pace of saves, and random generators of other devices."""

from __future__ import annotations

import pytest
import torch

from duplex.baking.runtime import training_state
from duplex.baking.runtime.training_state import SaveTimer, restore_generator


def test_saves_are_paced_by_the_clock_and_by_what_they_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    saves: list[float] = []
    monkeypatch.setattr(training_state.time, "monotonic", lambda: now)

    def slow() -> None:
        nonlocal now
        saves.append(now)
        now += 10

    timer = SaveTimer()
    while now < 500:
        timer.save_if_due(slow)
        now += 1
    assert saves[0] == 31  # more than 30 s after the start
    assert saves[1] == 31 + 10 + 201  # and more than 20 times the 10 s that the save took


def test_a_generator_of_another_device_is_seeded_anew() -> None:
    first, second = torch.Generator(), torch.Generator().manual_seed(5)
    restore_generator(first, {"generator": torch.zeros(16, dtype=torch.uint8)}, 5)
    assert torch.equal(torch.rand(3, generator=first), torch.rand(3, generator=second))
