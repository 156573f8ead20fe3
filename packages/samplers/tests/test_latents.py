"""slerp and seeds."""

import numpy as np
import pytest
from diffkit_samplers import ddim, seeded, slerp, step
from diffkit_samplers.testing import GaussianOracle
from diffkit_schedules import cosine, rectified
from hypothesis import given
from hypothesis import strategies as st

rng = np.random.default_rng(0)
A, B = rng.standard_normal((2, 5, 3, 16, 16))


def norms(x):
    return np.sqrt((x.reshape(-1, 3 * 16 * 16) ** 2).sum(axis=1))


def test_the_ends_are_the_ends():
    np.testing.assert_allclose(slerp(A, B, 0.0), A, atol=1e-12)
    np.testing.assert_allclose(slerp(A, B, 1.0), B, atol=1e-12)


@given(t=st.floats(0, 1))
def test_equal_norms_are_kept_and_the_angle_is_shared_out(t):
    a, b = (x / norms(x)[:, None, None, None] for x in (A, B))
    between = slerp(a, b, t)
    np.testing.assert_allclose(norms(between), 1, atol=1e-12)
    whole, part = (2 * np.arcsin(norms(x - a) / 2) for x in (b, between))
    np.testing.assert_allclose(part, t * whole, atol=1e-12)


def test_independent_noises_keep_their_deviation():
    assert slerp(A, B, 0.5).std() == pytest.approx(1.0, abs=0.02)
    assert (0.5 * A + 0.5 * B).std() == pytest.approx(0.708, abs=0.02)


def test_each_sample_has_its_own_angle():
    a, b = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [0.6, 0.8]])
    half = slerp(a, b, 0.5)
    np.testing.assert_allclose(half, [[0.5**0.5, 0.5**0.5], [0.8**0.5, 0.2**0.5]], atol=1e-12)


def test_a_sequence_of_t_stacks():
    path = slerp(A, B, [0.0, 0.25, 1.0])
    assert path.shape == (3, *A.shape)
    np.testing.assert_allclose(path[1], slerp(A, B, 0.25), atol=0)
    assert slerp(A, B, np.linspace(0, 1, 11)).shape == (11, *A.shape)


@pytest.mark.parametrize("scale", [1.0, 2.0, 1 + 1e-9])
def test_parallel_is_lerp(scale):
    np.testing.assert_allclose(slerp(A, scale * A, 0.3), (0.7 + 0.3 * scale) * A, rtol=1e-9)


def test_zero_and_half_precision():
    np.testing.assert_allclose(slerp(0 * A, B, 0.5), B / 2, atol=1e-12)
    half = slerp(A.astype(np.float16), B.astype(np.float16), 0.5)
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, slerp(A, B, 0.5), atol=5e-3)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        slerp(A, B[:1], 0.5)


def test_a_row_is_its_seed_s_and_its_draw_s_alone():
    alone, among = seeded([9]), seeded([3, 9, 4])
    for _ in range(3):
        assert (alone((1, 2, 5))[0] == among((3, 2, 5))[1]).all()
    first, second = seeded([9]), seeded([9])
    second((1, 7))
    assert (first((1, 4)) != second((1, 4))).all(), "the second draw is another"
    assert (first((1, 4)) == second((1, 4))).sum() == 0


def test_draws_follow_like():
    draw = seeded([1, 2], like=np.ones(1, np.float32))((2, 3))
    assert draw.dtype == np.float32
    np.testing.assert_allclose(draw, seeded([1, 2])((2, 3)), rtol=1e-6)


def test_what_seeds_refuse():
    with pytest.raises(ValueError, match="got -1"):
        seeded([-1])
    with pytest.raises(TypeError):
        seeded([0.5])
    with pytest.raises(ValueError, match=r"2 seeds draw shapes \(2, ...\), got \(3, 1\)"):
        seeded([1, 2])((3, 1))


def test_a_sampler_s_draws_are_never_those_of_a_start():
    """N(0, 1) data in 5 steps of eta = 0.7 comes out with variance 0.54; one noise in the start and in a step made it 0.79."""
    schedule, seeds, shape = rectified(), range(4), (4, 2500)
    x, eta = seeded(seeds)(shape), 0.7
    kept, gap = ddim(GaussianOracle(schedule), schedule, x, steps=5, eta=eta, noise=seeded(seeds)), []
    assert kept.var() == pytest.approx(0.54, abs=0.02)
    step(x, x, schedule(1.0), schedule(0.5), eta=1.0, noise=lambda shape: gap.append(seeded(seeds)(shape)) or gap[-1])
    assert (gap[0] == x).all(), "a call gives what a start is"
    x_s = step(x, 0 * x, schedule(1.0), schedule(0.5), eta=1.0, noise=seeded(seeds))
    assert abs(np.corrcoef(x_s.ravel(), x.ravel())[0, 1]) < 0.05, "what is drawn in a step is something else"


