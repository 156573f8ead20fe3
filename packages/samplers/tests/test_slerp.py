"""Spherical interpolation."""

import numpy as np
import pytest
from diffkit_samplers import (
    slerp,
)
from diffkit_samplers.slerp import _orthogonal
from diffkit_schedules import namespace
from hypothesis import given
from hypothesis import strategies as st

rng = np.random.default_rng(0)


A, B = rng.standard_normal((2, 5, 3, 16, 16))


def test_the_ends_are_a_and_b():
    np.testing.assert_allclose(slerp(A, B, 0.0), A, atol=1e-12)
    np.testing.assert_allclose(slerp(A, B, 1.0), B, atol=1e-12)


def norms(x):
    return np.sqrt((x.reshape(-1, 3 * 16 * 16) ** 2).sum(axis=1))


@given(t=st.floats(0, 1))
def test_equal_norms_are_kept_and_the_angle_is_proportional_to_t(t):
    a, b = (x / norms(x)[:, None, None, None] for x in (A, B))
    between = slerp(a, b, t)
    np.testing.assert_allclose(norms(between), 1, atol=1e-12)
    whole, part = (2 * np.arcsin(norms(x - a) / 2) for x in (b, between))
    np.testing.assert_allclose(part, t * whole, atol=1e-12)


def test_independent_noises_keep_their_standard_deviation():
    assert slerp(A, B, 0.5).std() == pytest.approx(1.0, abs=0.02)
    assert (0.5 * A + 0.5 * B).std() == pytest.approx(0.708, abs=0.02)


def test_each_sample_has_its_own_angle():
    a, b = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [0.6, 0.8]])
    half = slerp(a, b, 0.5)
    np.testing.assert_allclose(half, [[0.5**0.5, 0.5**0.5], [0.8**0.5, 0.2**0.5]], atol=1e-12)


def test_a_sequence_of_t_adds_an_axis():
    path = slerp(A, B, [0.0, 0.25, 1.0])
    assert path.shape == (3, *A.shape)
    np.testing.assert_allclose(path[1], slerp(A, B, 0.25), atol=0)
    assert slerp(A, B, np.linspace(0, 1, 11)).shape == (11, *A.shape)


@pytest.mark.parametrize("scale", [1.0, 2.0, 1 + 1e-9])
def test_parallel_latents_are_interpolated_linearly(scale):
    np.testing.assert_allclose(slerp(A, scale * A, 0.3), (0.7 + 0.3 * scale) * A, rtol=1e-9)


def test_zero_and_half_precision():
    np.testing.assert_allclose(slerp(0 * A, B, 0.5), B / 2, atol=1e-12)
    half = slerp(A.astype(np.float16), B.astype(np.float16), 0.5)
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, slerp(A, B, 0.5), atol=5e-3)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        slerp(A, B[:1], 0.5)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_opposites_of_any_size_are_interpolated(dtype):
    a = np.random.default_rng(0).standard_normal((2, 4, 256, 256)).astype(dtype)
    half = slerp(a, -a, 0.5).astype(np.float64)
    assert np.isfinite(half).all()
    flat, whole = half.reshape(2, -1), a.astype(np.float64).reshape(2, -1)
    np.testing.assert_allclose(np.linalg.norm(flat, axis=1), np.linalg.norm(whole, axis=1), rtol=2e-3)
    assert abs((flat * whole).sum(axis=1) / (whole**2).sum(axis=1)).max() < 1e-3


def unit(angle):
    return [np.cos(angle), np.sin(angle)]


def test_slerp_is_its_formula():
    a, b = np.array([[2.0, 0.0], unit(0.2)]), np.array([unit(1.2), [3 * each for each in unit(2.5)]])
    for t in (0.0, 0.25, 0.7, 1.0):
        for k, angle in enumerate((1.2, 2.3)):
            expected = (np.sin((1 - t) * angle) * a[k] + np.sin(t * angle) * b[k]) / np.sin(angle)
            np.testing.assert_allclose(slerp(a, b, t)[k], expected, rtol=1e-12, atol=1e-12)
    images = slerp(a.reshape(2, 1, 2, 1), b.reshape(2, 1, 2, 1), 0.25)
    assert images.shape == (2, 1, 2, 1)
    np.testing.assert_allclose(images.reshape(2, 2), slerp(a, b, 0.25), rtol=1e-12)


