"""Loggers by name, also those of other distributions."""

import importlib.metadata

import pytest
import torch
from diffkit_schedules import Registry
from diffkit_trainer import LOGGERS, TensorBoardLogger, open_loggers

MEMORY_LOGGER = """
class MemoryLogger:
    calls = []

    def __init__(self, run, step):
        self.calls.append(("open", run, step))

    def log(self, entry):
        self.calls.append(("log", dict(entry)))

    def images(self, pixels, step):
        self.calls.append(("images", tuple(pixels.shape), step))

    def close(self):
        self.calls.append(("close",))
"""


@pytest.fixture
def calls(install_distribution, monkeypatch):
    """The calls of a logger "memory" that the distribution "theirs" registers."""
    install_distribution("theirs", "diffkit.loggers", {"memory": "theirs:MemoryLogger"}, MEMORY_LOGGER)
    monkeypatch.setattr("diffkit_trainer.run.loggers.LOGGERS", Registry("diffkit.loggers", LOGGERS._builtin))
    return importlib.import_module("theirs").MemoryLogger.calls


def test_a_logger_of_another_distribution_is_opened_gets_entries_and_images_and_is_closed(tmp_path, calls):
    with open_loggers(["memory"], tmp_path, 4) as loggers:
        (logger,) = loggers
        logger.log({"step": 5, "loss": 0.5})
        logger.images(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), 5)
        assert ("close",) not in calls
    assert calls == [("open", tmp_path, 4), ("log", {"step": 5, "loss": 0.5}), ("images", (2, 1, 8, 8), 5), ("close",)]


def test_loggers_are_closed_after_an_error(tmp_path, calls):
    with pytest.raises(KeyError), open_loggers(["memory", "memory"], tmp_path, 0):
        raise KeyError
    assert calls == [("open", tmp_path, 0)] * 2 + [("close",)] * 2


def test_an_opened_logger_is_closed_if_the_next_name_is_unknown(tmp_path, calls):
    with pytest.raises(ValueError, match=r"^logger must be one of tensorboard, wandb, memory; got 'x'"):
        open_loggers(["memory", "x"], tmp_path, 0).__enter__()
    assert calls == [("open", tmp_path, 0), ("close",)]


def test_tensorboard_is_a_logger():
    assert LOGGERS["tensorboard"] is TensorBoardLogger
    assert LOGGERS.origin("tensorboard") == ("diffkit-trainer", importlib.metadata.version("diffkit-trainer"))
