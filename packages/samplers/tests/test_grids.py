"""Every spacing at every number of steps, against the definitions and the traps."""

import numpy as np
import pytest
from diffkit_samplers import SPACINGS, grid
from diffkit_schedules import cosine, discrete, linear_betas

TABLE = linear_betas()


def indices(steps, spacing, **options):
    times = grid(TABLE, steps, spacing, **options)
    assert times[-1] == 0.0
    return [round(1000 * t) - 1 for t in times[:-1]]


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("schedule", [TABLE, cosine()], ids=["table", "continuous"])
def test_exact_for_every_number_of_steps(schedule, spacing):
    for steps in range(1, 1001, 27 if spacing in ("karras", "log_snr") else 1):
        times = grid(schedule, steps, spacing)
        assert len(times) == steps + 1
        assert times[-1] == 0.0
        assert times[-2] > 0
        assert times[0] <= 1
        assert (np.diff(times) < 0).all()


@pytest.mark.parametrize("spacing", ["karras", "log_snr"])
@pytest.mark.parametrize(
    "betas",
    [[0, 0, *np.linspace(1e-4, 0.02, 998)], [*np.linspace(1e-4, 0.5, 97), 1, 1, 1], [0.0, 0.5, 1.0, 1.0]],
    ids=["clean", "noise", "both"],
)
def test_a_table_may_begin_with_clean_data_and_end_in_noise(betas, spacing):
    table = discrete(betas)
    for steps in (1, 2, 3, len(betas) // 2, len(betas)):
        times = grid(table, steps, spacing)
        assert len(times) == steps + 1
        assert (times[0], times[-1]) == (1.0, 0.0)
        assert (np.diff(times) < 0).all()
        if steps == 2:
            assert table(times[1]).sigma > 0, "the last look is at the first noise that there is"
            assert table((round(times[1] * len(betas)) - 1) / len(betas)).sigma == 0


def test_what_has_no_noise_level_has_no_grid_of_them():
    with pytest.raises(ValueError, match="a grid of noise levels needs one between clean data and pure noise, discrete"):
        grid(discrete([0.0, 1.0]), 2, "karras")


@pytest.mark.parametrize("schedule", [cosine(), TABLE], ids=["cosine", "table"])
def test_levels_are_evenly_spaced_as_each_spacing_says(schedule):
    scales = {"karras": lambda rates: (rates.sigma / rates.alpha) ** (1 / 7), "log_snr": lambda rates: rates.log_snr}
    for spacing, scale in scales.items():
        levels = [scale(schedule(t)) for t in grid(schedule, 8, spacing)[1:-1]]
        np.testing.assert_allclose(np.diff(levels), (levels[-1] - levels[0]) / 6, rtol=0.02 if schedule is TABLE else 1e-9)


@pytest.mark.parametrize("spacing", ["uniform", "trailing", "linspace"])
@pytest.mark.parametrize("steps", [1, 2, 7, 50, 1000])
def test_these_start_at_pure_noise(spacing, steps):
    assert grid(TABLE, steps, spacing)[0] == 1.0


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 50, 61, 121, 333, 1000])
def test_the_definitions(steps):
    assert indices(steps, "leading") == (np.arange(steps) * (1000 // steps))[::-1].tolist()
    assert indices(steps, "trailing") == [round(1000 - k * 1000 / steps) - 1 for k in range(steps)]
    if steps > 1:
        assert indices(steps, "linspace") == np.linspace(0, 999, steps).round()[::-1].astype(int).tolist()


def test_quadratic_is_the_papers_where_it_has_no_duplicates():
    assert indices(10, "quadratic") == [int(u) for u in np.linspace(0, np.sqrt(800), 10) ** 2][::-1]


def test_offset_and_last_are_the_ecosystem_s():
    times = grid(TABLE, 50, "leading", offset=1, last=1 / 1000)
    assert [round(1000 * t) - 1 for t in times[:2] + times[-2:]] == [981, 961, 1, 0]


def test_uniform_on_a_continuous_schedule():
    assert grid(cosine(), 3) == pytest.approx([1, 2 / 3, 1 / 3, 0], abs=1e-15)
    assert grid(cosine(), 5000)[1] == 1 - 1 / 5000


def test_a_list_of_times_is_taken_as_it_is():
    assert grid(TABLE, 20, [0.9, 0.5, 0.1]) == [0.9, 0.5, 0.1]


@pytest.mark.parametrize(
    ("steps", "spacing", "options", "message"),
    [
        (0, "uniform", {}, "steps must be a whole number of at least 1, got 0"),
        (2.5, "uniform", {}, "got 2.5"),
        (1001, "trailing", {}, "steps must be at most 1000, .*; got 1001"),
        (10, "even", {}, "spacing must be one of 'uniform', 'leading', .*; got 'even'"),
        (10, [0.5, 0.5, 0.0], {}, "times must decrease towards the data, got 0.5 after 0.5"),
        (10, [0.5, float("nan"), 0.0], {}, "got nan after 0.5"),
        (10, [1.5, 0.0], {}, r"times must be in \[0, 1\], got 1.5 to 0"),
        (10, [1.0], {}, "at least two times"),
        (10, "trailing", {"offset": 1}, "offset is for 'leading' and 'quadratic'"),
        (10, "leading", {"last": 0.5}, "got 0.5 after 0.001"),
    ],
)
def test_what_is_refused(steps, spacing, options, message):
    with pytest.raises(ValueError, match=message):
        grid(TABLE, steps, spacing, **options)
