"""The inputs of a network, and how its output becomes x0."""

import numpy as np
import pytest
from diffkit_samplers import (
    ddim,
    denoiser,
    trajectory,
)
from diffkit_schedules import cosine, karras, linear_betas, rectified, target

X = np.array([[1.0, -3.0], [0.5, 2.0]])


class Model:
    def __init__(self, answer=lambda x: 0 * x):
        self.answer = answer

    def __call__(self, x, c, **more):
        self.x, self.c, self.more = x, c, more
        return self.answer(x)


@pytest.mark.parametrize("prediction", ["eps", "x0", "v", "flow", "epsilon", "sample", "v_prediction", "flow_prediction"])
def test_every_prediction_becomes_x0(prediction):
    x0, eps = X, np.array([[0.3, 0.1], [-1.0, 2.0]])
    rates = rectified()(0.25)
    out = target(x0, eps, rates, prediction)
    found = denoiser(Model(lambda x: out), rectified(), prediction)(0.75 * x0 + 0.25 * eps, 0.25)
    np.testing.assert_allclose(found, x0, rtol=1e-12)


def test_default_prediction_is_eps_and_default_condition_the_variance():
    model = Model(lambda x: 0 * x + 2)
    denoise = denoiser(model, rectified(), labels=7)
    np.testing.assert_allclose(denoise(X, 0.25), (X - 0.5) / 0.75)
    assert (model.c.tolist(), model.more) == ([0.0625, 0.0625], {"labels": 7})
    parts = (denoise.prediction, denoise.condition, denoise.learned_range, denoise.dtype, denoise.model_kwargs)
    assert parts == ("eps", "variance", False, None, {"labels": 7})


@pytest.mark.parametrize(("t", "index"), [(0.0, 0), (0.1, 0), (0.12, 0), (0.2, 1), (0.26, 2), (0.94, 8), (1.0, 9)])
def test_index_is_the_nearest_entry(t, index):
    schedule = linear_betas(10, end=0.9)
    model = Model()
    denoiser(model, schedule, "v", "index")(X, t)
    assert (model.c.tolist(), model.c.dtype) == ([index] * 2, np.int64)
    denoiser(model, schedule, "v", "index")(X, np.array(t))
    assert (model.c.tolist(), model.c.dtype) == ([index] * 2, np.int64)


def test_index_is_within_the_table_at_any_time():
    model = Model()
    denoiser(model, linear_betas(10, end=0.9), "v", "index")(X, np.array(1.3))
    assert model.c.tolist() == [9, 9]
    denoiser(model, lambda t: (0.6, 0.8), "v", "index")(X, 1.3)
    assert model.c.tolist() == [999, 999]
    torch = pytest.importorskip("torch")
    denoiser(model, linear_betas(10, end=0.9), "v", "index")(torch.asarray(X), 0.2)
    assert (model.c.tolist(), model.c.dtype) == ([1, 1], torch.int64)


def test_a_time_that_is_an_array_is_not_read():
    torch = pytest.importorskip("torch")
    for condition in ("index", "sigma"):
        model = Model()
        found = denoiser(model, rectified(), "v", condition)(torch.ones(2, 3, device="meta"), torch.ones((), device="meta"))
        assert (model.c.device.type, model.c.shape, found.shape) == ("meta", (2,), (2, 3))


def test_any_function_can_be_the_schedule():
    found = denoiser(Model(lambda x: x + 2), lambda t: (1 - t, t), "eps")(X, 0.25)
    np.testing.assert_allclose(found, (X - 0.25 * (X + 2)) / 0.75, rtol=1e-12)


@pytest.mark.parametrize(
    ("condition", "value"), [("variance", 0.0625), ("sigma", 0.25), ("time", 0.25), ("log_snr", 2 * np.log(3))]
)
def test_condition_has_one_number_per_sample_and_the_dtype_of_the_state(condition, value):
    for dtype in (np.float64, np.float32):
        model = Model()
        found = denoiser(model, rectified(), "v", condition)(X.astype(dtype), 0.25)
        assert (model.c.shape, model.c.dtype, model.x.dtype, found.dtype) == ((2,), dtype, dtype, dtype)
        np.testing.assert_allclose(model.c, value, rtol=1e-6)
    torch = pytest.importorskip("torch")
    for dtype in (torch.float64, torch.float32):
        model = Model()
        found = denoiser(model, rectified(), "v", condition)(torch.asarray(X, dtype=dtype), torch.tensor(0.25, dtype=dtype))
        assert (model.c.shape, model.c.dtype, found.dtype) == ((2,), dtype, dtype)
        np.testing.assert_allclose(model.c, value, rtol=1e-6)


