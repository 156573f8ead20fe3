"""Values that are not finite: the error names the step and the samples."""

import pickle

import numpy as np
import pytest
from diffkit_samplers import (
    NotFiniteError,
    ddim,
    dpmpp_2m,
    heun,
    seeded,
    trajectory,
)
from diffkit_samplers.not_finite import refuse_not_finite, sample_sums
from diffkit_schedules import cosine, rectified


def test_the_sum_of_a_sample_is_finite_only_if_each_value_is():
    x0 = np.array([[[1.0, 2.0], [3.0, 4.0]], [[1.0, np.nan], [0.0, 0.0]], [[np.inf, 0.0], [0.0, 0.0]]])
    found = sample_sums(x0)
    assert found[0] == 10
    assert np.isfinite(found).tolist() == [True, False, False]
    assert sample_sums(np.array([1.0, np.nan])).tolist() == [True, False]
    assert sample_sums(np.full((1, 100_000), 1.0, np.float16)).tolist() == [100_000], "added up in float32"
    assert sample_sums(np.ones((1, 2), np.float16)).dtype == sample_sums(np.ones((1, 2), np.float32)).dtype == np.float32
    assert sample_sums(np.ones((1, 2))).dtype == np.float64


def test_the_first_step_and_every_sample_are_named():
    x0 = np.zeros((12, 1))
    sums = [np.ones(12), np.ones(12), np.ones(12)]
    refuse_not_finite([1.0, 0.75, 0.5, 0.0], sums, x0)
    sums[1][3], sums[2][7] = np.nan, np.inf
    with pytest.raises(NotFiniteError) as caught:
        refuse_not_finite([1.0, 0.75, 0.5, 0.0], sums, x0)
    assert str(caught.value) == (
        "the model's x0 is not finite from step 2 of 3 (t = 0.75), in 2 of 12 samples (3, 7); the error's x0 has the others"
    )
    assert caught.value.bad == [3, 7]
    assert caught.value.x0 is x0


@pytest.mark.parametrize(("count", "named"), [(8, "0, 1, 2, 3, 4, 5, 6, 7"), (10, "0, 1, 2, 3, 4, 5, 6, 7 and 2 more")])
def test_at_most_eight_samples_are_named(count, named):
    with pytest.raises(NotFiniteError, match=rf"samples \({named}\);") as caught:
        refuse_not_finite([1.0, 0.0], [np.full(count, np.nan)], np.zeros((count, 1)))
    assert caught.value.bad == list(range(count))


def test_in_a_state_of_one_axis_each_number_is_a_sample():
    with pytest.raises(NotFiniteError, match=r"in 1 of 3 samples \(1\);") as caught:
        ddim(lambda x, t: x, rectified(), np.array([1.0, np.nan, 2.0]), steps=2)
    assert np.delete(caught.value.x0, caught.value.bad).tolist() == [1.0, 2.0]


def test_an_error_with_only_a_message_has_no_samples():
    error = NotFiniteError("it was not")
    assert (str(error), error.x0, error.bad) == ("it was not", None, [])


def test_the_error_is_raised_after_the_last_step():
    states = trajectory(lambda x, t: x * np.nan, rectified(), np.ones((2, 1)), steps=3)
    assert [next(states).t for _ in range(3)] == pytest.approx([2 / 3, 1 / 3, 0])
    with pytest.raises(NotFiniteError, match=r"from step 1 of 3 \(t = 1\), in 2 of 2 samples \(0, 1\);"):
        next(states)


def test_the_error_holds_the_finite_samples():
    x = seeded(range(64))((64, 3))

    def denoise(x_t, t):
        x0 = 0.5 * x_t
        x0[[5, 7]] *= np.nan if t <= 0.5 else 1
        return x0

    with pytest.raises(NotFiniteError, match=r"from step 3 of 4 \(t = 0.5\), in 2 of 64 samples \(5, 7\); ") as caught:
        ddim(denoise, cosine(), x, steps=4)
    good = np.delete(np.arange(64), [5, 7])
    assert caught.value.bad == [5, 7]
    assert (caught.value.x0[good] == ddim(lambda x, t: 0.5 * x, cosine(), x, steps=4)[good]).all()
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.bad) == (str(caught.value), [5, 7])


def test_further_samples_are_counted():
    with pytest.raises(ValueError, match=r"in 20 of 20 samples \(0, 1, 2, 3, 4, 5, 6, 7 and 12 more\); "):
        ddim(lambda x, t: x * np.nan, cosine(), np.ones((20, 1)), steps=2)


def test_a_sample_of_one_number_is_named_too():
    with pytest.raises(NotFiniteError, match=r"in 1 of 3 samples \(2\); ") as caught:
        ddim(lambda x, t: 0.5 * x, cosine(), np.array([1.0, 2.0, np.nan]), steps=2)
    assert caught.value.bad == [2]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("method", [ddim, heun, dpmpp_2m])
def test_the_error_of_every_method_names_the_first_step(method, bad):
    def denoise(x, t):
        return x * bad if t == 0.5 else 0.5 * x

    with (
        pytest.raises(ValueError, match=r"the model's x0 is not finite from step 3 of 4 \(t = 0.5\)"),
        np.errstate(all="ignore"),
    ):
        method(denoise, cosine(), np.ones((1, 2)), steps=4)
