"""What a network is given and how its answer is read."""

import numpy as np
import pytest
from diffkit_samplers import Estimate, denoiser
from diffkit_samplers.denoise import look, plain
from diffkit_schedules import Rates, linear_betas, rectified, target

X = np.array([[1.0, -3.0], [0.5, 2.0]])


class Model:
    def __init__(self, answer=lambda x: 0 * x):
        self.answer = answer

    def __call__(self, x, c, **more):
        self.x, self.c, self.more = x, c, more
        return self.answer(x)


@pytest.mark.parametrize("prediction", ["eps", "x0", "v", "flow", "epsilon", "sample", "v_prediction", "flow_prediction"])
def test_every_prediction_is_read_back(prediction):
    x0, eps = X, np.array([[0.3, 0.1], [-1.0, 2.0]])
    rates = rectified()(0.25)
    out = target(x0, eps, rates, prediction)
    found = denoiser(Model(lambda x: out), rectified(), prediction)(0.75 * x0 + 0.25 * eps, 0.25)
    np.testing.assert_allclose(found, x0, rtol=1e-12)


def test_unless_told_otherwise_it_is_eps_told_the_variance():
    model = Model(lambda x: 0 * x + 2)
    denoise = denoiser(model, rectified(), labels=7)
    np.testing.assert_allclose(denoise(X, 0.25), (X - 0.5) / 0.75)
    assert (model.c.tolist(), model.more) == ([0.0625, 0.0625], {"labels": 7})
    parts = (denoise.prediction, denoise.condition, denoise.learned_range, denoise.dtype, denoise.model_kwargs)
    assert parts == ("eps", "variance", False, None, {"labels": 7})


@pytest.mark.parametrize(("t", "index"), [(0.0, 0), (0.1, 0), (0.12, 0), (0.2, 1), (0.26, 2), (0.94, 8), (1.0, 9)])
def test_an_index_is_the_nearest_entry(t, index):
    schedule = linear_betas(10, end=0.9)
    model = Model()
    denoiser(model, schedule, "v", "index")(X, t)
    assert (model.c.tolist(), model.c.dtype) == ([index] * 2, np.int64)
    denoiser(model, schedule, "v", "index")(X, np.array(t))
    assert (model.c.tolist(), model.c.dtype) == ([index] * 2, np.int64)


@pytest.mark.parametrize(
    ("condition", "value"), [("variance", 0.0625), ("sigma", 0.25), ("time", 0.25), ("log_snr", 2 * np.log(3))]
)
def test_the_level_has_one_number_a_sample_in_the_state_s_type(condition, value):
    for dtype in (np.float64, np.float32):
        model = Model()
        found = denoiser(model, rectified(), "v", condition)(X.astype(dtype), 0.25)
        assert (model.c.shape, model.c.dtype, found.dtype) == ((2,), dtype, dtype)
        np.testing.assert_allclose(model.c, value, rtol=1e-6)
    torch = pytest.importorskip("torch")
    for dtype in (torch.float64, torch.float32):
        model = Model()
        found = denoiser(model, rectified(), "v", condition)(torch.asarray(X, dtype=dtype), torch.tensor(0.25, dtype=dtype))
        assert (model.c.shape, model.c.dtype, found.dtype) == ((2,), dtype, dtype)
        np.testing.assert_allclose(model.c, value, rtol=1e-6)


def test_a_network_of_another_type_is_given_its_own_and_a_level_of_float32_at_least():
    for given, level in ((np.float16, np.float32), (np.float32, np.float32), (np.float64, np.float64)):
        model = Model()
        found = denoiser(model, rectified(), "v", "sigma", dtype=given)(X.astype(np.float32), 0.3)
        assert (model.x.dtype, model.c.dtype, found.dtype) == (given, level, np.float32)


def test_a_learned_range_is_the_second_half_of_the_channels():
    model = Model(lambda x: np.concatenate([0 * x + 2, np.array([[-1.0, 0.0], [0.5, 1.0]])], axis=1))
    x0, eps, spread = denoiser(model, rectified(), learned_range=True)(X, 0.25)
    np.testing.assert_allclose(x0, (X - 0.5) / 0.75)
    assert (eps, spread.tolist()) == (None, [[0.0, 0.5], [0.75, 1.0]])


@pytest.mark.parametrize(
    ("answer", "options", "message"),
    [
        (lambda x: x[:1], {}, r"the model must give an array of x_t's shape, \(2, 2\); got \(1, 2\)"),
        (lambda x: None, {}, r"the model must give an array of x_t's shape, \(2, 2\); got NoneType"),
        (lambda x: x, {"learned_range": True}, r"the model must give an array of twice x_t's shape, \(2, 4\); got \(2, 2\)"),
    ],
)
def test_an_answer_of_another_shape_is_refused(answer, options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        denoiser(Model(answer), rectified(), **options)(X, 0.5)


def test_unknown_names_are_refused():
    names = "'variance', 'sigma', 'time', 'log_snr', 'index'"
    with pytest.raises(ValueError, match=f"^condition must be one of {names}; got 'level'$"):
        denoiser(Model(), rectified(), condition="level")
    with pytest.raises(ValueError, match=r"^prediction must be one of .*; got 'noise'$"):
        denoiser(Model(), rectified(), "noise")


def test_a_look_is_an_estimate_in_the_state_s_type():
    x = X.astype(np.float32)
    found = look(lambda x, t: Estimate((t * x).astype(np.float64), (2 * x).astype(np.float64), 0.5), x, 0.25)
    assert (found.x0.dtype, found.eps.dtype, found.spread) == (np.float32, np.float32, 0.5)
    assert (found.x0 == 0.25 * x).all()
    assert (found.eps == 2 * x).all()
    assert look(lambda x, t: x, x, 0.5)[1:] == (None, 0.0)
    with pytest.raises(ValueError, match=r"^denoise must give an x0 of x's shape \(2, 2\), got \(2, 1\)$"):
        look(lambda x, t: x[:, :1], x, 0.5)
    with pytest.raises(ValueError, match=r"^denoise must give an x0 of x's shape \(2, 2\), got str$"):
        look(lambda x, t: "x0", x, 0.5)


def test_an_estimate_says_more_only_where_it_does():
    assert plain(Estimate(X)) is X
    for more in (Estimate(X, X), Estimate(X, spread=0.5), Estimate(X, spread=np.zeros(2))):
        assert plain(more) is more
    assert Estimate(X).state(2 * X, Rates(0.6, 0.8)).tolist() == (2 * X).tolist()
    np.testing.assert_allclose(Estimate(X, 2 * X).state(0 * X, Rates(0.6, 0.8)), 2.2 * X)
