"""Noising and the prediction types: hand-written formulas, round trips, and the two singular points."""

import diffkit_schedules as ds
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

rng = np.random.default_rng(0)
X0, EPS = rng.standard_normal((2, 4, 3, 2, 2))


def test_targets_are_the_papers_formulas():
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


BY_HAND = {"eps": (3.0, 0.2 / 0.6, 1.0), "x0": (2.0, 1.0, 0.4 / 0.8), "v": (0.2, -0.2, 1.4), "flow": (1.0, 0.2 / 1.4, 1.6 / 1.4)}


@pytest.mark.parametrize("rates", [ds.Rates(0.6, 0.8), ds.Rates(np.array([0.6]), np.array([0.8]))], ids=["floats", "arrays"])
@pytest.mark.parametrize("prediction", ds.PREDICTIONS)
def test_numbers_by_hand(prediction, rates):
    output, x0, eps = BY_HAND[prediction]  # the target for data 2 and noise 3; x0 and eps for output 1 at x_t = 1
    one = np.array([1.0])
    assert ds.target(2 * one, 3 * one, rates, prediction) == pytest.approx(output, abs=1e-15)
    assert ds.to_x0(one, one, rates, prediction) == pytest.approx(x0, abs=1e-15)
    assert ds.to_eps(one, one, rates, prediction) == pytest.approx(eps, abs=1e-15)
    assert ds.add_noise(2 * one, 3 * one, rates) == pytest.approx(3.6, abs=1e-15)


@pytest.mark.parametrize("rates", [(1, 0), (0, 1), (1, 1), (1, 0.5), (0.5, 1), (np.int64(1), np.float32(0.5))], ids=str)
def test_integers_can_be_rates(rates):
    integers, floats = ds.Rates(*rates), ds.Rates(*map(float, rates))
    assert ds.add_noise(X0, EPS, integers).tolist() == ds.add_noise(X0, EPS, floats).tolist()
    for prediction in ("v", "flow"):
        assert ds.target(X0, EPS, integers, prediction).tolist() == ds.target(X0, EPS, floats, prediction).tolist()
        for back in (ds.to_x0, ds.to_eps):
            np.testing.assert_allclose(back(X0, EPS, integers, prediction), back(X0, EPS, floats, prediction), atol=1e-14)


@pytest.mark.parametrize("convert", [ds.to_x0, ds.to_eps])
def test_singular_points_with_integer_rates_are_refused(convert):
    for prediction, rates in (("eps", ds.Rates(0, 1)), ("x0", ds.Rates(1, 0))):
        with pytest.raises(ValueError, match=f"^prediction {prediction!r} is undefined at "):
            convert(EPS, X0, rates, prediction)


@pytest.mark.parametrize("prediction", ds.PREDICTIONS)
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
def test_names_of_diffusers_are_accepted(alias, name):
    rates = ds.Rates(0.6, 0.8)
    assert ds.target(X0, EPS, rates, alias).tolist() == ds.target(X0, EPS, rates, name).tolist()


def test_rates_may_have_one_number_per_sample():
    levels = np.array([0.1, 0.4, 0.7, 0.9])
    each = np.stack([ds.add_noise(X0[i], EPS[i], ds.cosine()(level)) for i, level in enumerate(levels)])
    for t in (levels, levels.reshape(4, 1, 1, 1)):
        np.testing.assert_allclose(ds.add_noise(X0, EPS, ds.cosine()(t)), each, atol=1e-15)


def test_rates_of_one_axis_never_broadcast_along_the_last_axis():
    x0, eps = np.ones((2, 1, 2)), np.zeros((2, 1, 2))
    noised = ds.add_noise(x0, eps, ds.rectified()(np.array([0.0, 1.0])))
    assert noised.tolist() == [[[1, 1]], [[0, 0]]]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("t", [0.5, np.full((4, 1, 1, 1), 0.5)], ids=["float", "array"])
def test_the_dtype_of_the_data_is_kept(dtype, t):
    x0, eps = X0.astype(dtype), EPS.astype(dtype)
    rates = ds.cosine()(t)
    x = ds.add_noise(x0, eps, rates)
    assert x.dtype == ds.target(x0, eps, rates, "v").dtype == ds.to_x0(eps, x, rates, "eps").dtype == dtype


@pytest.mark.parametrize("t", [0.5, np.full(4, 0.5)], ids=["float", "array"])
def test_bytes_become_floats(t):
    images = np.arange(0, 48, dtype=np.uint8).reshape(4, 3, 2, 2)
    rates = ds.cosine()(t)
    np.testing.assert_allclose(ds.add_noise(images, EPS, rates), ds.add_noise(images.astype(float), EPS, rates), rtol=1e-14)


def test_no_argument_is_changed_in_place():
    x0, eps = X0.copy(), EPS.copy()
    for prediction in ds.PREDICTIONS:
        out = ds.target(x0, eps, ds.Rates(0.6, 0.8), prediction)
        out += 1
    assert (x0 == X0).all()
    assert (eps == EPS).all()


