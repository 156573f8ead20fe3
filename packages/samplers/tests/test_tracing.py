"""Arrays with values and without, on torch without a compiler; extra/ has the compilers."""

import numpy as np
import pytest
from diffkit_samplers.tracing import compiled_by_torch, readable


def test_an_array_with_values_is_readable():
    assert readable(np.ones(1))
    assert compiled_by_torch(np.ones(1)) is False
    torch = pytest.importorskip("torch")
    assert readable(torch.ones(1))
    assert compiled_by_torch(torch.ones(1)) is False


def test_an_array_that_torch_traces_is_not_readable(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.compiler, "_is_compiling_flag", True)  # as torch.export sets it
    assert compiled_by_torch(torch.ones(1)) is True
    assert compiled_by_torch(np.ones(1)) is False
    assert not readable(torch.ones(1))
    assert readable(np.ones(1))


def test_an_array_that_jax_traces_is_not_readable():
    jax = pytest.importorskip("jax")
    seen = []
    jax.vmap(lambda x: seen.append(readable(x)) or x)(jax.numpy.ones((2, 3)))
    assert (seen, readable(jax.numpy.ones(1))) == ([False], True)


def test_an_array_without_values_is_not_readable():
    torch = pytest.importorskip("torch")
    from torch._subclasses import FakeTensorMode

    assert not readable(torch.ones(1, device="meta"))
    with FakeTensorMode():
        assert not readable(torch.ones(1))
    seen = []
    torch.vmap(lambda x: seen.append(readable(x)) or x)(torch.ones(2, 3))
    assert seen == [False]
