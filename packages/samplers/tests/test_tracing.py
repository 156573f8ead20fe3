"""What can be read and what cannot, on torch without a compiler; compilers themselves are in extra/."""

import numpy as np
import pytest
from diffkit_samplers.tracing import compiled_by_torch, readable


def test_numbers_can_be_read():
    assert readable(np.ones(1))
    assert compiled_by_torch(np.ones(1)) is False
    torch = pytest.importorskip("torch")
    assert readable(torch.ones(1))
    assert compiled_by_torch(torch.ones(1)) is False


def test_shapes_alone_cannot():
    torch = pytest.importorskip("torch")
    from torch._subclasses import FakeTensorMode

    assert not readable(torch.ones(1, device="meta"))
    with FakeTensorMode():
        assert not readable(torch.ones(1))
    seen = []
    torch.vmap(lambda x: seen.append(readable(x)) or x)(torch.ones(2, 3))
    assert seen == [False]