@pytest.mark.parametrize("t", [[0.25, 0.75], (0.25, 0.75), np.array([0.25, 0.75])])
def test_the_axis_of_several_t_comes_before_the_batch(t):
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


def test_with_a_zero_vector_it_is_linear():
    a = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 2.0]])
    b = np.array([[3.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    np.testing.assert_allclose(slerp(a, b, 0.25), 0.75 * a + 0.25 * b, rtol=1e-12)


def test_opposites_turn_through_the_smallest_coordinate_of_a():
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


def test_opposite_tensors_turn_as_arrays_do():
    torch = pytest.importorskip("torch")
    a = np.array([[3.0, 0.0, 4.0], [0.0, 0.0, 2.0]])
    found = slerp(torch.asarray(a), torch.asarray(-a), 0.3)
    np.testing.assert_allclose(found, slerp(a, -a, 0.3), rtol=1e-12)


def test_tensors_of_half_precision_are_computed_in_float32():
    torch = pytest.importorskip("torch")
    a, b = (torch.asarray(300 * row, dtype=torch.float16) for row in (np.eye(2)[:1], np.eye(2)[1:]))
    found = slerp(a, b, [0.25, 0.5])
    assert (found.dtype, found.shape) == (torch.float16, (2, 1, 2))
    expected = [[[300 * np.cos(angle), 300 * np.sin(angle)]] for angle in (np.pi / 8, np.pi / 4)]
    np.testing.assert_allclose(found.double(), expected, rtol=1e-3)


def test_the_orthogonal_vector_has_the_dtype_of_the_latent():
    a = np.array([[3.0, 0.0, 4.0]], np.float32)
    found = _orthogonal(namespace(a), a, np.array([[5.0]], np.float32), (1,))
    assert (found.dtype, found.tolist()) == (np.float32, [[0.0, 5.0, 0.0]])


def test_a_latent_of_one_number_goes_through_zero_to_its_opposite():
    found = slerp(np.array([[2.0]]), np.array([[-2.0]]), [0.0, 0.25, 0.5, 1.0])
    np.testing.assert_allclose(found.ravel(), [2.0, 2**0.5, 0.0, -2.0], atol=1e-12)


def test_half_precision_is_kept():
    a, b = np.array([[1.0, 0.0]], np.float16), np.array([[0.0, 1.0]], np.float16)
    assert slerp(a, b, 0.5).dtype == np.float16
    assert slerp(a.astype(np.float32), b.astype(np.float32), 0.5).dtype == np.float32
    large = np.array([[300.0, 0.0]], np.float16)
    np.testing.assert_allclose(slerp(large, large[:, ::-1], 0.5), [[212.1, 212.1]], rtol=1e-3)


def test_different_shapes_are_refused_by_naming_both():
    with pytest.raises(ValueError, match=r"^a and b must have one shape, got \(2, 3\) and \(2, 4\)$"):
        slerp(np.ones((2, 3)), np.ones((2, 4)), 0.5)


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_slerp_between_opposites_is_half_a_circle(size, scale):
    a = rng.standard_normal((3, size))
    a[2] = np.eye(size)[-1]
    b = -scale * a
    b[1] = rng.standard_normal(size)  # one sample is not opposite
    np.testing.assert_allclose(slerp(a, b, 0.0), a, atol=1e-12)
    np.testing.assert_allclose(slerp(a, b, 1.0), b, atol=1e-12)
    half = slerp(a, b, 0.5)
    np.testing.assert_allclose(
        np.linalg.norm(half, axis=1)[[0, 2]], np.linalg.norm(a, axis=1)[[0, 2]] * (1 + scale) / 2, rtol=1e-12
    )
    assert abs((half * a).sum(axis=1)[[0, 2]]).max() < 1e-12
    np.testing.assert_allclose(half[1], slerp(a[1:2], b[1:2], 0.5)[0], atol=1e-12)
