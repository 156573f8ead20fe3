"""Classifier-free guidance: its formula, its scales, and when one call of the model serves both estimates."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from diffkit_samplers import (
    Estimate,
    apg,
    ddim,
    denoiser,
    guide,
    interval,
    trajectory,
)
from diffkit_samplers.testing import GaussianOracle, MixtureOracle
from diffkit_schedules import cosine, offset_cosine, rectified

X = np.array([[1.0, -3.0, 0.0], [0.5, 2.0, 1.0]])


def cond(x, t):
    return t * x + 1


def uncond(x, t):
    return 2 * x


@pytest.mark.parametrize("scale", [0, 0.0, 0.5, 3, 7.5, -1.0])
def test_guidance_is_the_papers(scale):
    found = guide(cond, uncond, scale)(X, 0.5)
    np.testing.assert_allclose(found, 2 * X + scale * (0.5 * X + 1 - 2 * X), rtol=1e-12)


@pytest.mark.parametrize("scale", [1, 1.0])
def test_scale_one_is_the_conditional_denoiser(scale):
    assert guide(cond, uncond, scale, rescale=0.7) is cond


@pytest.mark.parametrize("rescale", [0.0, 0.25, 1.0])
def test_rescale_brings_the_deviation_back_by_a_fraction(rescale):
    plain = guide(cond, uncond, 3.0)(X, 0.5)
    ratio = cond(X, 0.5).std(axis=1, keepdims=True) / plain.std(axis=1, keepdims=True)
    found = guide(cond, uncond, 3.0, rescale=rescale)(X, 0.5)
    np.testing.assert_allclose(found, plain * (rescale * ratio + 1 - rescale), rtol=1e-12)
    image = guide(cond, uncond, 3.0, rescale=rescale)(X.reshape(2, 1, 3), 0.5)
    np.testing.assert_allclose(image.reshape(2, 3), found, rtol=1e-12)


def test_a_constant_x0_is_not_rescaled():
    found = guide(lambda x, t: 0 * x + 3, lambda x, t: 0 * x, 2.0, rescale=0.5)(X, 0.5)
    np.testing.assert_allclose(found, 6 * (0.5 * 1 + 0.5))


def test_variance_is_the_conditional_one_and_eps_is_not_kept():
    found = guide(lambda x, t: Estimate(x, x, 0.5), lambda x, t: Estimate(0 * x, x, 0.25), 2.0)(X, 0.5)
    assert ((found.x0 == 2 * X).all(), found.eps, found.variance_interpolation) == (True, None, 0.5)


@pytest.mark.parametrize("rescale", [-0.1, 1.1])
def test_rescale_outside_its_range_is_refused(rescale):
    with pytest.raises(ValueError, match=rf"^rescale must be in \[0, 1\], got {rescale}$"):
        guide(cond, uncond, 2.0, rescale=rescale)


def test_a_scale_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"^scale must fit x_t's shape \(1, 3\), got \(2, 1\)$"):
        guide(cond, uncond, np.ones((2, 1)))(X[:1], 0.5)


@pytest.mark.parametrize("scale", [np.array([0.5, 3.0]), np.array([[0.5], [3.0]]), np.array([[0.5, 0.5, 0.5], [3.0, 3.0, 3.0]])])
def test_an_array_of_scales_has_one_per_sample_or_broadcasts(scale):
    expected = 2 * X + np.array([[0.5], [3.0]]) * (0.5 * X + 1 - 2 * X)
    np.testing.assert_allclose(guide(cond, uncond, scale)(X, 0.5), expected, rtol=1e-12)
    if scale.ndim == 1:
        found = guide(cond, uncond, scale)(X.reshape(2, 1, 3, 1), 0.5)
        np.testing.assert_allclose(found.reshape(2, 3), expected, rtol=1e-12)


def test_scales_of_torch_have_one_number_per_sample():
    torch = pytest.importorskip("torch")
    x, scale = torch.asarray(X), torch.tensor([0.5, 3.0])
    np.testing.assert_allclose(guide(cond, uncond, scale)(x, 0.5), guide(cond, uncond, scale.numpy())(X, 0.5), rtol=1e-12)


class Network:
    """Predicts its argument `y`, one number per sample, and keeps the arguments of each call."""

    def __init__(self):
        self.received = []

    def __call__(self, x, c, y=None, **more):
        self.received.append((x.shape[0], more))
        shift = 0 if y is None else np.reshape(y, (-1, 1))
        return 0 * x + shift


def sides(network, one, other, **options):
    return [denoiser(network, rectified(), "x0", **options, **each) for each in (one, other)]


ONES, TWOS = np.ones(2), np.full(2, 2.0)


@pytest.mark.parametrize(
    ("one", "other", "calls"),
    [
        ({"y": ONES}, {"y": TWOS}, 1),
        ({"y": ONES, "a": {"b": [ONES, (TWOS, 3)]}}, {"y": TWOS, "a": {"b": [TWOS, (ONES, 3)]}}, 1),
        ({"y": ONES, "a": None}, {"y": TWOS, "a": None}, 1),
        ({"y": ONES, "a": np.arange(3)}, {"y": TWOS, "a": np.arange(3)}, 2),
        ({"y": ONES, "a": "x"}, {"y": TWOS, "a": "z"}, 2),
        ({"y": ONES, "a": {"b": 1}}, {"y": TWOS, "a": {"c": 1}}, 2),
        ({"y": ONES, "a": {"b": 1}}, {"y": TWOS, "a": 1}, 2),
        ({"y": ONES, "a": [1]}, {"y": TWOS, "a": (1,)}, 2),
        ({"y": ONES, "a": [1]}, {"y": TWOS, "a": [1, 2]}, 2),
        ({"y": ONES, "a": [1]}, {"y": TWOS, "a": 1}, 2),
        ({"y": ONES}, {"y": TWOS, "a": 1}, 2),
        ({"y": ONES, "a": ONES}, {"y": TWOS, "a": 1.0}, 2),
        ({"y": ONES, "a": 1.0}, {"y": TWOS, "a": ONES}, 2),
    ],
)
def test_one_call_serves_both_where_arguments_can_be_concatenated(one, other, calls):
    network = Network()
    found = guide(*sides(network, one, other), 3.0)(X, 0.5)
    assert [count for count, _ in network.received] == ([4] if calls == 1 else [2, 2])
    np.testing.assert_allclose(found, 2 + 3.0 * (1 - 2) + 0 * X)


def test_concatenated_arguments_keep_their_containers():
    network = Network()
    deep = {"b": [ONES, (TWOS, 3)], "c": "same"}
    other = {"b": [TWOS, (ONES, 3)], "c": "same"}
    guide(*sides(network, {"y": ONES, "a": deep}, {"y": TWOS, "a": other}), 3.0)(X, 0.5)
    ((_, more),) = network.received
    first, (second, number) = more["a"]["b"]
    assert (first.tolist(), second.tolist(), number) == ([1, 1, 2, 2], [2, 2, 1, 1], 3)
    assert (type(more["a"]["b"]), type(more["a"]["b"][1]), more["a"]["c"]) == (list, tuple, "same")


def test_a_shared_array_is_passed_once_only_where_it_is_no_batch():
    for shared, calls in ((np.arange(3), [4]), (ONES, [2, 2])):
        network = Network()
        guide(*sides(network, {"y": ONES, "a": shared}, {"y": TWOS, "a": shared}), 3.0)(X, 0.5)
        assert [count for count, _ in network.received] == calls
        assert all(more["a"] is shared for _, more in network.received)


def test_a_named_tuple_of_arrays_is_not_concatenated():
    class Sizes(NamedTuple):
        size: Any

    network, sizes = Network(), Sizes(ONES)
    guide(*sides(network, {"y": ONES, "a": sizes}, {"y": TWOS, "a": sizes}), 3.0)(X, 0.5)
    assert [(count, more["a"] is sizes) for count, more in network.received] == [(2, True)] * 2


def test_different_models_schedules_or_conditions_are_called_separately():
    one, other = Network(), Network()
    guide(denoiser(one, rectified(), "x0", y=ONES), denoiser(other, rectified(), "x0", y=TWOS), 3.0)(X, 0.5)
    assert [count for count, _ in one.received + other.received] == [2, 2]
    network = Network()
    guide(denoiser(network, rectified(), "x0", y=ONES), denoiser(network, cosine(), "x0", y=TWOS), 3.0)(X, 0.5)
    guide(denoiser(network, rectified(), "x0", y=ONES), denoiser(network, rectified(), "x0", "time", y=TWOS), 3.0)(X, 0.5)
    guide(denoiser(network, rectified(), "x0", y=ONES), lambda x, t: x, 3.0)(X, 0.5)
    guide(lambda x, t: x, denoiser(network, rectified(), "x0", y=ONES), 3.0)(X, 0.5)
    assert [count for count, _ in network.received] == [2] * 6


def test_a_learned_variance_is_the_conditional_one():
    def network(x, c, y):
        return np.concatenate([0 * x, 0 * x + y[:, None]], axis=1)

    both = [denoiser(network, rectified(), "x0", learned_range=True, y=y) for y in (np.array([0.0, 0.5]), -ONES)]
    found = guide(*both, 3.0)(X, 0.5)
    np.testing.assert_allclose(found.variance_interpolation, np.array([[0.5], [0.75]]) + 0 * X)
    assert found.eps is None


rng = np.random.default_rng(0)


class Counting:
    """A network of a class: eps is the class, for every pixel; it counts its calls."""

    def __init__(self):
        self.calls = []

    def __call__(self, x, condition, labels=None):
        self.calls.append(x.shape[0])
        return np.zeros_like(x) if labels is None else 0 * x + labels[:, None]


def test_guidance_extrapolates_between_two_classes():
    model, schedule, x = Counting(), offset_cosine(), rng.standard_normal((2, 3))
    cond = denoiser(model, schedule, labels=np.array([1.0, 2.0]))
    uncond = denoiser(model, schedule, labels=np.array([0.0, 0.0]))
    guided = guide(cond, uncond, 3.0)(x, 0.5)
    assert model.calls == [4], "one call for both"
    np.testing.assert_allclose(guided, denoiser(model, schedule, labels=np.array([3.0, 6.0]))(x, 0.5), atol=1e-12)
    model.calls.clear()
    plain = guide(cond, denoiser(model, schedule), 3.0)(x, 0.5)
    assert model.calls == [2, 2], "arguments that cannot be concatenated take two calls"
    np.testing.assert_allclose(plain, guided, atol=1e-12)
    assert guide(cond, uncond, 1.0) is cond, "off at 1"
    np.testing.assert_allclose(guide(cond, uncond, 0.0)(x, 0.5), uncond(x, 0.5), atol=1e-12)


def test_rescale_interpolates_the_deviation():
    x = rng.standard_normal((2, 50))
    cond, uncond = (lambda x, t: 2 * x), (lambda x, t: x)
    for rescale in (0.0, 0.5, 1.0):
        out = guide(cond, uncond, 4.0, rescale=rescale)(x, 0.5)
        np.testing.assert_allclose(out, x * (rescale * 2 + (1 - rescale) * 5), atol=1e-12)


def test_equal_arguments_are_passed_once():
    calls = []

    def model(x, c, y=None, plain=False, labels=None):
        calls.append(x.shape[0])
        return 0 * x

    sides = [denoiser(model, rectified(), "v", y=None, plain=True, labels=np.full(2, label)) for label in (1, 0)]
    guide(*sides, 2.0)(np.ones((2, 3)), 0.5)
    assert calls == [4]


def test_rescaling_a_constant_is_no_division_by_zero():
    out = guide(lambda x, t: 0 * x + 2, lambda x, t: 0 * x + 1, 3.0, rescale=1.0)(np.ones((1, 4)), 0.5)
    assert (out == 4).all()


def apart(model, schedule, arguments, scale):
    """What guidance is: two calls, one for each side."""
    cond, uncond = (denoiser(lambda x, c, each=each: model(x, c, **each), schedule) for each in arguments)
    return lambda x, t: uncond(x, t) + scale * (cond(x, t) - uncond(x, t))


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
def test_only_batches_are_concatenated(arguments, calls):
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


def test_a_shared_argument_that_is_no_batch_is_passed_as_it_is():
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
def test_each_sample_may_have_a_scale(scale):
    x = rng.standard_normal((2, 2))
    cond, uncond = (lambda x, t: x + 1), (lambda x, t: x)
    expected = x + np.reshape(scale, (-1, 1))
    np.testing.assert_allclose(guide(cond, uncond, scale)(x, 0.5), expected, atol=1e-12)
    with pytest.raises(ValueError, match=r"scale must fit x_t's shape \(1, 2\), got \(2, 1\)"):
        guide(cond, uncond, np.ones(2))(x[:1], 0.5)


def test_equal_estimates_give_that_estimate():
    x = rng.standard_normal((2, 50)).astype(np.float16)
    assert (guide(lambda x, t: 0.3 * x, lambda x, t: 0.3 * x, 7.3)(x, 0.5) == 0.3 * x).all()


def test_rounding_errors_are_small_where_the_estimates_are_close():
    """A network of half precision: the error is that of u + s (c - u), about half a digit, not that of s c + (1 - s) u."""
    u = (1 + rng.random((1, 10000))).astype(np.float16)
    c = (u * (1 + 0.01 * rng.standard_normal(u.shape))).astype(np.float16)
    exact = u.astype(np.float64) + 7.5 * (c.astype(np.float64) - u)
    found = guide(lambda x, t: c, lambda x, t: u, 7.5)(u, 0.5)
    assert np.sqrt(((found - exact) ** 2).mean()) < 0.5 * np.finfo(np.float16).eps


def test_half_precision_is_rescaled_without_overflow():
    x = 8 * np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float16)
    found = guide(lambda x, t: x, lambda x, t: x / 2, 3.0, rescale=0.7)(x, 0.5)
    assert found.dtype == np.float16
    assert found.astype(float).std() == pytest.approx((0.7 + 0.3 * 2) * x.astype(float).std(), rel=1e-2)


def test_a_scale_of_numpy_does_not_widen_the_state():
    assert guide(lambda x, t: x, lambda x, t: x / 2, np.float64(3.0))(np.ones((2, 3), np.float32), 0.5).dtype == np.float32


def test_rescale_is_computed_for_each_sample():
    x = rng.standard_normal((2, 50)) * [[1.0], [10.0]]
    out = guide(lambda x, t: 2 * x + [[0.0], [1.0]] * x, lambda x, t: x, 4.0, rescale=1.0)(x, 0.5)
    np.testing.assert_allclose(out.std(axis=1), [2, 3] * x.std(axis=1), rtol=1e-12)


class Counted:
    """A denoise that counts its calls."""

    def __init__(self, factor):
        self.factor, self.calls = factor, 0

    def __call__(self, x, t):
        self.calls += 1
        return self.factor * x


def test_a_scale_may_be_a_function_of_t_and_is_off_where_it_returns_one():
    two, one = Counted(2.0), Counted(1.0)
    guided = guide(two, one, lambda t: 1 + 4 * t, rescale=0.5, transform=apg())
    np.testing.assert_allclose(guide(two, one, lambda t: 1 + 4 * t)(X, 0.5), 4 * X)
    np.testing.assert_allclose(guide(two, one, lambda t: t * np.array([2.0, 4.0]))(X, 0.5), X * [[2.0], [3.0]])
    one.calls = 0
    assert (guided(X, 0.0) == 2 * X).all()
    assert one.calls == 0, "at scale 1 the other estimate is not needed"


def test_guidance_in_an_interval_evaluates_the_other_network_there_alone():
    cond, uncond = Counted(0.5), Counted(0.25)
    states = list(trajectory(guide(cond, uncond, interval(3.0, 0.3, 0.7)), rectified(), X, steps=10))
    assert (len(states), cond.calls, uncond.calls) == (10, 10, 5), "t = 0.7, 0.6, 0.5, 0.4, 0.3"
    np.testing.assert_allclose(guide(cond, uncond, interval(np.array([3.0, 5.0]), 0.3, 0.7))(X, 0.7), X * [[1.0], [1.5]])


def test_an_interval_keeps_the_modes_that_guidance_drops():
    """A class of two modes, of which the smaller one is common without the class: guidance at high noise levels drops it."""
    cond = MixtureOracle(cosine(), (-1.0, 1.0), (0.01, 0.01), (0.5, 0.5))
    uncond = MixtureOracle(cosine(), (-1.0, 1.0), (0.01, 0.01), (0.2, 0.8))
    x = rng.standard_normal((4000, 1))
    share = {
        scale: (ddim(guide(cond, uncond, scale), cosine(), x, steps=40) > 0).mean()
        for scale in (1.0, 4.0, interval(4.0, 0.0, 0.3))
    }
    always, never, limited = share.pop(4.0), share.pop(1.0), next(iter(share.values()))
    assert never == pytest.approx(0.5, abs=0.03)
    assert always < 0.1
    assert limited == pytest.approx(0.5, abs=0.05)


def test_several_conditions_are_added_and_a_negative_scale_moves_away():
    conds, scales = [lambda x, t: x + 1, lambda x, t: 3 * x, lambda x, t: t * x], [2.0, -0.25, np.array([0.0, 4.0])]
    expected = X + 2 * 1 - 0.25 * 2 * X + np.array([[0.0], [4.0]]) * (0.5 - 1) * X
    np.testing.assert_allclose(guide(conds, lambda x, t: x, scales)(X, 0.5), expected, atol=1e-14)
    one = guide(conds[:1], lambda x, t: x, [3.0])(X, 0.5)
    assert (one == guide(conds[0], lambda x, t: x, 3.0)(X, 0.5)).all()
    assert guide(conds[:1], uncond, [1.0]) is conds[0]
    rescaled = guide(conds, lambda x, t: x, scales, rescale=1.0)(X, 0.5)
    np.testing.assert_allclose(rescaled.std(axis=1), (X + 1 + 2 * X + -0.5 * X).std(axis=1))


def test_one_call_serves_several_conditions():
    model, schedule, x = Counting(), offset_cosine(), rng.standard_normal((2, 3))
    a, b, none = (denoiser(model, schedule, labels=np.array(labels)) for labels in ([1.0, 2.0], [5.0, 5.0], [0.0, 0.0]))
    found = guide([a, b], none, [3.0, -1.0])(x, 0.5)
    assert model.calls == [6]
    np.testing.assert_allclose(found, denoiser(model, schedule, labels=np.array([-2.0, 1.0]))(x, 0.5), atol=1e-12)


def test_a_worse_network_guides_a_better_one_towards_the_data():
    """Autoguidance: both networks learned a variance that is too large, the worse one more so."""
    better, worse, schedule = GaussianOracle(cosine(), 0.5, 0.30), GaussianOracle(cosine(), 0.5, 0.40), cosine()
    x = rng.standard_normal((2000, 1))
    variances = [ddim(guide(better, worse, scale), schedule, x, steps=500).var() / x.var() for scale in (1.0, 1.5, 2.0)]
    np.testing.assert_allclose(variances, [0.30, 0.30**1.5 / 0.40**0.5, 0.30**2 / 0.40], rtol=0.03)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: guide([cond, cond], uncond, [1.0]), r"2 conditions need a sequence of as many scales, one or more; got \[1.0\]"),
        (lambda: guide([cond, cond], uncond, 2.0), r"2 conditions need a sequence of as many scales, one or more; got 2.0"),
        (lambda: guide([], uncond, []), r"0 conditions need a sequence of as many scales, one or more; got \[\]"),
        (lambda: guide(cond, uncond, float("nan")), "scale must be finite, got nan"),
        (lambda: guide(cond, uncond, lambda t: float("inf"))(X, 0.5), "scale must be finite, got inf"),
        (lambda: guide([cond, cond], uncond, [1.0, lambda t: np.nan])(X, 0.5), "scale must be finite, got nan"),
        (lambda: guide(cond, uncond, [1.0, np.inf]), "scale must be finite, got inf"),
        (lambda: guide(cond, uncond, np.array([1.0, np.nan])), "scale must be finite, got an array with numbers that are not"),
        (lambda: guide(cond, uncond, np.float32(np.nan)), "scale must be finite, got an array with numbers that are not"),
        (lambda: guide(cond, uncond, None), "scale must be a number, an array with one per sample, or a function of t; got None"),
        (lambda: guide(cond, uncond, "3"), "scale must be a number, an array with one per sample, or a function of t; got '3'"),
        (lambda: guide(cond, uncond, lambda t: None)(X, 0.5), "scale must be a number, .*; got None"),
        (lambda: interval(2.0, 0.5, 0.5), "low and high must be times, 0 <= low < high <= 1, got low=0.5, high=0.5"),
        (lambda: interval(2.0, 0.5, 80.0), "low and high must be times, 0 <= low < high <= 1, got low=0.5, high=80.0"),
    ],
)
def test_bad_scales_are_refused(make, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()
