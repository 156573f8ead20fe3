"""An estimate: what denoise returns, in the state's dtype."""

import numpy as np
import pytest
from diffkit_samplers import Estimate
from diffkit_samplers.estimates import evaluate, x0_or_estimate
from diffkit_schedules import Rates

X = np.array([[1.0, -3.0], [0.5, 2.0]])


def test_evaluate_returns_an_estimate_in_the_dtype_of_the_state():
    x = X.astype(np.float32)
    found = evaluate(lambda x, t: Estimate((t * x).astype(np.float64), (2 * x).astype(np.float64), 0.5), x, 0.25)
    assert (found.x0.dtype, found.eps.dtype, found.variance_interpolation) == (np.float32, np.float32, 0.5)
    assert (found.x0 == 0.25 * x).all()
    assert (found.eps == 2 * x).all()
    assert evaluate(lambda x, t: x, x, 0.5)[1:] == (None, 0.0)
    assert evaluate(lambda x, t: x, x, 0.5).x0 is x, "an x0 of the state's dtype is not copied"
    with pytest.raises(ValueError, match=r"^denoise must return an x0 of x's shape \(2, 2\), got \(2, 1\)$"):
        evaluate(lambda x, t: x[:, :1], x, 0.5)
    with pytest.raises(ValueError, match=r"^denoise must return an x0 of x's shape \(2, 2\), got str$"):
        evaluate(lambda x, t: "x0", x, 0.5)


def test_only_an_estimate_that_holds_more_than_x0_stays_one():
    assert x0_or_estimate(Estimate(X)) is X
    for more in (Estimate(X, X), Estimate(X, variance_interpolation=0.5), Estimate(X, variance_interpolation=np.zeros(2))):
        assert x0_or_estimate(more) is more
    assert Estimate(X).state(2 * X, Rates(0.6, 0.8)).tolist() == (2 * X).tolist()
    np.testing.assert_allclose(Estimate(X, 2 * X).state(0 * X, Rates(0.6, 0.8)), 2.2 * X)
