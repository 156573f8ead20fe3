"""TensorBoard's files have the entries of the log, also after a resume."""

import pytest
import torch
from diffkit_trainer import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def events(run):
    found = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0})
    found.Reload()
    return found


def test_numbers_and_grids_are_in_the_event_files(tmp_path):
    logger = TensorBoardLogger(tmp_path)
    for step in (1, 2):
        logger.log({"step": step, "loss": step / 4, "loss_by_t": [0.5, None, 2.0 * step], "lr": 1e-3, "skipped": 0})
    logger.images(torch.zeros(4, 1, 8, 8, dtype=torch.uint8), 2)
    logger.close()
    found = events(tmp_path)
    assert sorted(found.Tags()["scalars"]) == ["loss", "loss_by_t/0", "loss_by_t/2", "lr", "skipped"]
    assert [(event.step, event.value) for event in found.Scalars("loss_by_t/2")] == [(1, 2.0), (2, 4.0)]
    assert [event.step for event in found.Images("samples")] == [2]


def test_a_resumed_run_shows_no_step_twice(tmp_path):
    for begin, end, value in ((0, 7, 1.0), (4, 9, 2.0)):  # killed at step 7, resumed from step 4
        logger = TensorBoardLogger(tmp_path, begin)
        for step in range(begin + 1, end + 1):
            logger.log({"step": step, "loss": value})
            logger.images(torch.zeros(1, 1, 8, 8, dtype=torch.uint8), step)
        logger.close()
    found = events(tmp_path)
    assert [(event.step, event.value) for event in found.Scalars("loss")] == [(n, 1.0 if n <= 4 else 2.0) for n in range(1, 10)]
    assert [event.step for event in found.Images("samples")] == list(range(1, 10))
