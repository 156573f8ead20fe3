"""Every method and slerp in traced and transformed programs: jit, vmap, torch.compile, fake tensors."""

import diffkit_samplers as dk
import diffkit_schedules as ds
import jax
import numpy as np
import pytest
import torch
from torch._subclasses import FakeTensorMode

X = np.random.default_rng(0).standard_normal((4, 2, 3)).astype(np.float32)
SCHEDULES = [ds.cosine(), ds.linear_betas()]
quiet = pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")


def network(x, condition):
    return x * condition.reshape((-1,) + (1,) * (x.ndim - 1))


def sampler(method, schedule, eta=0.5, known=None, wrapped=True):
    """A method over a denoiser, within every wrapper; a fixed noise array makes the results comparable."""

    def sample(x):
        denoise = dk.denoiser(network, schedule, "v")
        noise = None if known is None else lambda shape: known
        times = [1.0, 0.5, 0.0] if wrapped else [0.9, 0.6, 0.3, 0.0]
        options = {"method": method, "spacing": times, "eta": eta, "noise": noise}
        if wrapped:
            denoise = within_every_wrapper(denoise, schedule, x)
        *_, last = dk.trajectory(denoise, schedule, x, **options)
        return last.x0

    return sample


def within_every_wrapper(denoise, schedule, x):
    denoise = dk.guide(dk.dynamic_threshold(denoise), denoise, dk.interval(2.0, 0.2, 0.9), rescale=0.5)
    denoise = dk.guide([denoise, denoise], denoise, [1.5, lambda t: -t], transform=dk.apg(max_norm=2.0))
    denoise = dk.clip(dk.inpaint(denoise, 0 * x, 0 * x), -2, 2, keep_eps=schedule)
    return dk.fixed_large(denoise)


def close(found, expected):
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), atol=2e-5)


UPDATES = ("heun", "unipc_3", "deis", "heun_churn", "dpmpp_2s_ancestral")
EACH = pytest.mark.parametrize(
    ("method", "schedule"),
    [("ddim", ds.cosine()), ("ddim", ds.linear_betas()), *((name, ds.rectified()) for name in UPDATES)],
    ids=["ddim", "ddim on a table", *UPDATES],
)
"""Each update there is, the first within every wrapper."""


@EACH
def test_jax_traces_every_method(method, schedule):
    x = jax.numpy.asarray(X)
    sample = sampler(method, schedule, known=0.5 * x[0], wrapped=schedule == ds.cosine() and method == "ddim")
    expected = np.stack([jax.jit(sample)(each) for each in x])
    close(jax.vmap(sample)(x), expected)
    close(sample(x[1]), expected[1])


@quiet
@EACH
def test_torch_traces_every_method(method, schedule):
    x = torch.asarray(X)
    sample = sampler(method, schedule, known=0.5 * x[0], wrapped=schedule == ds.cosine() and method == "ddim")
    torch._dynamo.reset()
    close(torch.compile(sample, fullgraph=True, backend="eager")(x[1]), sample(x[1]))
    close(torch.vmap(sample)(x), torch.stack([sample(each) for each in x]))


@quiet
def test_a_compiled_sampler_draws_new_noise_in_each_call():
    torch._dynamo.reset()
    sample = torch.compile(sampler("ddim", ds.cosine(), eta=1.0, wrapped=False), fullgraph=True, backend="eager")
    first, second = (sample(torch.asarray(X[0])) for _ in range(2))
    assert (first != second).any(), "each call has new noise"


@pytest.mark.parametrize("method", dk.METHODS)
def test_fake_tensors_go_through_every_method(method):
    with FakeTensorMode():
        x = torch.empty(2, 3)
        assert sampler(method, ds.cosine())(x).shape == x.shape


def test_jax_traces_slerp():
    a, b = jax.numpy.asarray(X[:2])
    close(jax.jit(dk.slerp)(a, b, 0.3), dk.slerp(X[0], X[1], 0.3))
    close(jax.jit(lambda a, b: dk.slerp(a, b, [0.0, 0.3]))(a, b), dk.slerp(X[0], X[1], [0.0, 0.3]))
    close(jax.vmap(lambda t: dk.slerp(a, -a, t))(jax.numpy.asarray([0.3, 0.6])), dk.slerp(X[0], -X[0], [0.3, 0.6]))
    close(jax.vmap(lambda a, b: dk.slerp(a, b, 0.3))(a[:, None], b[:, None])[0], dk.slerp(X[0, :1], X[1, :1], 0.3))


@quiet
@pytest.mark.parametrize("t", [0.3, [0.0, 0.3, 1.0]], ids=["number", "sequence"])
def test_torch_traces_slerp(t):
    a, b = torch.asarray(X[:2])
    torch._dynamo.reset()
    close(torch.compile(dk.slerp, fullgraph=True, backend="eager")(a, b, t), dk.slerp(a, b, t))
    close(torch.vmap(lambda a, b: dk.slerp(a, b, t))(a[:, None], -a[:, None])[0], dk.slerp(a[:1], -a[:1], t))
    close(dk.slerp(a, b, torch.asarray(t)), dk.slerp(a, b, t))


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 3)

    def forward(self, x, condition):
        return network(self.linear(x), condition.to(x.dtype) / 7)


def compilations(run):
    """How many graphs torch makes of what is compiled in a run."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    run()
    return torch._dynamo.utils.counters["stats"]["unique_graphs"]


TIMES = dk.grid(ds.cosine(), 12)[1:-1]


@quiet
@pytest.mark.parametrize("condition", ["log_snr", "index"])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=["cosine", "linear_betas"])
def test_a_compiled_denoiser_does_not_compile_for_each_t(schedule, condition):
    x, net = torch.asarray(X[0]), Network()
    plain = dk.denoiser(net, schedule, "v", condition)

    def run():
        compiled = torch.compile(plain, fullgraph=True, backend="eager")
        for t in TIMES:
            close(compiled(x, t).detach(), plain(x, t).detach())

    assert compilations(run) == 2, "one for the first t, one for all others"

    def run_network():
        compiled = dk.denoiser(torch.compile(net, fullgraph=True, backend="eager"), schedule, "v", condition)
        for t in TIMES:
            compiled(x, t)

    assert compilations(run_network) == 1


@pytest.mark.parametrize("condition", ds.CONDITIONS)
@pytest.mark.parametrize("schedule", [*SCHEDULES, ds.karras()], ids=["cosine", "linear_betas", "karras"])
def test_a_time_may_be_an_array(schedule, condition):
    denoise = dk.denoiser(lambda x, c: network(x, c / 100), schedule, "v", condition)
    for t in (0.3, 0.65, 1.0 if condition != "log_snr" else 0.99):
        close(denoise(torch.asarray(X[0]), torch.asarray(t)), denoise(torch.asarray(X[0]), t))
        close(jax.jit(denoise)(jax.numpy.asarray(X[0]), t), denoise(jax.numpy.asarray(X[0]), t))
