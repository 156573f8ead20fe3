"""Guidance by its formula, and which questions go to the network together."""

import numpy as np
import pytest
from diffkit_samplers import Estimate, denoiser, guide
from diffkit_schedules import cosine, rectified

X = np.array([[1.0, -3.0, 0.0], [0.5, 2.0, 1.0]])


def cond(x, t):
    return t * x + 1


def uncond(x, t):
    return 2 * x


@pytest.mark.parametrize("scale", [0, 0.0, 0.5, 3, 7.5, -1.0])
def test_x0_is_the_one_without_and_so_many_differences(scale):
    found = guide(cond, uncond, scale)(X, 0.5)
    np.testing.assert_allclose(found, 2 * X + scale * (0.5 * X + 1 - 2 * X), rtol=1e-12)


@pytest.mark.parametrize("scale", [1, 1.0])
def test_a_scale_of_one_is_the_condition_s_own(scale):
    assert guide(cond, uncond, scale, rescale=0.7) is cond


@pytest.mark.parametrize("rescale", [0.0, 0.25, 1.0])
def test_rescale_brings_back_the_deviation_in_part(rescale):
    plain = guide(cond, uncond, 3.0)(X, 0.5)
    ratio = cond(X, 0.5).std(axis=1, keepdims=True) / plain.std(axis=1, keepdims=True)
    found = guide(cond, uncond, 3.0, rescale=rescale)(X, 0.5)
    np.testing.assert_allclose(found, plain * (rescale * ratio + 1 - rescale), rtol=1e-12)
    image = guide(cond, uncond, 3.0, rescale=rescale)(X.reshape(2, 1, 3), 0.5)
    np.testing.assert_allclose(image.reshape(2, 3), found, rtol=1e-12)


def test_a_flat_answer_has_no_deviation_to_bring_back():
    found = guide(lambda x, t: 0 * x + 3, lambda x, t: 0 * x, 2.0, rescale=0.5)(X, 0.5)
    np.testing.assert_allclose(found, 6 * (0.5 * 1 + 0.5))


def test_the_spread_is_the_condition_s_and_its_eps_is_not_kept():
    found = guide(lambda x, t: Estimate(x, x, 0.5), lambda x, t: Estimate(0 * x, x, 0.25), 2.0)(X, 0.5)
    assert ((found.x0 == 2 * X).all(), found.eps, found.spread) == (True, None, 0.5)


@pytest.mark.parametrize("rescale", [-0.1, 1.1])
def test_a_rescale_outside_its_range_is_refused(rescale):
    with pytest.raises(ValueError, match=rf"^rescale must be in \[0, 1\], got {rescale}$"):
        guide(cond, uncond, 2.0, rescale=rescale)


def test_a_scale_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"^scale must fit x_t's shape \(1, 3\): with it x0 gets \(2, 3\)$"):
        guide(cond, uncond, np.ones((2, 1)))(X[:1], 0.5)


@pytest.mark.parametrize("scale", [np.array([0.5, 3.0]), np.array([[0.5], [3.0]]), np.array([[0.5, 0.5, 0.5], [3.0, 3.0, 3.0]])])
def test_an_array_of_scales_is_one_a_sample_or_where_it_stands(scale):
    expected = 2 * X + np.array([[0.5], [3.0]]) * (0.5 * X + 1 - 2 * X)
    np.testing.assert_allclose(guide(cond, uncond, scale)(X, 0.5), expected, rtol=1e-12)
    if scale.ndim == 1:
        found = guide(cond, uncond, scale)(X.reshape(2, 1, 3, 1), 0.5)
        np.testing.assert_allclose(found.reshape(2, 3), expected, rtol=1e-12)


class Network:
    """Says its argument `y`, one number a sample, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, x, c, y=None, **more):
        self.asked.append((x.shape[0], more))
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
def test_what_is_asked_at_once(one, other, calls):
    network = Network()
    found = guide(*sides(network, one, other), 3.0)(X, 0.5)
    assert [count for count, _ in network.asked] == ([4] if calls == 1 else [2, 2])
    np.testing.assert_allclose(found, 2 + 3.0 * (1 - 2) + 0 * X)


def test_what_is_asked_at_once_is_joined_in_its_own_kind():
    network = Network()
    deep = {"b": [ONES, (TWOS, 3)], "c": "same"}
    other = {"b": [TWOS, (ONES, 3)], "c": "same"}
    guide(*sides(network, {"y": ONES, "a": deep}, {"y": TWOS, "a": other}), 3.0)(X, 0.5)
    ((_, more),) = network.asked
    first, (second, number) = more["a"]["b"]
    assert (first.tolist(), second.tolist(), number) == ([1, 1, 2, 2], [2, 2, 1, 1], 3)
    assert (type(more["a"]["b"]), type(more["a"]["b"][1]), more["a"]["c"]) == (list, tuple, "same")


def test_one_array_for_both_is_joined_only_where_it_is_no_batch():
    for shared, calls in ((np.arange(3), [4]), (ONES, [2, 2])):
        network = Network()
        guide(*sides(network, {"y": ONES, "a": shared}, {"y": TWOS, "a": shared}), 3.0)(X, 0.5)
        assert [count for count, _ in network.asked] == calls
        assert all(more["a"] is shared for _, more in network.asked)


def test_networks_and_schedules_that_differ_are_asked_apart():
    one, other = Network(), Network()
    guide(denoiser(one, rectified(), "x0", y=ONES), denoiser(other, rectified(), "x0", y=TWOS), 3.0)(X, 0.5)
    assert [count for count, _ in one.asked + other.asked] == [2, 2]
    network = Network()
    guide(denoiser(network, rectified(), "x0", y=ONES), denoiser(network, cosine(), "x0", y=TWOS), 3.0)(X, 0.5)
    guide(denoiser(network, rectified(), "x0", y=ONES), denoiser(network, rectified(), "x0", "time", y=TWOS), 3.0)(X, 0.5)
    guide(denoiser(network, rectified(), "x0", y=ONES), lambda x, t: x, 3.0)(X, 0.5)
    guide(lambda x, t: x, denoiser(network, rectified(), "x0", y=ONES), 3.0)(X, 0.5)
    assert [count for count, _ in network.asked] == [2] * 6


def test_a_learned_variance_is_the_condition_s_half():
    def network(x, c, y):
        return np.concatenate([0 * x, 0 * x + y[:, None]], axis=1)

    both = [denoiser(network, rectified(), "x0", learned_range=True, y=y) for y in (np.array([0.0, 0.5]), -ONES)]
    found = guide(*both, 3.0)(X, 0.5)
    np.testing.assert_allclose(found.spread, np.array([[0.5], [0.75]]) + 0 * X)
    assert found.eps is None
