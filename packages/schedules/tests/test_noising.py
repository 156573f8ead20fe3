"""Noising and the prediction types: hand-written formulas, round trips, and the two singular points."""

import diffkit_schedules as ds
import numpy as np
import pytest
from every_schedule import EVERY, ids
from hypothesis import given
from hypothesis import strategies as st

rng = np.random.default_rng(0)
X0, EPS = rng.standard_normal((2, 4, 3, 2, 2))


def test_the_field_s_formulas():
    alpha, sigma = rates = ds.Rates(0.6, 0.8)
    x = ds.add_noise(X0, EPS, rates)
    np.testing.assert_allclose(x, 0.6 * X0 + 0.8 * EPS, atol=1e-15)
    v = alpha * EPS - sigma * X0
    np.testing.assert_allclose(ds.target(X0, EPS, rates, "v"), v, atol=1e-15)
    np.testing.assert_allclose(ds.to_x0(v, x, rates, "v"), alpha * x - sigma * v, atol=1e-14)
    np.testing.assert_allclose(ds.to_eps(v, x, rates, "v"), alpha * v + sigma * x, atol=1e-14)
    assert ds.target(X0, EPS, rates, "eps").tolist() == EPS.tolist()
    assert ds.target(X0, EPS, rates, "x0").tolist() == X0.tolist()
    np.testing.assert_allclose(ds.target(X0, EPS, rates, "flow"), EPS - X0, atol=1e-15)


@pytest.mark.parametrize("prediction", ds.PREDICTIONS)
@pytest.mark.parametrize("schedule", EVERY, ids=ids)
@given(t=st.floats(0.02, 0.98))
def test_every_type_round_trips_under_every_schedule(schedule, prediction, t):
    rates = schedule(t)
    x, out = ds.add_noise(X0, EPS, rates), ds.target(X0, EPS, rates, prediction)
    scale = max(1, rates.sigma / rates.alpha, rates.alpha / rates.sigma)
    np.testing.assert_allclose(ds.to_x0(out, x, rates, prediction), X0, atol=1e-13 * scale)
    np.testing.assert_allclose(ds.to_eps(out, x, rates, prediction), EPS, atol=1e-13 * scale)


@pytest.mark.parametrize(
    ("alias", "name"), [("epsilon", "eps"), ("sample", "x0"), ("v_prediction", "v"), ("flow_prediction", "flow")]
)
def test_the_ecosystem_s_names(alias, name):
    rates = ds.Rates(0.6, 0.8)
    assert ds.target(X0, EPS, rates, alias).tolist() == ds.target(X0, EPS, rates, name).tolist()


def test_one_level_a_sample():
    levels = np.array([0.1, 0.4, 0.7, 0.9])
    each = np.stack([ds.add_noise(X0[i], EPS[i], ds.cosine()(level)) for i, level in enumerate(levels)])
    for t in (levels, levels.reshape(4, 1, 1, 1)):
        np.testing.assert_allclose(ds.add_noise(X0, EPS, ds.cosine()(t)), each, atol=1e-15)


def test_levels_never_meet_the_last_axis_by_accident():
    x0, eps = np.ones((2, 1, 2)), np.zeros((2, 1, 2))
    noised = ds.add_noise(x0, eps, ds.rectified()(np.array([0.0, 1.0])))
    assert noised.tolist() == [[[1, 1]], [[0, 0]]]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("t", [0.5, np.full((4, 1, 1, 1), 0.5)], ids=["float", "array"])
def test_the_data_s_dtype_is_kept(dtype, t):
    x0, eps = X0.astype(dtype), EPS.astype(dtype)
    rates = ds.cosine()(t)
    x = ds.add_noise(x0, eps, rates)
    assert x.dtype == ds.target(x0, eps, rates, "v").dtype == ds.to_x0(eps, x, rates, "eps").dtype == dtype


def test_nothing_is_changed_in_place():
    x0, eps = X0.copy(), EPS.copy()
    for prediction in ds.PREDICTIONS:
        out = ds.target(x0, eps, ds.Rates(0.6, 0.8), prediction)
        out += 1
    assert (x0 == X0).all()
    assert (eps == EPS).all()


@pytest.mark.parametrize("convert", [ds.to_x0, ds.to_eps])
@pytest.mark.parametrize(
    ("prediction", "rates", "where"), [("eps", ds.Rates(0.0, 1.0), "alpha = 0"), ("x0", ds.Rates(1.0, 0.0), "sigma = 0")]
)
def test_the_two_singular_points_are_named(convert, prediction, rates, where):
    with pytest.raises(ValueError, match=f"prediction {prediction!r} cannot tell x0 from eps at {where}"):
        convert(EPS, X0, rates, prediction)


@pytest.mark.parametrize("prediction", ["v", "flow", "x0"])
def test_pure_noise_is_no_special_case_for_the_others(prediction):
    rates = ds.Rates(0.0, 1.0)
    out = ds.target(X0, EPS, rates, prediction)
    np.testing.assert_allclose(ds.to_x0(out, EPS, rates, prediction), X0, atol=1e-15)


def test_an_unknown_prediction_lists_the_known():
    with pytest.raises(ValueError, match="prediction must be one of 'eps', 'x0', 'v', 'flow'; got 'noise'"):
        ds.target(X0, EPS, ds.Rates(0.6, 0.8), "noise")


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"\(4, 3, 2, 2\) and \(4, 3, 2\)"):
        ds.add_noise(X0, EPS[..., 0], ds.Rates(0.6, 0.8))
