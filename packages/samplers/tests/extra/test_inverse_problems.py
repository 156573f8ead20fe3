"""Inverse problems and vector-Jacobian products in torch and JAX, traced too."""

from functools import partial

import diffkit_samplers as dk
import diffkit_schedules as ds
import jax
import numpy as np
import pytest
import torch
from diffkit_samplers.posterior.pullbacks import estimate_and_pullback
from diffkit_samplers.testing import GaussianOracle, MixtureOracle

jax.config.update("jax_enable_x64", True)

BACKENDS = {"numpy": np.asarray, "torch": torch.asarray, "jax": jax.numpy.asarray}
X = np.random.default_rng(0).standard_normal((3, 2, 4))
Y = np.random.default_rng(1).standard_normal((1, 2, 2))
ORACLE = MixtureOracle(ds.cosine())
quiet = pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")


def pooled(x):
    return (x[..., 0::2] + x[..., 1::2]) / 2


def unpooled(u):
    return (u[..., None] * np.full(2, 0.5)).reshape(*u.shape[:-1], -1)


def network(x, t):
    """The oracle without its own vector-Jacobian product."""
    return ORACLE(x, t)


def bent(x):
    """A measurement that is not linear."""
    return pooled(x * x)


def numbers(x):
    return np.asarray(x.float() if isinstance(x, torch.Tensor) and x.dtype == torch.bfloat16 else x, dtype=np.float64)


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_automatic_differentiation_gives_the_oracles_products(backend):
    x, u = BACKENDS[backend](X), BACKENDS[backend](X[::-1].copy())
    for oracle in (ORACLE, GaussianOracle(ds.cosine(), 0.3, 0.5)):
        exact, pull_exact = oracle.vjp(X, 0.4)
        estimate, pull = estimate_and_pullback(lambda x, t, oracle=oracle: oracle(x, t), x, 0.4)
        np.testing.assert_allclose(estimate.x0, exact, rtol=1e-10)
        np.testing.assert_allclose(pull(u), pull_exact(X[::-1]), rtol=1e-9)


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_pigdm_is_the_same_in_every_library(backend):
    problem = {"sigma_y": 0.1, "iterations": 2}
    expected = dk.ddim(dk.pigdm(ORACLE, ds.cosine(), pooled, Y, transpose=unpooled, **problem), ds.cosine(), X, steps=4)
    x = BACKENDS[backend](X)
    found = dk.ddim(dk.pigdm(network, ds.cosine(), pooled, Y, **problem), ds.cosine(), x, steps=4)
    assert (type(found), found.dtype) == (type(x), x.dtype)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    by_dps = dk.ddim(dk.dps(network, ds.cosine(), pooled, Y, sigma_y=0.1), ds.cosine(), x, steps=4)
    np.testing.assert_allclose(by_dps, expected, rtol=1e-9, err_msg="A A^T is a multiple of the identity")


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_dps_fits_a_measurement_that_is_not_linear(backend):
    x0 = np.tile(X[:1], (3, 1, 1))
    y = BACKENDS[backend](bent(x0))
    oracle, x = GaussianOracle(ds.cosine()), BACKENDS[backend](X)
    found = dk.ddim(dk.dps(oracle, ds.cosine(), bent, y), ds.cosine(), x, steps=100)
    plain = dk.ddim(oracle, ds.cosine(), x, steps=100)
    error, before = (float(np.abs(np.asarray(bent(each) - y)).mean()) for each in (found, plain))
    assert error < 0.06 * before


EACH = pytest.mark.parametrize(
    ("wrap", "A"), [(partial(dk.pigdm, network, iterations=2), pooled), (partial(dk.dps, network), bent)], ids=["pigdm", "dps"]
)


@EACH
def test_jax_traces_an_inverse_problem(wrap, A):
    def sample(x):
        return dk.ddim(wrap(ds.cosine(), A, Y), ds.cosine(), x, steps=2, eta=1.0, noise=lambda shape: 0.5 * x)

    x = jax.numpy.asarray(X)
    np.testing.assert_allclose(jax.jit(sample)(x), sample(x), rtol=1e-8)
    np.testing.assert_allclose(jax.vmap(sample)(x[:, None])[:, 0], sample(x), rtol=1e-8)


@quiet
@EACH
def test_torch_traces_an_inverse_problem(wrap, A):
    def sample(x):
        return dk.ddim(wrap(ds.cosine(), A, y), ds.cosine(), x, steps=2)

    x, y = torch.asarray(X), torch.asarray(Y)
    torch._dynamo.reset()
    expected = sample(x)
    torch.testing.assert_close(torch.compile(sample, fullgraph=True, backend="eager")(x), expected)
    torch.testing.assert_close(torch.vmap(sample)(x[:, None])[:, 0], expected)
    with torch.inference_mode():
        torch.testing.assert_close(sample(x), expected)


def test_a_compiled_network_with_parameters_keeps_no_graph():
    net = torch.nn.Linear(4, 4).double()
    compiled = torch.compile(net, backend="aot_eager")
    x, given = torch.asarray(X), partial(dk.pigdm, schedule=ds.cosine(), A=pooled, y=Y, iterations=2)
    plain, other = (
        dk.ddim(given(dk.denoiser(lambda x, c, each=each: each(x), ds.cosine(), "v")), ds.cosine(), x, steps=3)
        for each in (net, compiled)
    )
    torch.testing.assert_close(plain, other)
    assert not plain.requires_grad
    assert net.weight.grad is None


@pytest.mark.parametrize(("backend", "dtype"), [("torch", "float16"), ("torch", "bfloat16"), ("jax", "bfloat16")])
def test_half_precision(backend, dtype):
    kind, problem = torch if backend == "torch" else jax.numpy, {"sigma_y": 0.1, "iterations": 2}
    expected = dk.ddim(dk.pigdm(ORACLE, ds.cosine(), pooled, Y, transpose=unpooled, **problem), ds.cosine(), X, steps=2)
    x = BACKENDS[backend](X, dtype=getattr(kind, dtype))
    found = dk.ddim(dk.pigdm(network, ds.cosine(), pooled, Y, **problem), ds.cosine(), x, steps=2)
    assert found.dtype == x.dtype
    np.testing.assert_allclose(numbers(found), expected, atol={"float16": 0.02, "bfloat16": 0.15}[dtype])


def test_a_learned_variance_is_kept():
    def learned(x, c):
        return torch.concat([0.5 * x, 0 * x + 0.2], dim=1)

    denoise = dk.denoiser(learned, ds.cosine(), "v", learned_range=True)
    x = torch.asarray(X)
    found = dk.pigdm(denoise, ds.cosine(), pooled, Y)(x, 0.5)
    torch.testing.assert_close(found.variance_interpolation, 0 * x + 0.6)
    assert float(dk.pigdm(dk.fixed_large(network), ds.cosine(), pooled, Y)(x, 0.5).variance_interpolation) == 1.0
