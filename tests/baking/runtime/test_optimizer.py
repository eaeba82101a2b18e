"""The schedule and the renewal of Adam."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from duplex.baking.runtime.optimizer import Schedule, cosine_decay, exponential_decay, new_adam, renewed_adam


def test_a_schedule_warms_up_and_then_decays() -> None:
    schedule = Schedule(100, 10, cosine_decay(0.02))
    factors = [schedule.factor(step) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == factors[9]
    assert factors[-1] == pytest.approx(0.02, abs=1e-3)
    assert exponential_decay(0.05)(1.0) == pytest.approx(0.05)


def test_a_renewed_optimizer_keeps_the_state_of_parameters_that_stay() -> None:
    stays, goes = (nn.Parameter(torch.ones(3)) for _ in range(2))
    old = new_adam([{"params": [goes, stays], "initial": 0.1}])
    for parameter in (goes, stays):
        parameter.grad = torch.ones(3)
    old.step()
    comes = nn.Parameter(torch.ones(6))
    renewed = renewed_adam(old, [{"params": [comes, stays], "initial": 0.1}])
    assert renewed.state[stays] is old.state[stays]
    assert comes not in renewed.state