@pytest.mark.parametrize("convert", [ds.to_x0, ds.to_eps])
@pytest.mark.parametrize(
    ("prediction", "rates", "where"),
    [
        ("eps", ds.Rates(0.0, 1.0), r"alpha = 0 \(pure noise\): use prediction 'v' or another schedule"),
        ("x0", ds.Rates(1.0, 0.0), r"sigma = 0 \(clean data\): use prediction 'eps' or another schedule"),
    ],
)
def test_singular_points_are_refused(convert, prediction, rates, where):
    with pytest.raises(ValueError, match=f"^prediction {prediction!r} is undefined at {where}$"):
        convert(EPS, X0, rates, prediction)


@pytest.mark.parametrize("prediction", ["v", "flow", "x0"])
def test_other_predictions_work_at_pure_noise(prediction):
    rates = ds.Rates(0.0, 1.0)
    out = ds.target(X0, EPS, rates, prediction)
    np.testing.assert_allclose(ds.to_x0(out, EPS, rates, prediction), X0, atol=1e-15)


def test_an_unknown_prediction_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match=r"^prediction must be one of 'eps', 'x0', 'v', 'flow'; got 'noise'$"):
        ds.target(X0, EPS, ds.Rates(0.6, 0.8), "noise")


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"^both arrays must have the same shape, got \(4, 3, 2, 2\) and \(4, 3, 2\)$"):
        ds.add_noise(X0, EPS[..., 0], ds.Rates(0.6, 0.8))


def test_anything_but_an_array_is_refused():
    with pytest.raises(TypeError, match=r"^expected a torch, NumPy, JAX or other array API array, got list$"):
        ds.add_noise([1.0], [2.0], ds.Rates(0.6, 0.8))
    with pytest.raises(TypeError, match=r"^expected a torch, NumPy, JAX or other array API array, got float$"):
        ds.add_noise(X0, 2.0, ds.Rates(0.6, 0.8))


def test_one_rate_may_be_a_number_and_the_other_an_array():
    x0, eps = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.5, 0.0], [1.0, -1.0]])
    rates = ds.Rates(1.0, np.array([2.0, 10.0]))
    assert ds.add_noise(x0, eps, rates).tolist() == [[2.0, 2.0], [13.0, -6.0]]
    assert ds.add_noise(x0, eps, ds.Rates(rates.sigma, 1.0)).tolist() == [[2.5, 4.0], [31.0, 39.0]]


def test_rates_of_one_axis_have_one_number_per_sample_for_any_shape():
    for shape in ((3,), (3, 3), (3, 3, 3), (3, 1, 3)):
        x0 = np.ones(shape)
        noised = ds.add_noise(x0, 0 * x0, ds.Rates(np.array([1.0, 2.0, 3.0]), np.zeros(3)))
        assert noised.shape == shape
        assert noised.reshape(3, -1)[:, -1].tolist() == [1.0, 2.0, 3.0]


def test_rates_of_torch_have_one_number_per_sample():
    torch = pytest.importorskip("torch")
    x0 = torch.ones(2, 2, 1)
    noised = ds.add_noise(x0, 0 * x0, ds.Rates(torch.tensor([1.0, 2.0]), torch.zeros(2)))
    assert noised.tolist() == [[[1.0], [1.0]], [[2.0], [2.0]]]


def test_rates_of_more_axes_broadcast():
    x0 = np.ones((2, 3))
    assert ds.add_noise(x0, 0 * x0, ds.Rates(np.array([[1.0, 2.0, 3.0]]), np.zeros((1, 3)))).tolist() == [[1.0, 2.0, 3.0]] * 2


def test_combine_of_torch_tensors():
    torch = pytest.importorskip("torch")
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([10.0, -20.0])
    assert ds.combine(2.0, x, 0.5, y).tolist() == [7.0, -6.0]
    assert (x.tolist(), y.tolist()) == ([1.0, 2.0], [10.0, -20.0])
    assert ds.combine(0.0, x * torch.inf, 0.5, y).tolist() == [5.0, -10.0]
    assert ds.combine(0.5, x, 0.0, y * torch.inf).tolist() == [0.5, 1.0]
    for p, q in [(1.0, 3.0), (3.0, 1.0), (-2.0, 3.0), (-3.0, 2.0), (1e-5, 1e5), (1e5, 1e-5)]:
        expected = p * x.double() + q * y.double()
        torch.testing.assert_close(ds.combine(p, x, q, y).double(), expected, rtol=2e-7, atol=0)
    tiny = torch.tensor([1.0], dtype=torch.float16)
    assert ds.combine(1e-7, tiny, 2.0, tiny).tolist() == [2.0]  # q / p is beyond float16


def test_combine_under_vmap_of_one_argument():
    torch = pytest.importorskip("torch")
    one, rows = torch.ones(2), torch.arange(6.0).reshape(3, 2)
    for p, q in [(0.5, 2.0), (2.0, 0.5), (1.0, 2.0), (2.0, 1.0)]:
        assert torch.vmap(lambda row: ds.combine(p, one, q, row))(rows).tolist() == (p * one + q * rows).tolist()  # noqa: B023
        assert torch.vmap(lambda row: ds.combine(p, row, q, one))(rows).tolist() == (p * rows + q * one).tolist()  # noqa: B023
