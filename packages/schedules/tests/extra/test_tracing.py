"""Schedules and noising in traced, mapped and fake programs of torch and JAX; the host never waits for a device."""

import pickle
from functools import partial

import array_api_compat.torch as xp
import diffkit_schedules as ds
import jax
import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode

HALF = torch.full((3,), 0.5)
X0, EPS = torch.tensor([1.0, -2.0]), torch.tensor([[0.5, 0.25], [3.0, -1.0], [0.0, 2.0]])
FLOATS, ARRAYS = ds.Rates(0.6, 0.8), ds.Rates(np.array([0.6], "f4"), np.array([0.8], "f4"))


class NoWaits(TorchDispatchMode):
    """Fails on whatever waits for an accelerator: a number read, a shape that depends on values, a copy between devices."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.name()
        assert not any(
            each in name for each in ("_local_scalar_dense", "nonzero", "index_put", "index.Tensor", "masked_select")
        ), name
        result = function(*args, **(kwargs or {}))
        devices = {each.device for each in (*args, result) if isinstance(each, torch.Tensor) and each.ndim}
        assert len(devices) <= 1, f"{name} from {devices}"
        return result


def test_rates_of_an_array_do_not_make_the_host_wait(schedule):
    schedule(HALF)  # a table is copied to the device once
    with NoWaits():
        rates = schedule(HALF)
        for prediction in ds.PREDICTIONS:
            out = ds.target(EPS, ds.add_noise(EPS, EPS, rates), rates, prediction)
            ds.to_x0(out, EPS, rates, prediction)
            ds.weight(rates, "min_snr", prediction)
        for condition in ds.CONDITIONS:
            ds.condition_value(schedule, HALF, condition)


def test_a_wait_is_noticed():
    for wait in (HALF[0].item, HALF.nonzero, lambda: HALF[HALF > 0], lambda: HALF.to("meta")):
        with pytest.raises(AssertionError), NoWaits():
            wait()


def with_fake_tensors(table):
    with FakeTensorMode():
        return table(torch.full((3,), 0.5)).alpha


TRACES = {
    "fake tensors": with_fake_tensors,
    "functionalize": lambda table: torch.func.functionalize(lambda t: table(t).alpha)(HALF),
    "vmap": lambda table: torch.func.vmap(lambda t: table(t).alpha)(HALF),
    "grad": lambda table: torch.func.grad(lambda t: table(t).alpha.sum())(HALF),
    "make_fx": lambda table: make_fx(lambda t: table(t).alpha, tracing_mode="fake")(HALF),
    "export": lambda table: torch.export.export(Rates(table), (HALF,)),
    "inference": lambda table: torch.inference_mode()(lambda: table(HALF).alpha)(),
    "compile": lambda table: torch.compile(lambda t: table(t).alpha, fullgraph=True, backend="aot_eager")(HALF),
    "jax.jit": lambda table: jax.jit(lambda t: table(t).alpha)(jax.numpy.full(3, 0.5)),
    "jax.vmap": lambda table: jax.vmap(lambda t: table(t).alpha)(jax.numpy.full(3, 0.5)),
    "jax.grad": lambda table: jax.grad(lambda t: table(t).alpha)(0.5),
}


class Rates(torch.nn.Module):
    def __init__(self, schedule):
        super().__init__()
        self.schedule = schedule

    def forward(self, t):
        return self.schedule(t).alpha


@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`:UserWarning")  # of array-api-compat
@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used"])
@pytest.mark.parametrize("trace", TRACES)
def test_a_trace_leaves_the_table_as_it_was(trace, used):
    table = ds.discrete([0.1, 0.5, 0.99])
    expected = ds.discrete([0.1, 0.5, 0.99])(np.float32([0.5, 0.9]))
    if used:
        table(HALF)
    for _ in range(2):
        traced = TRACES[trace](table)
        if trace in ("functionalize", "vmap", "inference", "compile", "jax.jit", "jax.vmap"):
            np.testing.assert_allclose(np.asarray(traced), expected.alpha[0], rtol=1e-6)
    t = torch.tensor([0.5, 0.9], requires_grad=True)
    rates = table(t)
    assert [type(rate) for rate in rates] == [torch.Tensor, torch.Tensor]
    assert not any(torch._is_functional_tensor(rate) for rate in rates)
    np.testing.assert_allclose(rates.alpha.detach(), expected.alpha, rtol=1e-6)
    np.testing.assert_allclose(rates.sigma.detach(), expected.sigma, rtol=1e-6)
    rates.alpha.sum().backward()
    assert not torch._is_functional_tensor(t.grad)
    slope = (table(0.5 + 1e-6).alpha - table(0.5 - 1e-6).alpha) / 2e-6
    assert float(t.grad[0]) == pytest.approx(slope, rel=1e-4)


def test_a_table_is_copied_once_for_each_dtype():
    table = ds.linear_betas()
    table(HALF), table(HALF), table(HALF.double()), table(np.ones(1) / 2), table(jax.numpy.ones(1) / 2)
    assert sorted(str(entries[0].dtype) for entries in table._cached.values()) == ["torch.float32", "torch.float64"]


def test_a_table_that_was_used_pickles_without_its_copies(table):
    table(HALF)
    again = pickle.loads(pickle.dumps(table))
    assert again == table
    assert again._cached == {}
    assert torch.equal(again(HALF).alpha, table(HALF).alpha)


MAPS = {
    "torch": (torch.func.vmap, torch.asarray, "in_dims"),
    "jax": (jax.vmap, lambda x: jax.numpy.asarray(np.asarray(x)), "in_axes"),
}


@pytest.mark.parametrize("rates", [FLOATS, ARRAYS, ds.Rates(1, 0), ds.Rates(0, 1)], ids=str)
@pytest.mark.parametrize("library", MAPS)
def test_vmap_over_one_of_the_two_arrays(library, rates):
    vmap, asarray, axes = MAPS[library]
    if isinstance(rates.alpha, np.ndarray):
        rates = ds.Rates(*map(asarray, rates))
    x0, eps = asarray(X0), asarray(EPS)
    functions = [partial(ds.add_noise, rates=rates)]
    functions += [partial(ds.target, rates=rates, prediction=prediction) for prediction in ds.PREDICTIONS]
    functions += [partial(to, rates=rates, prediction=kind) for to in (ds.to_x0, ds.to_eps) for kind in ("v", "flow")]
    for function in functions:
        rows = [np.asarray(function(x0, row)) for row in eps]
        np.testing.assert_allclose(np.asarray(vmap(function, **{axes: (None, 0)})(x0, eps)), rows, rtol=1e-6)
        rows = [np.asarray(function(row, x0)) for row in eps]
        np.testing.assert_allclose(np.asarray(vmap(function, **{axes: (0, None)})(eps, x0)), rows, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_its_dtype_and_is_exact_to_rounding(schedule, dtype):
    t = torch.tensor([0.0, 0.25, 0.5, 1.0], dtype=dtype)
    for rate, exact in zip(schedule(t), schedule(t.double()), strict=True):
        assert rate.dtype == dtype
        torch.testing.assert_close(rate.double(), exact, rtol=2 * xp.finfo(dtype).eps, atol=1e-6)


def test_bytes_become_floats_for_any_rates():
    images, noise = torch.tensor([[0, 255]], dtype=torch.uint8), torch.tensor([[0.5, -0.5]])
    for rates in (FLOATS, ds.Rates(torch.tensor([0.6]), torch.tensor([0.8]))):
        torch.testing.assert_close(ds.add_noise(images, noise, rates), torch.tensor([[0.4, 152.6]]))
