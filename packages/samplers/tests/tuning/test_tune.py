"""Tuned times: nearer to the exact samples than every named grid, on other noises too."""

import numpy as np
import pytest
from diffkit_samplers import FineSolution, ddim, grid, seeded, tune, unipc_2
from diffkit_samplers.testing import GaussianOracle, MixtureOracle
from diffkit_samplers.tuning.tune import TUNED_METHODS
from diffkit_schedules import cosine, karras, linear_betas

SPACINGS = ("uniform", "karras", "karras_160", "log_snr")


def start(schedule, seeds):
    z = seeded(seeds)((len(seeds), 16))
    return lambda t: schedule(t).sigma * z


@pytest.mark.parametrize("steps", [5, 8])
def test_tuned_times_are_nearer_by_a_third_than_the_best_named_grid_on_other_noises(steps):
    schedule = cosine()
    oracle = MixtureOracle(schedule, means=(-1.0, 0.5, 1.5), variances=(0.05, 0.1, 0.02), weights=(0.3, 0.5, 0.2))
    found = tune(oracle, schedule, start(schedule, range(16)), steps=steps)
    others = FineSolution(oracle, schedule, start(schedule, range(100, 164)))
    best = min(others.error(method, grid(schedule, steps, name)) for method in TUNED_METHODS for name in SPACINGS)
    assert len(found.times) == steps + 1
    assert others.error(found.method, found.times) < 2 / 3 * best


def test_no_time_can_be_moved_to_a_much_smaller_error():
    schedule = cosine()
    oracle, begin = MixtureOracle(schedule), start(schedule, range(16))
    method, times, error = tune(oracle, schedule, begin, steps=4)
    fine = FineSolution(oracle, schedule, begin)
    assert fine.error(method, times) == error
    for k in (1, 2, 3):
        for share in (0.1, -0.1):
            moved = times[k] + share * (times[k - 1] - times[k] if share > 0 else times[k] - times[k + 1])
            assert fine.error(method, [*times[:k], moved, *times[k + 1 :]]) > 0.9 * error


def test_on_a_table_the_times_are_entries():
    schedule = linear_betas(200, end=0.1)
    method, times, error = tune(MixtureOracle(schedule), schedule, start(schedule, range(4)), steps=4, methods=("unipc_2",))
    assert [round(200 * t) / 200 for t in times] == times
    fine = FineSolution(MixtureOracle(schedule), schedule, start(schedule, range(4)))
    assert (method, error) == ("unipc_2", fine.error(method, times))
    assert error < 0.8 * min(fine.error(method, grid(schedule, 4, name)) for name in SPACINGS)


def test_the_first_time_is_1_or_that_of_noise_160_times_the_signal():
    for schedule in (cosine(), karras()):
        first = tune(MixtureOracle(schedule), schedule, start(schedule, range(2)), steps=3, methods=("deis",)).times[0]
        alpha, sigma = schedule(first)
        assert first == 1 or sigma / alpha == pytest.approx(160, rel=0.01)


def test_an_x0_that_is_not_finite_has_an_infinite_error():
    factor = 1.0
    fine = FineSolution(lambda x, t: factor * x, cosine(), start(cosine(), [1]))
    assert fine.error("ddim", [1.0, 0.5, 0.0]) < np.inf
    factor = np.nan
    assert fine.error("ddim", [1.0, 0.5, 0.0]) == np.inf


@pytest.mark.parametrize("steps", [1, 0, 2.5, True])
def test_fewer_than_two_steps_are_refused(steps):
    with pytest.raises(ValueError, match=f"steps must be an integer of at least 2 to have times to tune, got {steps}"):
        tune(GaussianOracle(cosine()), cosine(), start(cosine(), [1]), steps=steps)


def test_the_error_is_the_mean_over_samples_of_their_distance_to_64_steps():
    schedule, oracle, z = cosine(), MixtureOracle(cosine()), seeded(range(3))((3, 4, 4))

    def begin(t):
        return schedule(t).sigma * z

    fine, times = FineSolution(oracle, schedule, begin), [0.99, 0.6, 0.3, 0.0]
    fine_times = grid(schedule, 64, "karras_160")
    assert (fine.x0 == unipc_2(oracle, schedule, begin(fine_times[0]), spacing=fine_times)).all()
    distances = np.sqrt(np.square(ddim(oracle, schedule, begin(0.99), spacing=times) - fine.x0).mean(axis=(1, 2)))
    assert fine.error("euler_ancestral", times) == pytest.approx(distances.mean(), rel=1e-12)
    assert distances.mean() < 0.999 * np.sqrt(np.square(distances).mean())


def test_a_table_of_fewer_steps_than_the_fine_solution_has_all_of_them():
    schedule = linear_betas(30, end=0.5)
    evaluated, oracle = [], MixtureOracle(schedule)
    FineSolution(lambda x, t: evaluated.append(t) or oracle(x, t), schedule, start(schedule, [1]))
    assert len(set(evaluated)) == len(evaluated) == 30
    assert len(tune(oracle, schedule, start(schedule, range(4)), steps=2, methods=("deis",)).times) == 3


def test_no_methods_are_refused():
    with pytest.raises(ValueError, match=r"methods must name at least one sampler of METHODS, got \(\)"):
        tune(GaussianOracle(cosine()), cosine(), start(cosine(), [1]), steps=2, methods=())


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="'nope'"):
        tune(GaussianOracle(cosine()), cosine(), start(cosine(), [1]), steps=2, methods=("nope",))
