"""Adaptive projected guidance: its projection, its bound, and what it does to guided samples."""

import numpy as np
import pytest
from diffkit_samplers import apg, guide

rng = np.random.default_rng(0)
D, X0 = rng.standard_normal((2, 3, 4, 4)), rng.standard_normal((2, 3, 4, 4))


def dot(a, b):
    return (a * b).reshape(len(a), -1).sum(axis=1)


@pytest.mark.parametrize("parallel", [0.0, 0.25, 1.0])
def test_the_part_along_the_estimate_is_scaled(parallel):
    found = apg(parallel)(D, X0)
    np.testing.assert_allclose(dot(found, X0), parallel * dot(D, X0), atol=1e-12)
    along = (dot(D, X0) / dot(X0, X0))[:, None, None, None] * X0
    np.testing.assert_allclose(found, D - (1 - parallel) * along, atol=1e-12)


def test_the_norm_is_bounded_for_each_sample_before_the_projection():
    long = D * np.array([1.0, 100.0]).reshape(2, 1, 1, 1)
    bound = 2 * np.sqrt(dot(D, D))[0]
    found = apg(1.0, max_norm=bound)(long, X0)
    np.testing.assert_allclose(found[0], D[0], rtol=1e-12)
    np.testing.assert_allclose(found[1], D[1] * bound / np.sqrt(dot(D, D))[1], rtol=1e-12)
    assert (apg(1.0, max_norm=np.inf)(long, X0) == long).all()


def test_guidance_with_all_of_it_is_plain_guidance():
    cond, uncond, x = (lambda x, t: np.tanh(x)), (lambda x, t: 0.3 * x), D
    np.testing.assert_allclose(guide(cond, uncond, 4.0, transform=apg(1.0))(x, 0.5), guide(cond, uncond, 4.0)(x, 0.5), atol=1e-12)


def test_projected_guidance_does_not_saturate():
    """Both estimates are along one direction: plain guidance scales the sample by 2.5, the projected one does not."""
    cond, uncond = (lambda x, t: x), (lambda x, t: 0.5 * x)
    np.testing.assert_allclose(guide(cond, uncond, 4.0)(D, 0.5), 2.5 * D)
    np.testing.assert_allclose(guide(cond, uncond, 4.0, transform=apg())(D, 0.5), D, atol=1e-12)


def test_zero_estimates_and_half_precision_give_finite_numbers():
    assert (apg(max_norm=1.0)(0 * D, 0 * X0) == 0).all()
    large = np.full((1, 3, 64, 64), 8.0, np.float16)  # the sum of its squares overflows float16
    found = apg(max_norm=1e3)(large, large)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, 0, atol=1e-2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parallel": -0.1}, r"parallel must be in \[0, 1\], got -0.1"),
        ({"parallel": 2}, r"parallel must be in \[0, 1\], got 2"),
        ({"max_norm": 0.0}, "max_norm must be > 0, got 0.0"),
        ({"max_norm": float("nan")}, "max_norm must be > 0, got nan"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        apg(**options)
