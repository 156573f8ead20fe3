"""Wrappers of denoise, encoding, and starting from an image."""

import numpy as np
import pytest
from diffkit_samplers import (
    Estimate,
    clip,
    ddim,
    denoiser,
    dynamic_threshold,
    encode,
    fixed_large,
    grid,
    guide,
    inpaint,
    seeded,
    slerp,
    trajectory,
)
from diffkit_samplers.testing import GaussianOracle, MixtureOracle
from diffkit_schedules import add_noise, cosine, linear_betas, offset_cosine, rectified

rng = np.random.default_rng(0)


def test_dynamic_threshold_is_the_papers():
    x0 = 2 * rng.standard_normal((3, 2, 5, 5))
    out = dynamic_threshold(lambda x, t: x0, q=0.9)(x0, 0.5)
    for sample, result in zip(x0, out, strict=True):
        s = max(1.0, np.quantile(abs(sample), 0.9))
        np.testing.assert_allclose(result, np.clip(sample, -s, s) / s, atol=1e-12)
    small = 0.1 * x0
    assert (dynamic_threshold(lambda x, t: small)(small, 0.5) == small).all(), "what is in range stays"
    doubled = dynamic_threshold(lambda x, t: x0, q=0.9, limit=2.0)(x0, 0.5)
    assert abs(doubled).max() == pytest.approx(2.0)


class Counting:
    """A network of a class: eps is the class, for every pixel; it counts its calls."""

    def __init__(self):
        self.calls = []

    def __call__(self, x, condition, labels=None):
        self.calls.append(x.shape[0])
        return np.zeros_like(x) if labels is None else 0 * x + labels[:, None]


def test_guidance_moves_from_one_to_the_other():
    model, schedule, x = Counting(), offset_cosine(), rng.standard_normal((2, 3))
    cond = denoiser(model, schedule, labels=np.array([1.0, 2.0]))
    uncond = denoiser(model, schedule, labels=np.array([0.0, 0.0]))
    guided = guide(cond, uncond, 3.0)(x, 0.5)
    assert model.calls == [4], "one call for both"
    np.testing.assert_allclose(guided, denoiser(model, schedule, labels=np.array([3.0, 6.0]))(x, 0.5), atol=1e-12)
    model.calls.clear()
    plain = guide(cond, denoiser(model, schedule), 3.0)(x, 0.5)
    assert model.calls == [2, 2], "what cannot be joined is asked one after the other"
    np.testing.assert_allclose(plain, guided, atol=1e-12)
    assert guide(cond, uncond, 1.0) is cond, "off at 1"
    np.testing.assert_allclose(guide(cond, uncond, 0.0)(x, 0.5), uncond(x, 0.5), atol=1e-12)


def test_rescale_brings_the_deviation_back():
    x = rng.standard_normal((2, 50))
    cond, uncond = (lambda x, t: 2 * x), (lambda x, t: x)
    for rescale in (0.0, 0.5, 1.0):
        out = guide(cond, uncond, 4.0, rescale=rescale)(x, 0.5)
        np.testing.assert_allclose(out, x * (rescale * 2 + (1 - rescale) * 5), atol=1e-12)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_inpainting_keeps_what_is_known_and_draws_the_rest(eta):
    oracle, source = GaussianOracle(cosine(), mean=0.5, variance=0.04), seeded(range(4))
    known, mask = np.full((1, 2000), 3.0), np.zeros((1, 2000))
    mask[:, :500] = 1
    x = source((4, 2000))
    states = list(trajectory(inpaint(oracle, known, mask), cosine(), x, steps=50, eta=eta, noise=source))
    assert (states[-1].x0[:, :500] == 3.0).all()
    alpha, sigma = cosine()(states[24].t)
    assert states[24].x[:, :500].mean() == pytest.approx(alpha * 3, abs=0.1), (
        "at every t it is the known data at that noise level"
    )
    assert states[24].x[:, :500].std() == pytest.approx(sigma, abs=0.05)
    assert states[-1].x0[:, 500:].mean() == pytest.approx(0.5, abs=0.03)
    assert states[-1].x0[:, 500:].std() == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dynamic_threshold(None, q=0), r"q must be in \(0, 1\], got 0"),
        (lambda: dynamic_threshold(None, limit=-1), "limit must be > 0, got -1"),
        (lambda: guide(None, None, 2.0, rescale=2), r"rescale must be in \[0, 1\], got 2"),
        (lambda: inpaint(lambda x, t: x, np.ones((2, 3)), np.ones(3))(np.ones((1, 3)), 0.5), r"got \(2, 3\) and \(3,\)"),
        (lambda: encode(lambda x, t: x, cosine(), np.ones((1, 3)), rounds=0), "rounds must be at least 1, got 0"),
        (lambda: encode(lambda x, t: x, cosine(), np.ones((1, 3)), steps=0), "steps must be"),
    ],
)
def test_what_wrappers_refuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_clip_passes_on_what_a_wrapper_inside_it_said():
    inner = clip(lambda x, t: Estimate(3 * x, x, 1.0))
    assert inner(np.ones(1), 0.5) == Estimate(1.0, 1.0, 1.0)


