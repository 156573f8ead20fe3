"""Every method: the conformance check, what it equals, and what the check catches."""

import math
import pickle

import numpy as np
import pytest
from diffkit_samplers import (
    Estimate,
    NotFiniteError,
    ddim,
    ddpm,
    denoiser,
    dpmpp_2m,
    dpmpp_2m_sde,
    euler_ancestral,
    fixed_large,
    heun,
    seeded,
    step,
    trajectory,
)
from diffkit_samplers.testing import GaussianOracle, MixtureOracle, check_sampler
from diffkit_schedules import Rates, cosine, cosine_betas, karras, linear, linear_betas, offset_cosine, rectified, sigmoid

rng = np.random.default_rng(0)
METHODS = [(ddim, 1), (ddpm, 1), (euler_ancestral, 1), (heun, 2), (dpmpp_2m, 2), (dpmpp_2m_sde, 2)]


@pytest.mark.parametrize(
    "schedule", [cosine(), offset_cosine(), linear(), rectified(), linear_betas()], ids=lambda s: type(s).__name__
)
@pytest.mark.parametrize(("method", "order"), METHODS, ids=lambda m: getattr(m, "__name__", m))
def test_our_own_methods_conform(method, order, schedule):
    report = check_sampler(method, order, schedule=schedule)
    assert report.order == pytest.approx(order, abs=0.4)


def broken(change):
    def method(denoise, schedule, x, *, steps, eta, spacing, noise):
        return change(denoise, schedule, x, steps=steps, eta=eta, spacing=spacing, noise=noise)

    return method


def in_place(denoise, schedule, x, **options):
    result = ddim(denoise, schedule, x, **options)
    x += options["steps"] == 3
    return result


def draws_in_vain(denoise, schedule, x, **options):
    if options["eta"]:
        options["noise"](x.shape)
    return ddim(denoise, schedule, x, **(options | {"eta": 0.0}))


def whole_grid(options, part):
    """Of a grid from t = 1 to 0 a part, of another grid all."""
    times = options["spacing"]
    return {"spacing": times[part] if not isinstance(times, str) and (times[0], times[-1]) == (1, 0) else times}


def returns_the_state(denoise, schedule, x, **options):
    """The state before the last step to t = 0, not the x0 that is seen from there."""
    states = list(trajectory(denoise, schedule, x, **options))
    return states[-2].x if options["spacing"][-1] == 0 else states[-1].x0


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (lambda d, s, x, **o: ddim(d, s, x, **o) * 1.05, "order of accuracy is"),
        (lambda d, s, x, **o: ddim(lambda x, t: d(x, 0.97 * t), s, x, **o), "order of accuracy is"),
        (
            lambda d, s, x, **o: ddim(d, s, x, **(o | {"eta": 0.0})) if o["eta"] == 0 else 0.9 * ddim(d, s, x, **o),
            "the mean of its",
        ),
        (lambda d, s, x, **o: ddim(d, s, x, **(o | {"noise": lambda shape: 1.1 * o["noise"](shape)})), "the variance of its"),
        (lambda d, s, x, **o: ddim(d, s, x, **(o | {"noise": lambda shape: 1.3 * o["noise"](shape)})), "at eta = 0.5 the corr"),
        (lambda d, s, x, **o: ddim(d, s, x, **(o | {"eta": 0.0})), "at eta = 0.5 it draws nothing from its noise"),
        (lambda d, s, x, **o: heun(d, s, x, **(o | {"eta": 0.0})), "at eta = 0.5 it draws nothing from its noise"),
        (lambda d, s, x, **o: ddim(d, s, x, **(o | {"noise": None})), "at eta = 0.5 it draws nothing from its noise"),
        (draws_in_vain, "at eta = 0.5 the correlation of its samples with their starts is 1.00, not 0.54"),
        (lambda d, s, x, **o: ddim(d, s, x, **(o | {"eta": o["eta"] ** 0.5})), "is 0.30, not 0.54"),
        (lambda d, s, x, **o: ddim(d, s, x, **(o | {"eta": min(o["eta"], 0.5)})), "at eta = 1 the correlation"),
        (lambda d, s, x, **o: ddim(d, s, x, **(o | whole_grid(o, slice(None, -1)))), "from t = 1 to 0 in 2 steps its error is"),
        (returns_the_state, "from t = 1 to 0 in 2 steps its error is"),
        (
            lambda d, s, x, **o: ddim(d, s, x, **(o if o["spacing"] != "uniform" else o | {"spacing": "leading"})),
            "looks first at",
        ),
        (lambda d, s, x, **o: ddim(d, s, x, **o).astype(np.float64), "it returns float64"),
        (in_place, "it changes the x"),
        (
            lambda d, s, x, **o: ddim(d, s, x, **o) + (0 if o["eta"] == 0 or len(x) > 1 else 1e-3),
            "a sample depends on the batch",
        ),
    ],
)
def test_the_check_catches_what_is_wrong(method, message):
    with pytest.raises(AssertionError, match=message) as caught:
        check_sampler(broken(method))
    assert "\n" not in str(caught.value)


