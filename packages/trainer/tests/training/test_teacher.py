"""A network that learns a teacher's answers in place of the data."""

from types import SimpleNamespace

import pytest
import torch
from diffkit_trainer import resume, save, write_config


class Shifted:
    """Answers with the data of the batch, plus a number."""

    def __init__(self, by):
        self.by, self.asked = by, []

    def __call__(self, x0, t, eps, given):
        self.asked.append(SimpleNamespace(x0=x0, t=t, eps=eps, given=given))
        return x0 + self.by, t, eps

    def to_config(self):
        return {"by": self.by}


def test_a_teacher_whose_answers_are_the_data_changes_nothing(make_trainer, train_to, state_of, assert_same_state):
    alone, taught = make_trainer(), make_trainer(teacher=Shifted(0.0))
    assert train_to(alone, 3) == train_to(taught, 3)
    (numbers, tensors), (same, others) = state_of(alone), state_of(taught)
    assert same["experiment"].pop("teacher") == {"by": 0.0}
    assert_same_state((numbers, tensors), (same, others))


def test_the_loss_is_that_of_the_teacher_s_answers_and_the_held_out_loss_too(make_trainer, train_to):
    far, near = (make_trainer(teacher=Shifted(by), prediction="x0", held_out=0.1) for by in (100.0, 0.0))
    assert train_to(far, 1)[0] > 90 > 10 > train_to(near, 1)[0]
    assert far.held_out_losses()["loss_held_out"] > 90
    for one, other in zip(far.teacher.asked, near.teacher.asked, strict=False):
        assert all(torch.equal(getattr(one, name), getattr(other, name)) for name in ("x0", "t", "eps"))


def test_a_run_is_not_resumed_with_another_teacher(make_trainer, train_to, config, tmp_path):
    trainer = make_trainer(teacher=Shifted(0.5))
    train_to(trainer, 1)
    write_config(tmp_path, config)
    save(tmp_path, trainer, config)
    with pytest.raises(ValueError, match=r"teacher\.by is 1\.0 here and was 0\.5"):
        resume(tmp_path, make_trainer(teacher=Shifted(1.0)))