def test_a_source_is_never_where_it_was():
    source, oracle = seeded([1, 2]), GaussianOracle(cosine())
    x = np.zeros((2, 3))
    first, second = (ddim(oracle, cosine(), x, steps=3, eta=1.0, noise=source) for _ in range(2))
    assert (first != second).all()
    assert (first == ddim(oracle, cosine(), x, steps=3, eta=1.0, noise=seeded([1, 2]))).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_opposites_of_any_size_have_a_way_between_them(dtype):
    a = np.random.default_rng(0).standard_normal((2, 4, 256, 256)).astype(dtype)
    half = slerp(a, -a, 0.5).astype(np.float64)
    assert np.isfinite(half).all()
    flat, whole = half.reshape(2, -1), a.astype(np.float64).reshape(2, -1)
    np.testing.assert_allclose(np.linalg.norm(flat, axis=1), np.linalg.norm(whole, axis=1), rtol=2e-3)
    assert abs((flat * whole).sum(axis=1) / (whole**2).sum(axis=1)).max() < 1e-3


def unit(angle):
    return [np.cos(angle), np.sin(angle)]


def test_slerp_shares_out_the_angle_and_the_length_by_its_formula():
    a, b = np.array([[2.0, 0.0], unit(0.2)]), np.array([unit(1.2), [3 * each for each in unit(2.5)]])
    for t in (0.0, 0.25, 0.7, 1.0):
        for k, angle in enumerate((1.2, 2.3)):
            expected = (np.sin((1 - t) * angle) * a[k] + np.sin(t * angle) * b[k]) / np.sin(angle)
            np.testing.assert_allclose(slerp(a, b, t)[k], expected, rtol=1e-12, atol=1e-12)
    images = slerp(a.reshape(2, 1, 2, 1), b.reshape(2, 1, 2, 1), 0.25)
    assert images.shape == (2, 1, 2, 1)
    np.testing.assert_allclose(images.reshape(2, 2), slerp(a, b, 0.25), rtol=1e-12)


@pytest.mark.parametrize("t", [[0.25, 0.75], (0.25, 0.75), np.array([0.25, 0.75])])
def test_several_t_are_stacked_before_the_batch(t):
    a, b = np.array([unit(0.0), unit(0.3)]), np.array([unit(1.0), unit(2.0)])
    found = slerp(a, b, t)
    assert found.shape == (2, 2, 2)
    for each, one in zip(found, (0.25, 0.75), strict=True):
        np.testing.assert_allclose(each, [unit(one), unit(0.3 + 1.7 * one)], rtol=1e-12)
    alone = slerp(a[0], b[0], t)
    assert alone.shape == (2, 2)
    np.testing.assert_allclose(alone[1], unit(0.75), rtol=1e-12)
    assert slerp(a, b, np.array(0.25)).shape == (2, 2)
    assert slerp(a, b, 0).shape == (2, 2)


def test_a_line_through_zero_is_straight():
    a = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 2.0]])
    b = np.array([[3.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    np.testing.assert_allclose(slerp(a, b, 0.25), 0.75 * a + 0.25 * b, rtol=1e-12)


def test_opposites_turn_towards_the_coordinate_that_the_first_has_least_of():
    a = np.array([[3.0, 0.0, 4.0], [0.0, 0.0, 2.0]])
    b = np.array([[-3.0, 0.0, -4.0], [0.0, 0.0, -6.0]])
    half = slerp(a, b, 0.5)
    np.testing.assert_allclose(half, [[0.0, 5.0, 0.0], [4.0, 0.0, 0.0]], atol=1e-12)
    third = slerp(a, b, 1 / 3)
    np.testing.assert_allclose(third[0], 0.5 * a[0] + 0.75**0.5 * np.array([0.0, 5.0, 0.0]), atol=1e-12)
    np.testing.assert_allclose(third[1], np.array([0.75**0.5, 0.0, 0.5]) * (2 + 4 / 3), atol=1e-12)
    near = np.array([[1.0, 2.0, 2.0]])
    turned = slerp(near, -near, 0.5)
    np.testing.assert_allclose(turned, [np.array([8.0, -2.0, -2.0]) / 72**0.5 * 3], rtol=1e-9)


def test_latents_of_half_precision_come_back_so():
    a, b = np.array([[1.0, 0.0]], np.float16), np.array([[0.0, 1.0]], np.float16)
    assert slerp(a, b, 0.5).dtype == np.float16
    assert slerp(a.astype(np.float32), b.astype(np.float32), 0.5).dtype == np.float32
    large = np.array([[300.0, 0.0]], np.float16)
    np.testing.assert_allclose(slerp(large, large[:, ::-1], 0.5), [[212.1, 212.1]], rtol=1e-3)


def test_latents_of_two_shapes_are_refused_by_both():
    with pytest.raises(ValueError, match=r"^a and b must have one shape, got \(2, 3\) and \(2, 4\)$"):
        slerp(np.ones((2, 3)), np.ones((2, 4)), 0.5)