SCHEDULES = [cosine(), offset_cosine(), rectified(), linear_betas()]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
def test_encoding_and_decoding_gives_the_data_back_better_with_more_steps(schedule):
    oracle = MixtureOracle(schedule)
    x0 = np.concatenate([0.2 * rng.standard_normal((20, 1)) - 1, 0.3 * rng.standard_normal((30, 1)) + 0.5])

    def error(steps, rounds=1):
        x = encode(oracle, schedule, x0, steps=steps, rounds=rounds)
        return np.sqrt(((ddim(oracle, schedule, x, steps=steps) - x0) ** 2).mean())

    errors = [error(steps) for steps in (10, 20, 50, 100, 200)]
    assert errors == sorted(errors, reverse=True)
    if schedule(0.0).sigma == 0:
        assert errors[-1] < 1e-3
    assert error(200, rounds=4) < errors[-1] / 1.5


def test_encoded_data_is_noise():
    oracle = GaussianOracle(cosine(), mean=0.5, variance=0.25)
    x0 = 0.5 + 0.5 * rng.standard_normal((2000, 1))
    x = encode(oracle, cosine(), x0, steps=100)
    assert x.mean() == pytest.approx(0, abs=0.08)
    assert x.std() == pytest.approx(1, abs=0.08)
    np.testing.assert_allclose(x, oracle.flow(x0, 0.0, 1.0), atol=0.08)


def test_starting_from_an_image():
    schedule, source = cosine(), seeded(range(50))
    oracle = MixtureOracle(schedule, (-1.0, 1.0), (0.01, 0.01), (0.5, 0.5))
    times = [t for t in grid(schedule, 40) if t <= 0.12]
    x = add_noise(np.full((50, 20), 0.9), source((50, 20)), schedule(times[0]))
    edited = ddim(oracle, schedule, x, spacing=times, eta=1.0, noise=source)
    assert edited.mean() == pytest.approx(1.0, abs=0.03), "the image leads: all go to the near mode"
    assert edited.std() == pytest.approx(0.1, abs=0.04)


def norms(x):
    return np.sqrt((x**2).sum(axis=1))


def test_guidance_joins_what_is_the_same_on_both_sides():
    calls = []

    def model(x, c, y=None, plain=False, labels=None):
        calls.append(x.shape[0])
        return 0 * x

    sides = [denoiser(model, rectified(), "v", y=None, plain=True, labels=np.full(2, label)) for label in (1, 0)]
    guide(*sides, 2.0)(np.ones((2, 3)), 0.5)
    assert calls == [4]


