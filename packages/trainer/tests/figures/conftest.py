"""Helpers for the tests of figures."""

import pytest
import torch


@pytest.fixture
def numbered():
    """A function to images of one value each: 1, 2, 3, ..."""

    def make(count, channels=1, height=2, width=3):
        values = torch.arange(1, count + 1, dtype=torch.uint8)
        return values.view(-1, 1, 1, 1).expand(count, channels, height, width)

    return make