def test_a_first_order_method_is_no_second_order_one():
    with pytest.raises(AssertionError, match=r"its order of accuracy is (0\.9|1\.0)\d, not 2"):
        check_sampler(ddim, order=2)


@pytest.mark.parametrize("schedule", [cosine(), karras(), rectified()], ids=lambda s: type(s).__name__)
def test_ancestral_noise_is_the_papers(schedule):
    (a, s), (a_then, s_then) = now, then = schedule(0.7), schedule(0.55)
    x, x0, z = rng.standard_normal((3, 5))
    high, low = s / a, s_then / a_then
    down = low**2 / high
    slope = (x / a - x0) / high
    expected = a_then * (x / a + (down - high) * slope + math.sqrt(low**2 - down**2) * z)
    np.testing.assert_allclose(step(x, x0, now, then, eta=1.0, noise=z), expected, rtol=1e-10)


def test_heun_is_the_papers():
    schedule = karras()
    oracle, x = MixtureOracle(schedule), 3 * rng.standard_normal((4, 1))
    t, s = 0.6, 0.52  # sigma falls by less than half
    high, low = schedule(t).sigma, schedule(s).sigma
    slope = (x - oracle(x, t)) / high
    ahead = x + (low - high) * slope
    expected = x + (low - high) * (slope + (ahead - oracle(ahead, s)) / low) / 2
    (state,) = trajectory(oracle, schedule, x, method="heun", spacing=[t, s])
    np.testing.assert_allclose(state.x, expected, rtol=1e-12)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_dpmpp_2m_is_the_papers(eta):
    schedule, times = cosine(), [0.8, 0.65, 0.4]
    oracle, x, draws = MixtureOracle(schedule), rng.standard_normal((4, 1)), rng.standard_normal((2, 4, 1))
    remaining = iter(draws)
    noise = lambda shape: next(remaining)  # noqa: E731
    states = list(trajectory(oracle, schedule, x, method="dpmpp_2m", eta=eta, spacing=times, noise=noise))
    rates = [schedule(t) for t in times]
    log_ratio = [r.log_snr / 2 for r in rates]
    expected, old = x, None
    for k in range(2):
        h = log_ratio[k + 1] - log_ratio[k]
        x0 = oracle(expected, times[k])
        d = x0 if old is None else x0 + 0.5 * h / (log_ratio[k] - log_ratio[k - 1]) * (x0 - old)
        alpha, sigma = rates[k + 1]
        decay = math.exp(-h) if eta else 1.0
        expected = (
            sigma / rates[k].sigma * decay * expected
            - alpha * math.expm1(-2 * h if eta else -h) * d
            + (sigma * math.sqrt(-math.expm1(-2 * h)) * draws[k] if eta else 0)
        )
        old = x0
        np.testing.assert_allclose(states[k].x, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("method", "evaluations"), [(ddim, 6), (heun, 11), (dpmpp_2m, 6), (euler_ancestral, 6)])
def test_how_often_each_method_looks(method, evaluations):
    seen = []
    oracle = GaussianOracle(cosine())
    method(lambda x, t: seen.append(t) or oracle(x, t), cosine(), np.ones((1, 2)), steps=6)
    assert len(seen) == evaluations


def angle(t):
    """A schedule of someone's own: a function of a float, pure noise but for rounding at t = 1."""
    return math.cos(t * math.pi / 2), math.sin(t * math.pi / 2)


ENDS = [cosine(), rectified(), cosine_betas(), angle]


@pytest.mark.parametrize("schedule", ENDS, ids=["cosine", "rectified", "cosine_betas", "angle"])
@pytest.mark.parametrize("method", [heun, dpmpp_2m])
def test_the_singular_ends_cost_less_than_the_order_gains(method, schedule):
    oracle = GaussianOracle(schedule, mean=0.3, variance=0.5)
    x = np.linspace(-2, 2, 9)[:, None]
    errors = [abs(each(oracle, schedule, x, steps=80) - oracle.flow(x, 1.0, 0.0)).max() for each in (method, ddim)]
    assert errors[0] < errors[1] / 3


