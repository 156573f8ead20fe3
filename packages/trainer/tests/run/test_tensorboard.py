"""TensorBoard that is not installed; extra/test_tensorboard.py tests its files."""

import sys

import pytest
from diffkit_trainer import TensorBoardLogger


def test_without_tensorboard_the_error_names_the_package_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # its import fails
    with pytest.raises(ValueError, match=r"pip install 'diffkit-trainer\[tensorboard\]'"):
        TensorBoardLogger(tmp_path)
