"""What is said where TensorBoard is not there; what it is given, extra/test_boards.py."""

import sys

import pytest
from diffkit_trainer import TensorBoardLogger


def test_without_tensorboard_the_way_out_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # what an import of a package that is not there meets
    with pytest.raises(ValueError, match=r"pip install 'diffkit-trainer\[tensorboard\]'"):
        TensorBoardLogger(tmp_path)