@pytest.mark.parametrize(
    ("schedule", "spacing", "order"),
    [
        (karras(), "uniform", 2),
        (rectified(), "uniform", 2),
        (linear(), "karras", 2),
        (cosine(), "log_snr", 2),
        (offset_cosine(), "uniform", 1),
        (sigmoid(), "uniform", 1),
    ],
    ids=str,
)
def test_the_order_of_heun_on_a_whole_grid_is_what_it_says(schedule, spacing, order):
    x, errors = schedule(1.0).sigma * np.linspace(-2, 2, 9)[:, None], []
    for steps in (64, 256):
        found = []
        for variance in (0.04, 0.25, 4.0):
            oracle = GaussianOracle(schedule, 0.5, variance)
            found.append(heun(oracle, schedule, x, steps=steps, spacing=spacing) - oracle(oracle.flow(x, 1.0, 0.0), 0.0))
        errors.append(np.sqrt(np.square(found).sum()))
    assert math.log(errors[0] / errors[1], 4) == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize(("t", "s"), [(999, 998), (487, 486), (1, 0)])
def test_fixed_large_has_the_variance_beta(t, s):
    table = linear_betas()
    now, then = table((t + 1) / 1000), table((s + 1) / 1000)
    zero, one = np.zeros(1), np.ones(1)
    beta = 1 - table.alphas_cumprod[t] / table.alphas_cumprod[s]
    large = step(zero, zero, now, then, eta=1.0, noise=one, spread=1.0)[0] ** 2
    small = step(zero, zero, now, then, eta=1.0, noise=one)[0] ** 2
    assert large == pytest.approx(beta, rel=1e-9)
    assert small == pytest.approx(beta * (1 - table.alphas_cumprod[s]) / (1 - table.alphas_cumprod[t]), rel=1e-9)
    f = np.array([0.3])
    between = step(zero, zero, now, then, eta=1.0, noise=one, spread=f)[0] ** 2
    assert math.log(between) == pytest.approx(0.3 * math.log(large) + 0.7 * math.log(small), rel=1e-9)


def test_fixed_large_draws_from_the_data_too():
    oracle, source = GaussianOracle(linear_betas(), mean=0.7, variance=0.25), seeded(range(4))
    samples = ddpm(fixed_large(oracle), linear_betas(), source((4, 2500)), noise=source)
    assert samples.mean() == pytest.approx(0.7, abs=0.03)
    assert samples.var() == pytest.approx(0.25, rel=0.06)


def test_a_learned_range_comes_from_the_second_half_of_the_channels():
    schedule = linear_betas()

    def model(x, c):
        return np.concatenate([0 * x, np.full_like(x, -0.4)], axis=1)

    denoise = denoiser(model, schedule, "eps", "index", learned_range=True)
    x = rng.standard_normal((2, 3, 4, 4))
    estimate = denoise(x, 0.5)
    np.testing.assert_allclose(estimate.spread, 0.3)
    np.testing.assert_allclose(estimate.x0, x / schedule(0.5).alpha)
    plain = denoiser(lambda x, c: 0 * x, schedule, "eps", "index")
    run = {"spacing": [0.5, 0.499, 0.0], "eta": 1.0}
    noise = rng.standard_normal(x.shape)
    (first, *_), (posterior, *_) = (list(trajectory(d, schedule, x, noise=lambda _: noise, **run)) for d in (denoise, plain))
    assert abs(first.x - posterior.x).max() > 1e-7, "the variance is used"
    with pytest.raises(ValueError, match=r"x_t's shape, \(2, 3, 4, 4\); got \(2, 6, 4, 4\)"):
        denoiser(model, schedule, "eps", "index")(x, 0.5)


def test_one_sample_that_is_not_finite_leaves_the_others():
    x = seeded(range(64))((64, 3))

    def denoise(x_t, t):
        x0 = 0.5 * x_t
        x0[[5, 7]] *= np.nan if t <= 0.5 else 1
        return x0

    with pytest.raises(NotFiniteError, match=r"from step 3 of 4 on, at t = 0.5, in 2 of 64 samples: number 5, 7; ") as caught:
        ddim(denoise, cosine(), x, steps=4)
    good = np.delete(np.arange(64), [5, 7])
    assert caught.value.bad == [5, 7]
    assert (caught.value.x0[good] == ddim(lambda x, t: 0.5 * x, cosine(), x, steps=4)[good]).all()
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.bad) == (str(caught.value), [5, 7])


