"""Loss weights against the papers' formulas, and against the error of x0."""

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
        output, exact = (ds.target(each, ds.to_eps(each, x_t, rates, "x0"), rates, prediction) for each in (wrong, x0))
        losses.append(ds.weight(rates, kind, prediction) * float((output - exact)[0]) ** 2)
    np.testing.assert_allclose(losses, losses[0], rtol=1e-6)


@pytest.mark.parametrize("prediction", ds.PREDICTIONS)
@pytest.mark.parametrize("kind", ds.WEIGHTINGS)
def test_arrays_and_floats_agree(kind, prediction):
    t = np.linspace(0.05, 0.95, 7)
    array = ds.weight(ds.cosine()(t), kind, prediction)
    assert array.shape == t.shape
    np.testing.assert_allclose(array, [ds.weight(ds.cosine()(float(each)), kind, prediction) for each in t], rtol=1e-12)


BY_HAND: dict[tuple[str, float], dict[str, float]] = {  # at alpha = 0.6, sigma = 0.3: SNR = 4
    ("snr", 5.0): {"eps": 1, "x0": 4, "v": 16 / 9, "flow": 4 / 9},
    ("min_snr", 5.0): {"eps": 1, "x0": 4, "v": 16 / 9, "flow": 4 / 9},
    ("min_snr", 3.0): {"eps": 3 / 4, "x0": 3, "v": 4 / 3, "flow": 1 / 3},
    ("uniform", 3.0): {"eps": 1, "x0": 1, "v": 1, "flow": 1},
}


@pytest.mark.parametrize("make", [float, lambda rate: np.array([rate])], ids=["float", "array"])
@pytest.mark.parametrize(("kind", "gamma"), BY_HAND)
def test_numbers_by_hand(kind, gamma, make):
    for prediction, value in BY_HAND[kind, gamma].items():
        assert ds.weight(ds.Rates(make(0.6), make(0.3)), kind, prediction, gamma) == pytest.approx(value, rel=1e-14)


def test_defaults():
    rates = ds.Rates(0.6, 0.2)  # SNR = 9
    assert ds.weight(rates) == 1
    assert ds.weight(rates, "min_snr") == pytest.approx(5 / 9, rel=1e-14)
    assert ds.weight(rates, "min_snr", "sample") == pytest.approx(5, rel=1e-14)
    assert list(ds.WEIGHTINGS) == ["uniform", "snr", "min_snr"]


@pytest.mark.parametrize("kind", ds.WEIGHTINGS)
@pytest.mark.parametrize("prediction", ds.PREDICTIONS)
def test_integers_can_be_rates(kind, prediction):
    for rates in (ds.Rates(1, 0), ds.Rates(0, 1), ds.Rates(1, 1), ds.Rates(1.0, 0)):
        weight = ds.weight(rates, kind, prediction)
        assert type(weight) is float
        assert weight == ds.weight(ds.Rates(*map(float, rates)), kind, prediction)


def test_tiny_rates_overflow_without_a_warning():
    assert ds.weight(ds.Rates(1e-200, 1.0), "min_snr", "eps") == 1
    assert ds.weight(ds.Rates(1.0, 1e-200), "min_snr", "x0") == 5
    assert ds.weight(ds.Rates(1.0, 1e-200), "snr", "x0") == math.inf


def test_weights_at_the_ends_are_limits():
    noise, data = ds.Rates(0.0, 1.0), ds.Rates(1.0, 0.0)
    assert [ds.weight(noise, "min_snr", p) for p in ds.PREDICTIONS] == [1, 0, 0, 0]
    assert [ds.weight(data, "min_snr", p) for p in ds.PREDICTIONS] == [0, 5, 0, 0]
    assert ds.weight(data, "snr", "x0") == math.inf
    assert {ds.weight(rates, "uniform", p) for rates in (noise, data) for p in ds.PREDICTIONS} == {1.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "min"}, "^weight must be one of 'uniform', 'snr', 'min_snr'; got 'min'$"),
        ({"gamma": 0}, r"^gamma must be > 0, got 0$"),
        ({"gamma": math.nan}, r"^gamma must be > 0, got nan$"),
        ({"prediction": "noise"}, "^prediction must be one of 'eps', 'x0', 'v', 'flow'; got 'noise'$"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ds.weight(ds.Rates(0.6, 0.8), **options)


def test_a_gamma_below_one_is_accepted():
    rates = ds.Rates(0.8, 0.6)
    assert ds.weight(rates, "min_snr", "x0", 0.5) == pytest.approx(0.5)
    for gamma in (0, -1.0):
        with pytest.raises(ValueError, match=f"^gamma must be > 0, got {gamma}$"):
            ds.weight(rates, gamma=gamma)


@pytest.mark.parametrize("kind", ds.WEIGHTINGS)
def test_weights_have_the_library_of_the_rates(kind):
    torch = pytest.importorskip("torch")
    alpha, sigma = torch.tensor([0.8, 0.6]), torch.tensor([0.6, 0.8])
    found = ds.weight(ds.Rates(alpha, sigma), kind, "v", 1.5)
    assert (type(found), found.dtype) == (torch.Tensor, torch.float32)
    numbers = [ds.weight(ds.Rates(a, s), kind, "v", 1.5) for a, s in ((0.8, 0.6), (0.6, 0.8))]
    assert found.tolist() == pytest.approx(numbers, rel=1e-5)
