"""Whole runs against exact answers: orders of accuracy, moments, the loop's promises."""

import numpy as np
import pytest
from diffkit_samplers import Estimate, ddim, ddpm, denoiser, seeded, trajectory
from diffkit_samplers.testing import GaussianOracle, MixtureOracle
from diffkit_schedules import cosine, karras, linear, linear_betas, offset_cosine, rectified

SMOOTH = [cosine(), offset_cosine(), linear(), rectified()]


@pytest.mark.parametrize("schedule", SMOOTH, ids=str)
def test_ddim_is_of_first_order(schedule):
    oracle, x = GaussianOracle(schedule, mean=0.3, variance=0.5), np.linspace(-2, 2, 9)[:, None]
    exact = oracle.flow(x, 0.9, 0.1)
    numbers, errors = [20, 40, 80, 160], []
    for n in numbers:
        *_, end = trajectory(oracle, schedule, x, spacing=np.linspace(0.9, 0.1, n + 1))
        errors.append(abs(end.x - exact).max())
    slope = np.polyfit(np.log(numbers), np.log(errors), 1)[0]
    assert slope == pytest.approx(-1, abs=0.08)


@pytest.mark.parametrize("schedule", [cosine(), linear_betas()], ids=["cosine", "linear_betas"])
def test_ddpm_draws_from_the_data(schedule):
    n = 20000
    oracle, source = GaussianOracle(schedule, mean=0.7, variance=0.25), seeded(range(4))
    samples = ddpm(oracle, schedule, source((4, n // 4)), steps=250, noise=source)
    assert samples.mean() == pytest.approx(0.7, abs=4 * 0.5 / n**0.5)
    assert samples.var() == pytest.approx(0.25, rel=0.06)


def test_ddim_maps_noise_to_the_mixture():
    oracle, source = MixtureOracle(cosine(), (-1.0, 0.5), (0.01, 0.04), (0.3, 0.7)), seeded(range(4))
    samples = ddim(oracle, cosine(), source((4, 5000)), steps=200)
    assert (samples < -0.5).mean() == pytest.approx(0.3, abs=0.02)
    assert samples[samples > -0.5].std() == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("steps", [1, 2, 20])
def test_a_run_is_that_many_evaluations_and_its_result_the_last_x0(steps):
    seen = []

    def denoise(x, t):
        seen.append((t, 0.5 * x))
        return seen[-1][1]

    out = ddim(denoise, offset_cosine(), np.ones((2, 3)), steps=steps)
    assert len(seen) == steps
    assert seen[0][0] == 1.0
    assert (out == seen[-1][1]).all()


def test_trajectory_yields_after_each_step():
    oracle, x = GaussianOracle(cosine()), np.ones((1, 2))
    states = list(trajectory(oracle, cosine(), x, steps=4))
    assert [state.t for state in states] == [0.75, 0.5, 0.25, 0.0]
    assert (states[0].x0 == oracle(x, 1.0)).all()
    assert (states[1].x0 == oracle(states[0].x, 0.75)).all()
    assert (states[-1].x0 == ddim(oracle, cosine(), x, steps=4)).all()
    np.testing.assert_allclose(states[-1].x, states[-1].x0, atol=1e-15)


def test_karras_rates_have_no_signal_rate_to_scale():
    schedule = karras()
    oracle, source = GaussianOracle(schedule, mean=0.2, variance=0.25), seeded(range(2))
    samples = ddim(oracle, schedule, 80 * source((2, 10000)), steps=200)
    assert samples.mean() == pytest.approx(0.2, abs=0.02)
    assert samples.std() == pytest.approx(0.5, abs=0.02)


def test_images_do_not_depend_on_the_batch():
    oracle = MixtureOracle(cosine())

    def sample(seeds):
        source = seeded(seeds)
        return ddpm(oracle, cosine(), source((len(seeds), 3, 4)), steps=10, noise=source)

    together = sample([5, 6, 7, 8])
    assert (together == np.concatenate([sample([5]), sample([6, 7]), sample([8])])).all()
    assert (together[::-1] == sample([8, 7, 6, 5])).all()


def test_without_noise_draws_are_fresh():
    x = np.zeros((1, 4))
    first, second = (ddpm(GaussianOracle(cosine()), cosine(), x, steps=5) for _ in range(2))
    assert (first != second).all()


def test_a_wrapper_may_fix_eps():
    def denoise(x, t):
        return Estimate(np.zeros_like(x), np.ones_like(x))

    *_, end = trajectory(denoise, rectified(), np.full((1, 1), 9.0), spacing=[1.0, 0.5])
    assert end.x.tolist() == [[0.5]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eta": -0.1}, r"eta must be in \[0, 1\] .*, got -0.1"),
        ({"steps": 0}, "steps must be"),
        ({"spacing": "x"}, "spacing must be one of"),
        ({"method": "ddmi"}, "method must be one of 'ddim', 'ddpm', .*, or an update; got 'ddmi'"),
    ],
)
def test_bad_options_are_refused_at_the_call(options, message):
    with pytest.raises(ValueError, match=message):
        trajectory(GaussianOracle(cosine()), cosine(), np.ones((1, 1)), **options)


class Recorder:
    """A network that keeps what it was told."""

    def __call__(self, x, condition, **kwargs):
        self.condition, self.kwargs = condition, kwargs
        return 0 * x


@pytest.mark.parametrize(
    ("condition", "expected"), [("variance", 0.25), ("sigma", 0.5), ("time", 0.5), ("log_snr", 0.0), ("index", 499)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_model_is_told_the_noise_level(condition, expected, dtype):
    model, x = Recorder(), np.ones((3, 2), dtype)
    denoiser(model, rectified(), "flow", condition, class_labels=7)(x, 0.5)
    assert model.condition.tolist() == [expected] * 3
    assert model.condition.dtype == (np.int64 if condition == "index" else dtype)
    assert model.kwargs == {"class_labels": 7}


@pytest.mark.parametrize(("t", "index"), [(1.0, 999), (0.001, 0), (0.0, 0), (0.50049, 499)])
def test_an_index_is_one_of_the_table_s(t, index):
    model = Recorder()
    denoiser(model, linear_betas(), "v", "index")(np.ones((1, 1)), t)
    assert model.condition.tolist() == [index]


class Output:
    def __init__(self, sample):
        self.sample = sample


@pytest.mark.parametrize("wrap", [lambda out: out, Output, lambda out: (out,)], ids=["array", "object", "tuple"])
def test_outputs_are_unwrapped(wrap):
    x = np.ones((2, 2))
    assert denoiser(lambda x, c: wrap(x), rectified(), "x0")(x, 0.5).tolist() == x.tolist()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: denoiser(Recorder(), cosine(), "noise"), "prediction must be one of .*; got 'noise'"),
        (lambda: denoiser(Recorder(), cosine(), "v", "level"), "condition must be one of .*; got 'level'"),
        (lambda: denoiser(lambda x, c: x[:1], cosine(), "v")(np.ones((2, 3)), 0.5), r"x_t's shape, \(2, 3\); got \(1, 3\)"),
        (lambda: denoiser(Recorder(), cosine(), "eps")(np.ones((2, 3)), 1.0), "'eps' cannot tell x0 from eps at alpha = 0"),
    ],
)
def test_what_a_denoiser_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("steps", [5, 10, 20])
def test_at_few_steps_less_noise_is_nearer_to_the_data(steps):
    schedule, rng = linear_betas(), np.random.default_rng(0)
    oracle = MixtureOracle(schedule, (-1.0, 0.5), (0.05, 0.1), (0.4, 0.6))
    kind = rng.random(20000) < 0.4
    data = np.sort(np.where(kind, rng.normal(-1.0, 0.05**0.5, 20000), rng.normal(0.5, 0.1**0.5, 20000)))

    def distance(eta):
        source = seeded(range(20))
        samples = ddim(oracle, schedule, source((20, 1000)), steps=steps, eta=eta, noise=source)
        return abs(np.sort(samples.ravel()) - data).mean()

    assert distance(0.0) < distance(1.0)


@pytest.mark.parametrize("condition", ["variance", "sigma", "time", "log_snr"])
def test_a_network_of_half_precision_is_told_every_noise_level(condition):
    seen = []

    def model(x, c):
        assert x.dtype == np.float16
        seen.append(c[0])
        return 0 * x

    denoise = denoiser(model, karras(), "v", condition, dtype=np.float16)
    x0 = ddim(denoise, karras(), 80 * np.ones((1, 2), np.float32), steps=1000)
    assert x0.dtype == np.float32
    assert {c.dtype for c in seen} == {np.dtype(np.float32)}
    if condition != "variance":
        assert len(set(seen)) == 1000
    assert seen[1] == pytest.approx({"time": 0.999}.get(condition, seen[1]), abs=1e-7)


def test_a_float32_state_beside_a_network_of_half_precision_keeps_what_a_half_precision_state_loses():
    schedule, exact = rectified(), np.random.default_rng(0).standard_normal((1, 1000))
    half = denoiser(lambda x, c: np.float16(0.8) * x, schedule, "flow", dtype=np.float16)

    def error(state, denoise):
        x0 = ddim(denoise, schedule, exact.astype(state), steps=1000).astype(np.float64)
        return abs(x0 - ddim(denoiser(lambda x, c: 0.8 * x, schedule, "flow"), schedule, exact, steps=1000)).max()

    assert error(np.float32, half) < 0.005
    assert error(np.float16, denoiser(lambda x, c: np.float16(0.8) * x, schedule, "flow")) > 0.05


def test_a_wide_network_beside_a_narrow_state_is_told_in_its_own_precision():
    model = Recorder()
    x0 = denoiser(model, rectified(), "flow", "time", dtype=np.float64)(np.ones((2, 3), np.float16), 1 / 3)
    assert x0.dtype == np.float16
    assert model.condition.tolist() == [1 / 3] * 2