def test_many_samples_that_are_not_finite_are_counted():
    with pytest.raises(ValueError, match=r"in 20 of 20 samples: number 0, 1, 2, 3, 4, 5, 6, 7 and 12 more; "):
        ddim(lambda x, t: x * np.nan, cosine(), np.ones((20, 1)), steps=2)


def test_a_sample_of_one_number_is_named_too():
    with pytest.raises(NotFiniteError, match="in 1 of 3 samples: number 2; ") as caught:
        ddim(lambda x, t: 0.5 * x, cosine(), np.array([1.0, 2.0, np.nan]), steps=2)
    assert caught.value.bad == [2]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("method", [ddim, heun, dpmpp_2m])
def test_what_is_not_finite_is_named_with_its_step(method, bad):
    def denoise(x, t):
        return x * bad if t == 0.5 else 0.5 * x

    with (
        pytest.raises(ValueError, match=r"the model's x0 is not finite from step 3 of 4 on, at t = 0.5"),
        np.errstate(all="ignore"),
    ):
        method(denoise, cosine(), np.ones((1, 2)), steps=4)


def test_eps_at_pure_noise_is_named_at_the_first_step():
    with pytest.raises(ValueError, match="'eps' cannot tell x0 from eps at alpha = 0"):
        ddim(denoiser(lambda x, c: x, cosine(), "eps"), cosine(), np.ones((1, 2)))


@pytest.mark.parametrize("method", [heun, dpmpp_2m, ddim])
def test_a_kept_eps_goes_through_every_method(method):
    schedule, x = cosine(), np.full((1, 2), 0.5)

    def denoise(x, t):
        return Estimate(np.ones_like(x), np.zeros_like(x))

    (state,) = trajectory(denoise, schedule, x, method=method.__name__, spacing=[0.8, 0.4])
    np.testing.assert_allclose(state.x, schedule(0.4).alpha, rtol=1e-12)


@pytest.mark.parametrize("name", ["ddpm", "euler_ancestral", "dpmpp_2m_sde", "heun", "dpmpp_2m", "ddim"])
def test_a_trajectory_ends_where_its_method_does(name):
    oracle, schedule, x = GaussianOracle(cosine()), cosine(), np.ones((2, 3))
    method = {m.__name__: m for m, _ in METHODS}[name]
    steps = {} if name == "ddpm" else {"steps": 7}
    *_, last = trajectory(oracle, schedule, x, method=name, noise=seeded([1, 2]), **steps)
    assert (last.x0 == method(oracle, schedule, x, noise=seeded([1, 2]), **steps)).all()


@pytest.mark.parametrize("schedule", [angle, lambda t: Rates(1, 80 * t), lambda t: (1 - t, t)], ids=["angle", "int", "tuple"])
@pytest.mark.parametrize("spacing", ["uniform", "karras", "log_snr"])
def test_a_schedule_of_one_s_own(schedule, spacing):
    for method in (ddim, heun, dpmpp_2m):
        assert np.isfinite(method(lambda x, t: 0.1 * x, schedule, np.ones((1, 2)), steps=5, spacing=spacing)).all()


def test_a_state_of_one_axis():
    noise = seeded([1, 2, 3])
    assert ddim(GaussianOracle(cosine()), cosine(), noise((3,)), steps=3, eta=1.0, noise=noise).shape == (3,)


@pytest.mark.parametrize("method", [ddim, heun, dpmpp_2m])
@pytest.mark.parametrize("prediction", ["x0", "v", "eps", "flow"])
def test_a_network_of_another_precision_does_not_change_the_state(method, prediction):
    for other in (np.float64, np.float16):
        denoise = denoiser(lambda x, c, other=other: (0.1 * x).astype(other), offset_cosine(), prediction)
        x = np.ones((2, 3), np.float32)
        states = list(trajectory(denoise, offset_cosine(), x, method=method.__name__, steps=3))
        assert {state.x.dtype for state in states} == {state.x0.dtype for state in states} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("denoise", "noise", "message"),
    [
        (lambda x, t: x[:1], None, r"denoise must give an x0 of x's shape \(2, 3\), got \(1, 3\)"),
        (lambda x, t: None, None, "got NoneType"),
        (lambda x, t: x, lambda shape: np.ones(3), r"noise must give an array of the shape \(2, 3\) .*, got \(3,\)"),
        (denoiser(lambda x, c: x, cosine(), "v", learned_range=True), None, r"twice x_t's shape, \(2, 6\); got \(2, 3\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(denoise, noise, message):
    with pytest.raises(ValueError, match=message):
        ddim(denoise, cosine(), np.ones((2, 3)), eta=1.0, noise=noise)
