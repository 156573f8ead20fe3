"""The likelihood in torch and JAX, traced too."""

import diffkit_samplers as dk
import diffkit_schedules as ds
import jax
import numpy as np
import pytest
import torch
from diffkit_samplers.testing import MixtureOracle

jax.config.update("jax_enable_x64", True)

ORACLE = MixtureOracle(ds.cosine())
X = np.random.default_rng(0).standard_normal((3, 1, 2))
quiet = pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")


def network(x, t):
    """The oracle without its own vector-Jacobian product."""
    return ORACLE(x, t)


def nats(x, probes=None, noise=None):
    return dk.log_likelihood(network, ds.cosine(), x, steps=3, probes=probes, noise=noise)


@pytest.mark.parametrize("probes", [None, 1])
@pytest.mark.parametrize("asarray", [torch.asarray, jax.numpy.asarray], ids=["torch", "jax"])
def test_the_likelihood_is_the_same_in_every_library(asarray, probes):
    noise = None if probes is None else dk.seeded(range(3))
    expected = dk.log_likelihood(ORACLE, ds.cosine(), X, steps=3, probes=None)
    np.testing.assert_allclose(nats(asarray(X), probes, noise), expected, rtol=1e-9, err_msg="J is diagonal: signs are exact")


def test_jax_traces_the_likelihood():
    x = jax.numpy.asarray(X)
    np.testing.assert_allclose(jax.jit(nats)(x), nats(x), rtol=1e-9)


@quiet
def test_torch_traces_the_likelihood():
    x = torch.asarray(X)
    torch._dynamo.reset()
    torch.testing.assert_close(torch.compile(nats, fullgraph=True, backend="eager")(x), nats(x))