def test_a_learned_variance_survives_the_wrappers():
    schedule, x = linear_betas(), rng.standard_normal((2, 3))

    def model(x, c, labels=None):
        return np.concatenate([0.1 * x, np.full_like(x, 0.2)], axis=1)

    learned = [denoiser(model, schedule, "v", learned_range=True, labels=np.full(2, label)) for label in (1.0, 0.0)]
    wrapped = [dynamic_threshold(learned[0]), inpaint(learned[0], 0 * x, 0 * x), guide(*learned, 2.0), clip(learned[0])]
    for denoise in wrapped:
        np.testing.assert_allclose(denoise(x, 0.5).spread, 0.6)


def test_rescaling_a_constant_is_no_division_by_zero():
    out = guide(lambda x, t: 0 * x + 2, lambda x, t: 0 * x + 1, 3.0, rescale=1.0)(np.ones((1, 4)), 0.5)
    assert (out == 4).all()


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_slerp_between_opposites_goes_around(size, scale):
    a = rng.standard_normal((3, size))
    a[2] = np.eye(size)[-1]
    b = -scale * a
    b[1] = rng.standard_normal(size)  # one sample is not opposite
    np.testing.assert_allclose(slerp(a, b, 0.0), a, atol=1e-12)
    np.testing.assert_allclose(slerp(a, b, 1.0), b, atol=1e-12)
    half = slerp(a, b, 0.5)
    np.testing.assert_allclose(norms(half)[[0, 2]], norms(a)[[0, 2]] * (1 + scale) / 2, rtol=1e-12)
    assert abs((half * a).sum(axis=1)[[0, 2]]).max() < 1e-12
    np.testing.assert_allclose(half[1], slerp(a[1:2], b[1:2], 0.5)[0], atol=1e-12)


def apart(model, schedule, arguments, scale):
    """What guidance is: two calls, one for each side."""
    cond, uncond = (denoiser(lambda x, c, each=each: model(x, c, **each), schedule) for each in arguments)
    return lambda x, t: uncond(x, t) + scale * (cond(x, t) - uncond(x, t))


ONES = np.ones(2)


@pytest.mark.parametrize(
    ("arguments", "calls"),
    [
        ([{"added": {"text": rng.standard_normal((2, 3)), "more": [k * ONES, "a"]}} for k in (1, 0)], [4]),
        ([{"added": {"text": k * np.ones((2, 3)), "size": 64}} for k in (1, 0)], [4]),
        ([{"added": {"text": k * np.ones((2, 3)), "size": ONES}, "labels": k * ONES} for k in (1, 0)], [2, 2]),
        ([{"added": {"text": k * np.ones((2, 3))}, "labels": np.ones((5, 3))} for k in (1, 0)], [2, 2]),
        ([{"added": {"text": k * np.ones((2, 3)), "size": np.ones(3)}} for k in (1, 0)], [2, 2]),
        ([{"added": {"text": np.ones((2, k))}} for k in (3, 1)], [2, 2]),
        ([{"added": {"text": ONES}}, {"added": {"text": ONES + 1, "size": 3}}], [2, 2]),
        ([{"added": {"text": ONES}}, {"added": None}], [2, 2]),
        ([{"added": (ONES, 1)}, {"added": (ONES + 1, 1)}], [4]),
        ([{"added": [ONES, 1]}, {"added": [ONES + 1]}], [2, 2]),
    ],
)
def test_guidance_joins_what_is_a_batch_and_no_more(arguments, calls):
    seen = []

    def model(x, c, added=None, labels=None):
        seen.append(x.shape[0])
        parts = list(added.values()) if isinstance(added, dict) else list(added or [])
        batches = [part for part in parts if isinstance(part, np.ndarray) and part.shape[0] == x.shape[0]]
        return 0 * x + sum((part.reshape(x.shape[0], -1).sum(axis=1, keepdims=True) for part in batches), np.zeros((1, 1)))

    x = rng.standard_normal((2, 3))
    schedule = offset_cosine()
    sides = [denoiser(model, schedule, **each) for each in arguments]
    found = guide(*sides, 3.0)(x, 0.5)
    assert seen == calls
    np.testing.assert_allclose(found, apart(model, schedule, arguments, 3.0)(x, 0.5), atol=1e-12)


