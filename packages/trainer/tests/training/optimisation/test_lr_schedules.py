"""The factor of the learning rate over the updates."""

import pytest
import torch
from diffkit_trainer import LR_SCHEDULES


def test_the_cosine_falls_from_one_to_zero():
    factor = LR_SCHEDULES["cosine"](torch.tensor([0.0, 1 / 3, 0.5, 2 / 3, 1.0], dtype=torch.float64))
    torch.testing.assert_close(factor, torch.tensor([1.0, 0.75, 0.5, 0.25, 0.0], dtype=torch.float64))


def test_a_constant_learning_rate_has_no_factor():
    assert LR_SCHEDULES["constant"] is None


def test_a_new_entry_is_a_schedule_of_the_trainer(monkeypatch, make_trainer):
    monkeypatch.setitem(LR_SCHEDULES, "triangle", lambda fraction: 1 - fraction)
    trainer = make_trainer(lr=0.5, lr_schedule="triangle", decay_steps=4)
    rates = [trainer.optimiser.lr.item() for _ in trainer.run(4)]
    assert rates == pytest.approx([0.5, 0.375, 0.25, 0.125])
