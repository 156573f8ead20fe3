"""NumPy, torch, JAX and array-api-strict give the same numbers and keep the library, dtype and device of the state."""

import os
import subprocess
import sys

import array_api_strict
import diffkit_samplers as dk
import diffkit_schedules as ds
import jax
import numpy as np
import pytest
import torch
from diffkit_samplers.testing import GaussianOracle, MixtureOracle, check_sampler

jax.config.update("jax_enable_x64", True)

BACKENDS = {
    "numpy": (np.asarray, np.dtype),
    "torch": (torch.asarray, lambda name: getattr(torch, name)),
    "jax": (jax.numpy.asarray, jax.numpy.dtype),
    "strict": (array_api_strict.asarray, lambda name: getattr(array_api_strict, name)),
}
SCHEDULES = [ds.cosine(), ds.offset_cosine(), ds.linear(), ds.sigmoid(), ds.rectified(), ds.linear_betas()]
SCHEDULES += [ds.zero_terminal_snr(ds.linear_betas()), ds.shift(ds.rectified(), 3.0), ds.karras()]
TOLERANCE = {"float64": 1e-10, "float32": 2e-5, "float16": 2e-2, "bfloat16": 2e-1}
DTYPES = {"numpy": ["float64", "float32", "float16"], "torch": list(TOLERANCE), "jax": list(TOLERANCE)}
DTYPES["strict"] = ["float64", "float32"]
CASES = [(backend, dtype) for backend, dtypes in DTYPES.items() for dtype in dtypes]
START = np.random.default_rng(0).standard_normal((3, 2, 4, 4))


def make(backend, dtype, values=START):
    asarray, dtype_of = BACKENDS[backend]
    return asarray(values, dtype=dtype_of(dtype))


def numbers(x):
    return np.asarray(x.float() if isinstance(x, torch.Tensor) and x.dtype == torch.bfloat16 else x).astype(np.float64)


def alike(x, expected, like, dtype):
    assert type(x) is type(like)
    assert (x.dtype, x.device, x.shape) == (like.dtype, like.device, expected.shape)
    scale = max(1.0, abs(expected).max())
    np.testing.assert_allclose(numbers(x), expected, atol=TOLERANCE[dtype] * scale)


@pytest.mark.parametrize(("backend", "dtype"), CASES)
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: str(schedule)[:30])
def test_rates_of_an_array(schedule, backend, dtype):
    values = np.array([[0.125, 0.25], [0.5, 0.875]])
    t = make(backend, dtype, values)
    for rate, expected in zip(schedule(t), schedule(values), strict=True):
        alike(rate, expected, t, dtype)


@pytest.mark.parametrize(("backend", "dtype"), CASES)
@pytest.mark.parametrize("prediction", ds.PREDICTIONS)
def test_noising_and_back(prediction, backend, dtype):
    x0, eps = make(backend, dtype), make(backend, dtype, START[::-1].copy())
    t = make(backend, dtype, np.array([0.25, 0.5, 0.75]))
    for level in (0.5, t):
        rates = ds.cosine()(level)
        x = ds.add_noise(x0, eps, rates)
        back = ds.to_x0(ds.target(x0, eps, rates, prediction), x, rates, prediction)
        alike(back, START, x0, dtype)


@pytest.mark.parametrize(("backend", "dtype"), CASES)
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("schedule", [ds.cosine(), ds.linear_betas()], ids=["cosine", "linear_betas"])
def test_a_run_gives_the_same_sample(schedule, eta, backend, dtype):
    def sample(x):
        return dk.ddim(GaussianOracle(schedule, 0.3, 0.5), schedule, x, steps=12, eta=eta, noise=dk.seeded([1, 2, 3]))

    x = make(backend, dtype)
    alike(sample(x), sample(START), x, dtype)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", dk.METHODS)
def test_every_method_gives_the_same_sample(method, backend):
    def sample(x):
        oracle, options = MixtureOracle(ds.rectified()), {"steps": 5, "eta": 0.5, "noise": dk.brownian([1, 2, 3])}
        return dk.METHODS[method](oracle, ds.rectified(), x, **options)

    x = make(backend, "float64")
    alike(sample(x), sample(START), x, "float64")


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_mixture_oracle(backend):
    x = make(backend, "float64")
    alike(MixtureOracle(ds.cosine())(x, 0.5), MixtureOracle(ds.cosine())(START, 0.5), x, "float64")


@pytest.mark.parametrize(("backend", "dtype"), CASES)
def test_slerp(backend, dtype):
    a, b = make(backend, dtype), make(backend, dtype, START[::-1].copy())
    alike(dk.slerp(a, b, [0.25, 0.5]), dk.slerp(START, START[::-1].copy(), [0.25, 0.5]), a, dtype)


@pytest.mark.parametrize(("backend", "dtype"), CASES)
def test_seeds(backend, dtype):
    x = make(backend, dtype)
    alike(dk.seeded([4, 5, 6], like=x)((3, 2, 4, 4)), dk.seeded([4, 5, 6])((3, 2, 4, 4)), x, dtype)