def test_an_argument_of_both_sides_that_is_no_batch_is_not_doubled():
    def model(x, c, size, labels):
        assert size.shape == (2,)
        return x * size.sum() + labels[:, None]

    size, schedule, x = np.array([2.0, 3.0]), offset_cosine(), rng.standard_normal((2, 3))
    arguments = [{"size": size, "labels": np.full(2, label)} for label in (1.0, 0.0)]
    found = guide(*(denoiser(model, schedule, **each) for each in arguments), 3.0)(x, 0.5)
    np.testing.assert_allclose(found, apart(model, schedule, arguments, 3.0)(x, 0.5), atol=1e-12)


@pytest.mark.parametrize(
    "scale", [np.array([1.0, 3.0]), np.array([[1.0], [3.0]]), [1.0, 3.0], np.float32(3), np.array(3.0), np.array([1, 3])]
)
def test_a_scale_may_be_one_a_sample(scale):
    x = rng.standard_normal((2, 2))
    cond, uncond = (lambda x, t: x + 1), (lambda x, t: x)
    expected = x + np.reshape(scale, (-1, 1))
    np.testing.assert_allclose(guide(cond, uncond, scale)(x, 0.5), expected, atol=1e-12)
    with pytest.raises(ValueError, match=r"scale must fit x_t's shape \(1, 2\): with it x0 gets \(2, 2\)"):
        guide(cond, uncond, np.ones(2))(x[:1], 0.5)


def test_equal_answers_are_the_answer():
    x = rng.standard_normal((2, 50)).astype(np.float16)
    assert (guide(lambda x, t: 0.3 * x, lambda x, t: 0.3 * x, 7.3)(x, 0.5) == 0.3 * x).all()


def test_what_is_rounded_is_small_where_the_answers_are_close():
    """A network of half precision: the error is that of u + s (c - u), about half a digit, not that of s c + (1 - s) u."""
    u = (1 + rng.random((1, 10000))).astype(np.float16)
    c = (u * (1 + 0.01 * rng.standard_normal(u.shape))).astype(np.float16)
    exact = u.astype(np.float64) + 7.5 * (c.astype(np.float64) - u)
    found = guide(lambda x, t: c, lambda x, t: u, 7.5)(u, 0.5)
    assert np.sqrt(((found - exact) ** 2).mean()) < 0.5 * np.finfo(np.float16).eps


def test_rescale_is_of_each_sample():
    x = rng.standard_normal((2, 50)) * [[1.0], [10.0]]
    out = guide(lambda x, t: 2 * x + [[0.0], [1.0]] * x, lambda x, t: x, 4.0, rescale=1.0)(x, 0.5)
    np.testing.assert_allclose(out.std(axis=1), [2, 3] * x.std(axis=1), rtol=1e-12)


def test_what_is_not_known_may_be_anything():
    known, mask = np.array([[1.0, np.nan, np.inf]]), np.array([1.0, 0.0, 0.0])
    assert inpaint(lambda x, t: 0 * x, known, mask)(np.ones((1, 3)), 0.5).tolist() == [[1.0, 0.0, 0.0]]
    assert inpaint(lambda x, t: 0 * x, np.ones(3), np.array([0.25, 0, 1]))(np.ones((1, 3)), 0.5).tolist() == [[0.25, 0.0, 1.0]]


@pytest.mark.parametrize("eta", [0.0, 0.5])
def test_fixed_large_is_for_ddpm_alone(eta):
    step = {"method": "ddim", "spacing": [0.8, 0.4], "eta": eta}
    x = rng.standard_normal((2, 3))
    one, other = (
        next(trajectory(denoise, cosine(), x, noise=seeded([1, 2]), **step)).x
        for denoise in (GaussianOracle(cosine()), fixed_large(GaussianOracle(cosine())))
    )
    assert (one == other).all()


