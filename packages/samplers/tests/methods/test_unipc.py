"""UniPC against the paper's systems of equations."""

import numpy as np
import pytest
from diffkit_samplers import trajectory
from diffkit_samplers.multistep import level
from diffkit_samplers.testing import MixtureOracle
from diffkit_schedules import cosine


def update(x, outputs, levels, rates, order, end=None):
    """x at rates[1] from x at rates[0], the predictor, or with the output at the end the corrector: the paper's R and b.

    outputs, levels: x0 and log(alpha / sigma) of the earlier evaluations, the latest last; levels has the end's too.
    """
    (alpha_s, sigma_s), (_, sigma_t) = rates[1], rates[0]
    h = levels[-1] - levels[-2]
    first, base = outputs[-1], np.expm1(-h)
    positions = [(levels[-2 - k] - levels[-2]) / h for k in range(1, order)]
    differences = [(outputs[-1 - k] - first) / r for k, r in zip(range(1, order), positions, strict=True)]
    if end is not None:
        positions, differences = [*positions, 1.0], [*differences, end - first]
    size = len(positions)
    phi, right = base / -h - 1, []  # h phi_2(h), and so on
    for k in range(1, size + 1):
        right.append(phi * np.prod(np.arange(1.0, k + 1)) / base)
        phi = phi / -h - 1 / np.prod(np.arange(1.0, k + 2))
    rho = [0.5] if size == 1 else np.linalg.solve([np.power(positions, k) for k in range(size)], right) if size else []
    total = sum((weight * each for weight, each in zip(rho, differences, strict=True)), 0 * first)
    return sigma_s / sigma_t * x - alpha_s * base * (first + total)


@pytest.mark.parametrize("order", [2, 3])
def test_unipc_is_the_papers(order):
    schedule, times = cosine(), [0.95, 0.8, 0.72, 0.5, 0.4, 0.25]
    oracle, x = MixtureOracle(schedule), np.random.default_rng(0).standard_normal((4, 1))
    rates = [schedule(t) for t in times]
    levels, start, predicted = [level(each) for each in rates], x, x
    outputs = list[np.ndarray]()
    for k, state in enumerate(trajectory(oracle, schedule, x, method=f"unipc_{order}", spacing=times)):
        output = oracle(predicted, times[k])
        if k:
            start = update(start, outputs, levels[: k + 1], rates[k - 1 : k + 1], min(order, k), output)
        outputs.append(output)
        predicted = update(start, outputs, levels[: k + 2], rates[k : k + 2], min(order, k + 1))
        np.testing.assert_allclose(state.x, predicted, rtol=1e-9, atol=1e-12)
