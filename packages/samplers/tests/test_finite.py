"""What was not finite, by its step and its samples; and the loop's own checks."""

import numpy as np
import pytest
from diffkit_samplers import NotFiniteError, ddim, trajectory
from diffkit_samplers.bounds import clamped
from diffkit_samplers.finite import refuse_not_finite, trace
from diffkit_schedules import rectified


def test_a_trace_is_not_finite_where_its_sample_is_not():
    x0 = np.array([[[1.0, 2.0], [3.0, 4.0]], [[1.0, np.nan], [0.0, 0.0]], [[np.inf, 0.0], [0.0, 0.0]]])
    found = trace(x0)
    assert found[0] == 10
    assert np.isfinite(found).tolist() == [True, False, False]
    assert trace(np.array([1.0, np.nan])).tolist() == [True, False]
    assert trace(np.full((1, 100_000), 1.0, np.float16)).tolist() == [100_000], "added up in float32"
    assert trace(np.ones((1, 2), np.float16)).dtype == trace(np.ones((1, 2), np.float32)).dtype == np.float32
    assert trace(np.ones((1, 2))).dtype == np.float64


def test_the_first_step_and_every_sample_are_named():
    x0 = np.zeros((12, 1))
    steps = [np.ones(12), np.ones(12), np.ones(12)]
    refuse_not_finite([1.0, 0.75, 0.5, 0.0], steps, x0)
    steps[1][3], steps[2][7] = np.nan, np.inf
    with pytest.raises(NotFiniteError) as caught:
        refuse_not_finite([1.0, 0.75, 0.5, 0.0], steps, x0)
    assert str(caught.value) == (
        "the model's x0 is not finite from step 2 of 3 on, at t = 0.75, in 2 of 12 samples: number 3, 7; "
        "the error's x0 has the others"
    )
    assert caught.value.bad == [3, 7]
    assert caught.value.x0 is x0


@pytest.mark.parametrize(("count", "named"), [(8, "0, 1, 2, 3, 4, 5, 6, 7;"), (10, "0, 1, 2, 3, 4, 5, 6, 7 and 2 more;")])
def test_no_more_than_eight_are_named(count, named):
    with pytest.raises(NotFiniteError, match=f"number {named}") as caught:
        refuse_not_finite([1.0, 0.0], [np.full(count, np.nan)], np.zeros((count, 1)))
    assert caught.value.bad == list(range(count))


def test_a_state_of_one_axis_has_a_number_a_sample():
    with pytest.raises(NotFiniteError, match="in 1 of 3 samples: number 1;"):
        ddim(lambda x, t: x, rectified(), np.array([1.0, np.nan, 2.0]), steps=2)


def test_an_error_made_by_hand_has_no_samples():
    error = NotFiniteError("it was not")
    assert (str(error), error.x0, error.bad) == ("it was not", None, [])


def test_nothing_is_said_before_the_end():
    states = trajectory(lambda x, t: x * np.nan, rectified(), np.ones((2, 1)), steps=3)
    assert [next(states).t for _ in range(3)] == pytest.approx([2 / 3, 1 / 3, 0])
    with pytest.raises(NotFiniteError, match=r"from step 1 of 3 on, at t = 1, in 2 of 2 samples: number 0, 1;"):
        next(states)


@pytest.mark.parametrize("eta", [-0.1, 1.1])
def test_eta_is_checked_at_the_call(eta):
    with pytest.raises(ValueError, match=rf"^eta must be in \[0, 1\] \(0 = DDIM, 1 = DDPM\), got {eta}$"):
        trajectory(None, rectified(), np.ones((1, 1)), eta=eta)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_an_array_is_kept_within_its_bounds(library):
    xp = pytest.importorskip(library)
    x = xp.asarray([-2.0, -1.0, 0.5, 2.0], dtype=xp.float32)
    found = clamped(x, -1.0, 1.5)
    assert (found.tolist(), found.dtype) == ([-1.0, -1.0, 0.5, 1.5], xp.float32)


def test_under_torch_no_graph_is_kept_and_the_caller_s_is_left_on():
    torch = pytest.importorskip("torch")
    scale = torch.ones((), requires_grad=True)
    for state in trajectory(lambda x, t: scale * x, rectified(), torch.ones(1, 2), steps=2):
        assert torch.is_grad_enabled()
        assert not state.x.requires_grad
        assert not state.x0.requires_grad