@pytest.mark.parametrize(
    ("q", "limit", "s"),
    [
        (1.0, 1.0, 4.0),
        (0.5, 1.0, 2.0),
        (0.625, 1.0, 2.5),
        (0.01, 0.5, 0.5),
        (0.01, 3.0, 3.0),
        (0.375, 0.5, 1.5),
        (0.99, 1.0, 3.96),
    ],
)
def test_a_threshold_is_between_two_of_five_numbers(q, limit, s):
    x0 = np.array([[0.0, -1.0, 2.0, 3.0, -4.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    for shape in ((2, 5), (2, 1, 5), (2, 5, 1, 1)):
        found = dynamic_threshold(lambda x, t: x, q, limit)(x0.reshape(shape), 0.5)
        assert found.shape == shape
        np.testing.assert_allclose(found.reshape(2, 5), np.clip(x0, -s, s) * limit / s, rtol=1e-12)


def test_a_threshold_s_defaults_and_ends():
    x0 = np.linspace(0, 10, 1001)[None]
    assert (dynamic_threshold(lambda x, t: x)(x0, 0.5) == dynamic_threshold(lambda x, t: x, 0.995, 1.0)(x0, 0.5)).all()
    np.testing.assert_allclose(dynamic_threshold(lambda x, t: x)(x0, 0.5)[0, 500], 5 / 9.95)
    for q in (0.0, 1.01):
        with pytest.raises(ValueError, match=rf"^q must be in \(0, 1\], got {q}$"):
            dynamic_threshold(None, q)
    with pytest.raises(ValueError, match=r"^limit must be > 0, got 0$"):
        dynamic_threshold(None, limit=0)


def test_what_else_an_estimate_says_goes_through_a_threshold():
    found = dynamic_threshold(lambda x, t: Estimate(4 * x, 3 * x, 0.5), 1.0)(np.ones((1, 2)), 0.5)
    assert (found.x0.tolist(), found.eps.tolist(), found.spread) == ([[1.0, 1.0]], [[3.0, 3.0]], 0.5)


def test_fixed_large_says_the_spread_alone():
    x = np.ones((1, 2))
    x0, eps, spread = fixed_large(lambda x, t: Estimate(t * x, 3 * x, 0.5))(x, 0.25)
    assert (x0.tolist(), eps.tolist(), spread) == ([[0.25, 0.25]], [[3.0, 3.0]], 1.0)


def test_clip_is_at_plus_and_minus_one_and_sees_the_time():
    x = np.array([[-9.0, -1.0, 0.5, 9.0]])
    assert clip(lambda x, t: x)(x, 0.5).tolist() == [[-1.0, -1.0, 0.5, 1.0]]
    assert clip(lambda x, t: x, -2, 3)(x, 0.5).tolist() == [[-2.0, -1.0, 0.5, 3.0]]
    kept = clip(lambda x, t: t * x, keep_eps=rectified())(x, 0.25)
    np.testing.assert_allclose(kept.eps, (x - 0.75 * 0.25 * x) / 0.25)
    assert kept.x0.tolist() == [[-1.0, -0.25, 0.125, 1.0]]
    assert (clip(lambda x, t: Estimate(x, 2 * x), keep_eps=rectified())(x, 0.25).eps == 2 * x).all(), (
        "an eps that is kept already"
    )


def test_inpainting_weighs_what_is_known_and_forgets_an_eps():
    x, known = np.array([[1.0, 2.0, 3.0]]), np.array([[10.0, 20.0, 30.0]])
    found = inpaint(lambda x, t: Estimate(t * x, x, 0.5), known, np.array([1.0, 0.25, 0.0]))(x, 0.5)
    assert (found.x0.tolist(), found.eps, found.spread) == ([[10.0, 5.75, 1.5]], None, 0.5)
    narrow = inpaint(lambda x, t: x, known, np.array([1, 1, 0]))(x.astype(np.float32), 0.5)
    assert (narrow.dtype, narrow.tolist()) == (np.float32, [[10.0, 20.0, 3.0]])
    with pytest.raises(ValueError, match=r"^known and mask must fit x_t's shape \(1, 3\), got \(2, 3\) and \(3,\)$"):
        inpaint(lambda x, t: x, np.ones((2, 3)), np.ones(3))(x, 0.5)
