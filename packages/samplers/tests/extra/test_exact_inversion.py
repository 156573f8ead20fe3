"""Exact inversion in torch and JAX, with networks, and with a network that is compiled."""

import diffkit_samplers as dk
import diffkit_schedules as ds
import jax
import numpy as np
import pytest
import torch
from diffkit_samplers.testing import MixtureOracle

X0 = np.random.default_rng(0).standard_normal((3, 1, 4, 4))


def network():
    torch.manual_seed(0)
    convolutions = [torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.SiLU(), torch.nn.Conv2d(8, 1, 3, padding=1)]
    return torch.nn.Sequential(*convolutions)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_torch_gives_the_data_back_to_the_bit(dtype, compiled):
    net = network().to(dtype)
    model = torch.compile(net, backend="aot_eager") if compiled else net
    denoise = dk.denoiser(lambda x, c: model(x), ds.offset_cosine(), "eps")
    x0 = torch.asarray(X0).to(dtype)
    for steps in (2, 7):
        latent = dk.bdia_encode(denoise, ds.offset_cosine(), x0, steps=steps)
        decoded = dk.bdia_decode(denoise, ds.offset_cosine(), latent, steps=steps)
        assert torch.equal(decoded, x0)
        assert not decoded.requires_grad


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_jax_gives_the_data_back_to_the_bit(dtype):
    denoise, x0 = jax.jit(MixtureOracle(ds.cosine()), static_argnums=1), jax.numpy.asarray(X0, dtype=dtype)
    latent = dk.bdia_encode(denoise, ds.cosine(), x0, steps=4)
    assert (dk.bdia_decode(denoise, ds.cosine(), latent, steps=4) == x0).all()


def test_a_traced_encoding_is_close():
    denoise, x0 = MixtureOracle(ds.cosine()), jax.numpy.asarray(X0, dtype="float32")
    traced = jax.jit(lambda x0: dk.bdia_encode(denoise, ds.cosine(), x0, steps=3))(x0)
    np.testing.assert_allclose(dk.bdia_decode(denoise, ds.cosine(), traced, steps=3), x0, atol=1e-3)
