"""A data set of Hugging Face where its package is not installed; see tests/extra for where it is."""

import sys

import pytest
from diffkit_trainer import DataError, open_images


def test_the_package_that_it_needs_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    for name in ("state.json", "dataset_info.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(DataError, match=r"a data set of Hugging Face, which needs pip install 'diffkit-trainer\[datasets\]'"):
        open_images(tmp_path)