def test_time_is_an_array_where_torch_traces_the_state(monkeypatch):
    torch = pytest.importorskip("torch")
    x, seen = torch.asarray(X, dtype=torch.bfloat16), []

    def schedule(t):
        seen.append(t)
        return rectified()(t)

    plain = denoiser(Model(lambda x: x + 1), schedule, "v", "time", dtype=torch.float32)(x, 0.25)
    monkeypatch.setattr(torch.compiler, "_is_compiling_flag", True)  # as torch.export sets it
    model = Model(lambda x: x + 1)
    traced = denoiser(model, schedule, "v", "time", dtype=torch.float32)(x, 0.25)
    assert seen[0] == 0.25
    assert (type(seen[1]), seen[1].dtype, seen[1].shape, seen[1].item()) == (torch.Tensor, torch.float32, (), 0.25)
    assert (model.c.tolist(), model.c.dtype) == ([0.25, 0.25], torch.float32)
    torch.testing.assert_close(traced, plain, rtol=0.02, atol=0.02)


def test_network_of_another_dtype_gets_its_dtype_and_a_condition_of_float32_or_wider():
    for given, level in ((np.float16, np.float32), (np.float32, np.float32), (np.float64, np.float64)):
        model = Model()
        found = denoiser(model, rectified(), "v", "sigma", dtype=given)(X.astype(np.float32), 0.3)
        assert (model.x.dtype, model.c.dtype, found.dtype) == (given, level, np.float32)


def test_learned_range_is_the_second_half_of_the_channels():
    model = Model(lambda x: np.concatenate([0 * x + 2, np.array([[-1.0, 0.0], [0.5, 1.0]])], axis=1))
    x0, eps, spread = denoiser(model, rectified(), learned_range=True)(X, 0.25)
    np.testing.assert_allclose(x0, (X - 0.5) / 0.75)
    assert (eps, spread.tolist()) == (None, [[0.0, 0.5], [0.75, 1.0]])
    images = denoiser(Model(lambda x: np.concatenate([x, 0 * x], axis=1)), rectified(), "x0", learned_range=True)
    x = X.reshape(1, 2, 1, 2)
    found = images(x, 0.25)
    assert (found.x0.tolist(), found.variance_interpolation.tolist()) == (x.tolist(), (0 * x + 0.5).tolist())


