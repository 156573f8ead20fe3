"""TensorBoard's files hold what the log holds."""

import importlib.util
import sys

import pytest
import torch
from diffkit_trainer import Board


@pytest.mark.skipif(not importlib.util.find_spec("tensorboard"), reason="the tensorboard extra is not installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_numbers_and_grids_are_in_the_event_files(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = Board(tmp_path)
    for step in (1, 2):
        board.log({"step": step, "loss": step / 4, "loss_by_t": [0.5, None, 2.0 * step], "lr": 1e-3, "skipped": 0})
    board.images(torch.zeros(4, 1, 8, 8, dtype=torch.uint8), 2)
    board.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert sorted(events.Tags()["scalars"]) == ["loss", "loss_by_t/0", "loss_by_t/2", "lr", "skipped"]
    assert [(event.step, event.value) for event in events.Scalars("loss_by_t/2")] == [(1, 2.0), (2, 4.0)]
    assert [event.step for event in events.Images("samples")] == [2]


def test_without_tensorboard_the_way_out_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # what an import of a package that is not there meets
    with pytest.raises(ValueError, match=r"pip install 'diffkit-trainer\[tensorboard\]'"):
        Board(tmp_path)