@pytest.mark.parametrize(("backend", "dtype"), CASES)
@pytest.mark.parametrize("condition", ds.CONDITIONS)
def test_the_condition_is_the_state_s_kind_of_array(condition, backend, dtype):
    x, seen = make(backend, dtype), []
    dk.denoiser(lambda x, c: seen.append(c) or x, ds.cosine(), "v", condition)(x, 0.5)
    assert type(seen[0]) is type(x)
    assert (seen[0].shape, seen[0].device) == ((3,), x.device)
    assert str(seen[0].dtype).rpartition(".")[2] == ("int64" if condition == "index" else dtype)


@pytest.mark.parametrize(("backend", "dtype"), CASES)
def test_wrappers(backend, dtype):
    def wrapped(x, known, mask):
        oracle = MixtureOracle(ds.cosine())
        inside = dk.inpaint(dk.dynamic_threshold(dk.clip(oracle, -1.2, 1.2), 0.9), known, mask)
        guided = dk.guide(inside, oracle, dk.interval(1.5, 0.4, 0.6), rescale=0.5)
        return dk.guide([guided, inside], oracle, [1.5, -0.5], transform=dk.apg(0.5, max_norm=2.0))

    x, known, mask = make(backend, dtype), make(backend, dtype, START[::-1].copy()), make(backend, "float32", START) > 0
    alike(wrapped(x, known, mask)(x, 0.5), wrapped(START, START[::-1].copy(), START > 0)(START, 0.5), x, dtype)


@pytest.mark.parametrize(("backend", "dtype"), CASES)
def test_rounds(backend, dtype):
    def sample(x):
        oracle, method = GaussianOracle(ds.cosine(), 0.3, 0.5), dk.resample("ddim", 3)
        *_, last = dk.trajectory(oracle, ds.cosine(), x, method=method, steps=6, noise=dk.seeded([1, 2, 3]))
        return last.x0

    x = make(backend, dtype)
    alike(sample(x), sample(START), x, dtype)


@pytest.mark.parametrize(("backend", "dtype"), CASES)
def test_encode(backend, dtype):
    x = make(backend, dtype)
    oracle = GaussianOracle(ds.cosine(), 0.3, 0.5)
    alike(dk.encode(oracle, ds.cosine(), x, steps=6), dk.encode(oracle, ds.cosine(), START, steps=6), x, dtype)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("method", "order"), [(dk.ddim, 1), (dk.unipc_3, 3)])
def test_methods_conform(method, order, backend):
    check_sampler(method, order, like=make(backend, "float64"))


DEFAULT_JAX = """
import array_api_strict
import diffkit_samplers as dk, diffkit_schedules as ds, jax
from diffkit_samplers.testing import check_sampler
source = dk.seeded([1, 2], like=jax.numpy.ones(1))
denoise = dk.denoiser(lambda x, index: x / (1 + index.reshape(-1, 1)), ds.linear_betas(), "v", "index")
images = dk.ddim(denoise, ds.linear_betas(), source((2, 3)), steps=4, eta=1.0, noise=source)
assert images.dtype == jax.numpy.float32
print(check_sampler(dk.dpmpp_2m, 2, like=images))
table = ds.linear_betas()
rates = jax.jit(lambda t: table(t).alpha)
assert [float(rates(jax.numpy.full(n, 0.5))[0]) for n in (1, 2)] == [float(table(jax.numpy.ones(1) / 2).alpha[0])] * 2
"""


def test_jax_as_it_comes_without_64_bits():
    environment = {key: value for key, value in os.environ.items() if key != "JAX_ENABLE_X64"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", DEFAULT_JAX], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("prediction", ds.PREDICTIONS)
def test_a_network_under_autocast_leaves_the_state_its_dtype(prediction):
    network = torch.nn.Linear(3, 3)
    denoise = dk.denoiser(lambda x, c: network(x), ds.offset_cosine(), prediction)
    with torch.autocast("cpu", torch.bfloat16):
        assert {state.x.dtype for state in dk.trajectory(denoise, ds.offset_cosine(), torch.ones(2, 3), steps=3)} == {
            torch.float32
        }


@pytest.mark.parametrize("backend", BACKENDS)
def test_unseeded_draws_are_the_state_s_kind_of_array(backend):
    x = make(backend, "float32")
    out = dk.ddpm(GaussianOracle(ds.cosine()), ds.cosine(), x, steps=3)
    assert type(out) is type(x)
    assert out.dtype == x.dtype


def test_unseeded_torch_draws_follow_its_generator():
    def sample():
        torch.manual_seed(5)
        return dk.ddpm(GaussianOracle(ds.cosine()), ds.cosine(), torch.zeros(1, 4), steps=3)

    assert torch.equal(sample(), sample())


def test_torch_keeps_no_graph_while_sampling_and_leaves_the_caller_s_alone():
    weight = torch.ones(1, requires_grad=True)
    denoise = dk.denoiser(lambda x, c: weight * x, ds.cosine(), "v")
    x = torch.ones(1, 2, requires_grad=True)
    for state in dk.trajectory(denoise, ds.cosine(), x, steps=3):
        assert not state.x.requires_grad
        assert not state.x0.requires_grad
        assert torch.is_grad_enabled()
    assert not dk.ddim(denoise, ds.cosine(), x, steps=3).requires_grad
    assert denoise(x, 0.5).requires_grad, "outside of a sampler the denoiser can be differentiated"


def test_a_parameter_is_a_torch_tensor_too():
    x = torch.nn.Parameter(torch.ones(1, 2))
    assert not dk.ddim(GaussianOracle(ds.cosine()), ds.cosine(), x, steps=2).requires_grad