@pytest.mark.parametrize(
    ("answer", "options", "message"),
    [
        (lambda x: x[:1], {}, r"the model must return an array of x_t's shape, \(2, 2\); got \(1, 2\)"),
        (lambda x: None, {}, r"the model must return an array of x_t's shape, \(2, 2\); got NoneType"),
        (
            lambda x: x,
            {"learned_range": True},
            r"the model must return an array of x_t's shape, with twice its channels, \(2, 4\); got \(2, 2\)",
        ),
    ],
)
def test_output_of_another_shape_is_refused(answer, options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        denoiser(Model(answer), rectified(), **options)(X, 0.5)


def test_unknown_prediction_and_condition_are_refused():
    names = "'variance', 'sigma', 'time', 'log_snr', 'index'"
    with pytest.raises(ValueError, match=f"^condition must be one of {names}; got 'level'$"):
        denoiser(Model(), rectified(), condition="level")
    with pytest.raises(ValueError, match=r"^prediction must be one of .*; got 'noise'$"):
        denoiser(Model(), rectified(), "noise")


rng = np.random.default_rng(0)


def test_a_learned_range_changes_the_noise_of_a_step():
    schedule = linear_betas()

    def model(x, c):
        return np.concatenate([0 * x, np.full_like(x, -0.4)], axis=1)

    denoise = denoiser(model, schedule, "eps", "index", learned_range=True)
    x = rng.standard_normal((2, 3, 4, 4))
    estimate = denoise(x, 0.5)
    np.testing.assert_allclose(estimate.variance_interpolation, 0.3)
    np.testing.assert_allclose(estimate.x0, x / schedule(0.5).alpha)
    plain = denoiser(lambda x, c: 0 * x, schedule, "eps", "index")
    run = {"spacing": [0.5, 0.499, 0.0], "eta": 1.0}
    noise = rng.standard_normal(x.shape)
    (first, *_), (posterior, *_) = (list(trajectory(d, schedule, x, noise=lambda _: noise, **run)) for d in (denoise, plain))
    assert abs(first.x - posterior.x).max() > 1e-7, "the variance is used"
    with pytest.raises(ValueError, match=r"x_t's shape, \(2, 3, 4, 4\); got \(2, 6, 4, 4\)"):
        denoiser(model, schedule, "eps", "index")(x, 0.5)


class Recorder:
    """A network that keeps its arguments."""

    def __call__(self, x, condition, **kwargs):
        self.condition, self.kwargs = condition, kwargs
        return 0 * x


@pytest.mark.parametrize(
    ("condition", "expected"), [("variance", 0.25), ("sigma", 0.5), ("time", 0.5), ("log_snr", 0.0), ("index", 499)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_model_is_conditioned_on_the_noise_level(condition, expected, dtype):
    model, x = Recorder(), np.ones((3, 2), dtype)
    denoiser(model, rectified(), "flow", condition, class_labels=7)(x, 0.5)
    assert model.condition.tolist() == [expected] * 3
    assert model.condition.dtype == (np.int64 if condition == "index" else dtype)
    assert model.kwargs == {"class_labels": 7}


@pytest.mark.parametrize(("t", "index"), [(1.0, 999), (0.001, 0), (0.0, 0), (0.50049, 499)])
def test_an_index_is_an_entry_of_the_table(t, index):
    model = Recorder()
    denoiser(model, linear_betas(), "v", "index")(np.ones((1, 1)), t)
    assert model.condition.tolist() == [index]


class Output:
    def __init__(self, sample):
        self.sample = sample


@pytest.mark.parametrize("wrap", [lambda out: out, Output, lambda out: (out, 0 * out)], ids=["array", "object", "tuple"])
def test_outputs_are_unwrapped(wrap):
    x = np.ones((2, 2))
    assert denoiser(lambda x, c: wrap(x), rectified(), "x0")(x, 0.5).tolist() == x.tolist()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: denoiser(Recorder(), cosine(), "noise"), "prediction must be one of .*; got 'noise'"),
        (lambda: denoiser(Recorder(), cosine(), "v", "level"), "condition must be one of .*; got 'level'"),
        (lambda: denoiser(lambda x, c: x[:1], cosine(), "v")(np.ones((2, 3)), 0.5), r"x_t's shape, \(2, 3\); got \(1, 3\)"),
        (lambda: denoiser(Recorder(), cosine(), "eps")(np.ones((2, 3)), 1.0), "'eps' is undefined at alpha = 0"),
    ],
)
def test_bad_options_and_outputs_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("condition", ["variance", "sigma", "time", "log_snr"])
def test_a_network_of_half_precision_gets_every_noise_level(condition):
    seen = []

    def model(x, c):
        assert x.dtype == np.float16
        seen.append(c[0])
        return 0 * x

    denoise = denoiser(model, karras(), "v", condition, dtype=np.float16)
    x0 = ddim(denoise, karras(), 80 * np.ones((1, 2), np.float32), steps=1000)
    assert x0.dtype == np.float32
    assert {c.dtype for c in seen} == {np.dtype(np.float32)}
    if condition != "variance":
        assert len(set(seen)) == 1000
    assert seen[1] == pytest.approx({"time": 0.999}.get(condition, seen[1]), abs=1e-7)


def test_a_float32_state_with_a_network_of_half_precision_is_more_exact_than_a_half_precision_state():
    schedule, exact = rectified(), np.random.default_rng(0).standard_normal((1, 1000))
    half = denoiser(lambda x, c: np.float16(0.8) * x, schedule, "flow", dtype=np.float16)

    def error(state, denoise):
        x0 = ddim(denoise, schedule, exact.astype(state), steps=1000).astype(np.float64)
        return abs(x0 - ddim(denoiser(lambda x, c: 0.8 * x, schedule, "flow"), schedule, exact, steps=1000)).max()

    assert error(np.float32, half) < 0.005
    assert error(np.float16, denoiser(lambda x, c: np.float16(0.8) * x, schedule, "flow")) > 0.05


def test_a_float64_network_gets_its_condition_in_float64():
    model = Recorder()
    x0 = denoiser(model, rectified(), "flow", "time", dtype=np.float64)(np.ones((2, 3), np.float16), 1 / 3)
    assert x0.dtype == np.float16
    assert model.condition.tolist() == [1 / 3] * 2
