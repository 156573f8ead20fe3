"""Loss weights against the papers' formulas, and against what they stand for."""

import math

import diffkit_schedules as ds
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

times = st.floats(0.01, 0.99)


@given(t=times, gamma=st.floats(0.1, 20))
def test_the_papers_formulas(t, gamma):
    rates = ds.cosine()(t)
    snr, capped = rates.snr, min(rates.snr, gamma)
    expected = {"eps": capped / snr, "x0": capped, "v": capped / (snr + 1)}
    for prediction, value in expected.items():
        assert ds.weight(rates, "min_snr", prediction, gamma) == pytest.approx(value, rel=1e-9)
    assert ds.weight(rates, "snr", "v") == pytest.approx(snr / (snr + 1), rel=1e-9)
    assert ds.weight(rates, "snr", "eps") == 1


@pytest.mark.parametrize("schedule", [ds.cosine(), ds.rectified(), ds.karras()], ids=str)
@pytest.mark.parametrize("kind", ["snr", "min_snr"])
@given(t=times)
def test_every_prediction_weighs_the_same_error_of_x0_alike(schedule, kind, t):
    rates = schedule(t)
    x_t, x0, wrong = np.array([0.3]), np.array([0.5]), np.array([0.51])
    losses = []
    for prediction in ds.PREDICTIONS:
        said, right = (ds.target(each, ds.to_eps(each, x_t, rates, "x0"), rates, prediction) for each in (wrong, x0))
        losses.append(ds.weight(rates, kind, prediction) * float((said - right)[0]) ** 2)
    np.testing.assert_allclose(losses, losses[0], rtol=1e-6)


@pytest.mark.parametrize("prediction", ds.PREDICTIONS)
@pytest.mark.parametrize("kind", ds.WEIGHTS)
def test_arrays_and_floats_agree(kind, prediction):
    t = np.linspace(0.05, 0.95, 7)
    array = ds.weight(ds.cosine()(t), kind, prediction)
    assert array.shape == t.shape
    np.testing.assert_allclose(array, [ds.weight(ds.cosine()(float(each)), kind, prediction) for each in t], rtol=1e-12)


def test_the_ends_are_limits():
    noise, data = ds.Rates(0.0, 1.0), ds.Rates(1.0, 0.0)
    assert [ds.weight(noise, "min_snr", p) for p in ds.PREDICTIONS] == [1, 0, 0, 0]
    assert [ds.weight(data, "min_snr", p) for p in ds.PREDICTIONS] == [0, 5, 0, 0]
    assert ds.weight(data, "snr", "x0") == math.inf
    assert {ds.weight(rates, "uniform", p) for rates in (noise, data) for p in ds.PREDICTIONS} == {1.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "min"}, "weight must be one of 'uniform', 'snr', 'min_snr'; got 'min'"),
        ({"gamma": 0}, "gamma must be > 0, got 0"),
        ({"prediction": "noise"}, "got 'noise'"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ds.weight(ds.Rates(0.6, 0.8), **options)
