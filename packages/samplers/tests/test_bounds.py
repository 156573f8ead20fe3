"""Clipping of arrays."""

import pytest
from diffkit_samplers.bounds import clamped


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_clamped_keeps_values_within_the_bounds(library):
    xp = pytest.importorskip(library)
    x = xp.asarray([-2.0, -1.0, 0.5, 2.0], dtype=xp.float32)
    found = clamped(x, -1.0, 1.5)
    assert (found.tolist(), found.dtype) == ([-1.0, -1.0, 0.5, 1.5], xp.float32)
