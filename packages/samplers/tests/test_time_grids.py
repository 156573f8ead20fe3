"""Every spacing at every number of steps, against its definition."""

import math

import numpy as np
import pytest
from diffkit_samplers import SPACINGS, grid
from diffkit_samplers.spacings import LEVEL_SCALES
from diffkit_schedules import cosine, discrete, linear_betas, offset_cosine, rectified

TABLE = linear_betas()


def indices(steps, spacing, **options):
    times = grid(TABLE, steps, spacing, **options)
    assert times[-1] == 0.0
    return [round(1000 * t) - 1 for t in times[:-1]]


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("schedule", [TABLE, cosine()], ids=["table", "continuous"])
def test_exact_for_every_number_of_steps(schedule, spacing):
    for steps in range(1, 1001, 27 if spacing in LEVEL_SCALES else 1):
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
def test_a_table_may_start_with_clean_data_and_end_in_pure_noise(betas, spacing):
    table = discrete(betas)
    for steps in (1, 2, 3, len(betas) // 2, len(betas)):
        times = grid(table, steps, spacing)
        assert len(times) == steps + 1
        assert (times[0], times[-1]) == (1.0, 0.0)
        assert (np.diff(times) < 0).all()
        if steps == 2:
            assert table(times[1]).sigma > 0, "the last look is at the first noise that there is"
            assert table((round(times[1] * len(betas)) - 1) / len(betas)).sigma == 0


def test_a_table_without_noise_levels_is_refused():
    with pytest.raises(
        ValueError, match="'karras', 'karras_160', 'log_snr' need a noise level between clean data and pure noise, discrete"
    ):
        grid(discrete([0.0, 1.0]), 2, "karras")


@pytest.mark.parametrize("schedule", [cosine(), TABLE], ids=["cosine", "table"])
def test_noise_levels_are_evenly_spaced(schedule):
    scales = {"karras": lambda rates: (rates.sigma / rates.alpha) ** (1 / 7), "log_snr": lambda rates: rates.log_snr}
    for spacing, scale in scales.items():
        levels = [scale(schedule(t)) for t in grid(schedule, 8, spacing)[1:-1]]
        np.testing.assert_allclose(np.diff(levels), (levels[-1] - levels[0]) / 6, rtol=0.02 if schedule is TABLE else 1e-9)


def test_karras_160_begins_at_160_times_the_signal():
    ratios = [cosine()(t).sigma / cosine()(t).alpha for t in grid(cosine(), 20, "karras_160")[:-1]]
    assert ratios[0] == pytest.approx(160, rel=1e-9)
    last = cosine()(0.001).sigma / cosine()(0.001).alpha
    np.testing.assert_allclose(np.power(ratios, 1 / 7), np.linspace(160 ** (1 / 7), last ** (1 / 7), 20))
    assert grid(cosine(), 1, "karras_160") == pytest.approx([math.atan(160) / (math.pi / 2) * 1.008 - 0.008, 0], abs=1e-6)
    assert grid(offset_cosine(), 20, "karras_160") == grid(offset_cosine(), 20, "karras"), "its noise is 50 times the signal"


@pytest.mark.parametrize("spacing", ["uniform", "trailing", "linspace"])
@pytest.mark.parametrize("steps", [1, 2, 7, 50, 1000])
def test_some_spacings_start_at_pure_noise(spacing, steps):
    assert grid(TABLE, steps, spacing)[0] == 1.0


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 50, 61, 121, 333, 1000])
def test_indices_are_those_of_the_definitions(steps):
    assert indices(steps, "leading") == (np.arange(steps) * (1000 // steps))[::-1].tolist()
    assert indices(steps, "trailing") == [round(1000 - k * 1000 / steps) - 1 for k in range(steps)]
    if steps > 1:
        assert indices(steps, "linspace") == np.linspace(0, 999, steps).round()[::-1].astype(int).tolist()


def test_quadratic_is_the_papers_where_it_has_no_duplicates():
    assert indices(10, "quadratic") == [int(u) for u in np.linspace(0, np.sqrt(800), 10) ** 2][::-1]


def test_offset_and_last_are_those_of_diffusers():
    times = grid(TABLE, 50, "leading", offset=1, last=1 / 1000)
    assert [round(1000 * t) - 1 for t in times[:2] + times[-2:]] == [981, 961, 1, 0]


def test_uniform_on_a_continuous_schedule():
    assert grid(cosine(), 3) == pytest.approx([1, 2 / 3, 1 / 3, 0], abs=1e-15)
    assert grid(cosine(), 5000)[1] == 1 - 1 / 5000


def test_a_list_of_times_is_returned():
    assert grid(TABLE, 20, [0.9, 0.5, 0.1]) == [0.9, 0.5, 0.1]


@pytest.mark.parametrize(
    ("steps", "spacing", "options", "message"),
    [
        (0, "uniform", {}, "steps must be an integer of at least 1, got 0"),
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
def test_bad_arguments_are_refused(steps, spacing, options, message):
    with pytest.raises(ValueError, match=message):
        grid(TABLE, steps, spacing, **options)


def test_an_offset_is_refused_on_continuous_schedules_too():
    with pytest.raises(ValueError, match=r"offset is for 'leading' and 'quadratic', .*; got 1 with 'uniform'"):
        grid(cosine(), 4, "uniform", offset=1)


EXACT = {
    ("uniform", 3): [10, 7, 3],
    ("trailing", 4): [10, 8, 5, 2],
    ("leading", 4): [7, 5, 3, 1],
    ("leading", 1): [1],
    ("linspace", 4): [10, 7, 4, 1],
    ("linspace", 1): [10],
    ("linspace", 2): [10, 1],
    ("quadratic", 1): [9],
    ("quadratic", 2): [9, 1],
    ("quadratic", 3): [9, 3, 1],
    ("quadratic", 4): [9, 4, 2, 1],
    ("quadratic", 10): [10, 9, 8, 7, 6, 5, 4, 3, 2, 1],
}


@pytest.mark.parametrize(("spacing", "steps"), EXACT)
def test_the_entries_of_a_table_of_ten(spacing, steps):
    table = discrete(np.linspace(0.1, 0.9, 10))
    times = grid(table, steps, spacing)
    assert times == [entry / 10 for entry in EXACT[spacing, steps]] + [0.0]
    if spacing in ("leading", "quadratic") and steps < 4:
        assert grid(table, steps, spacing, offset=1, last=0.05) == [(entry + 1) / 10 for entry in EXACT[spacing, steps]] + [0.05]


def test_a_continuous_schedule_has_a_thousand_indices():
    assert grid(cosine(), 4, "leading") == [0.751, 0.501, 0.251, 0.001, 0.0]
    assert grid(cosine(), 2, last=0.25) == [1.0, 0.5, 0.25]
    assert grid(cosine(), 1) == [1.0, 0.0]
    assert grid(cosine(), 1, "log_snr") == [1.0, 0.0]
    assert grid(cosine(), 2, "karras", last=0.0005)[-1] == 0.0005


@pytest.mark.parametrize(
    ("spacing", "scale"), [("karras", lambda t: (t / (1 - t)) ** (1 / 7)), ("log_snr", lambda t: np.log((1 - t) / t))]
)
def test_noise_levels_go_from_the_first_below_pure_noise_to_one_thousandth(spacing, scale):
    times = grid(rectified(), 5, spacing)
    assert (times[0], times[-1]) == (1.0, 0.0)
    expected = np.linspace(scale(0.999), scale(0.001), 5)
    np.testing.assert_allclose([scale(t) for t in times[1:-1]], expected[1:], rtol=1e-9, atol=1e-9)


def test_noise_levels_of_a_table_are_the_nearest_entries():
    table = discrete(np.linspace(0.1, 0.9, 10))
    for steps in (2, 5, 10):
        times = grid(table, steps, "log_snr")
        assert all(round(10 * t) == pytest.approx(10 * t) for t in times)
        assert (times[0], times[-2], times[-1]) == (1.0, 0.1, 0.0)


def test_pure_noise_is_a_log_snr_below_minus_thirty():
    def schedule(t):
        return (np.exp(-15.5 * t), 1.0)  # log-SNR -31 at t = 1, above -30 up to t = 0.967

    times = grid(schedule, 3, "log_snr")
    assert times[0] == 1.0
    np.testing.assert_allclose(times[1:3], [(0.967 + 0.001) / 2, 0.001], rtol=1e-9)


def test_minus_thirty_is_pure_noise_and_the_last_level_may_be_the_only_one():
    def schedule(t):
        return (math.exp(-15 * t), 1.0)

    assert 2 * math.log(schedule(1)[0]) == -30
    np.testing.assert_allclose(grid(schedule, 3, "log_snr")[1:3], [(0.999 + 0.001) / 2, 0.001], rtol=1e-9)
    assert grid(discrete([0.0, 0.97]), 2, "karras") == [1.0, 0.5, 0.0]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((True,), {}, "steps must be an integer of at least 1, got True"),
        ((1.5,), {}, "steps must be an integer of at least 1, got 1.5"),
        ((0,), {}, "steps must be an integer of at least 1, got 0"),
        ((11, "karras"), {}, "steps must be at most 10, the number of timesteps that 'karras' selects from; got 11"),
        (
            (5, "x"),
            {},
            "spacing must be one of 'uniform', 'leading', 'trailing', 'linspace', 'quadratic', 'karras', .*; got 'x'",
        ),
        (
            (5, "linspace"),
            {"offset": 1},
            "offset is for 'leading' and 'quadratic', which do not start at pure noise; got 1 with 'linspace'",
        ),
        ((2, "leading"), {"offset": 5}, r"offset 5 moves the first index of 'leading' to 10, outside 0 \.\.\. 9"),
        ((2, "leading"), {"offset": -6}, r"offset -6 moves the first index of 'leading' to -1, outside 0 \.\.\. 9"),
        ((2, [0.5]), {}, r"a grid needs at least two times, got \[0.5\]"),
        ((2, [0.5, 0.5]), {}, "times must decrease towards the data, got 0.5 after 0.5"),
        ((2, [1.25, 0.5]), {}, r"times must be in \[0, 1\], got 1.25 to 0.5"),
        ((2, [0.5, -0.25]), {}, r"times must be in \[0, 1\], got 0.5 to -0.25"),
        ((2, [0.5, 0.25, -0.25]), {}, r"times must be in \[0, 1\], got 0.5 to -0.25"),
    ],
)
def test_messages_name_the_value_and_the_range(arguments, options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        grid(discrete(np.linspace(0.1, 0.9, 10)), *arguments, **options)


def test_the_ends_of_the_ranges_are_accepted():
    table = discrete(np.linspace(0.1, 0.9, 10))
    assert grid(table, np.int64(10))[0] == 1.0
    assert grid(table, 2, [1, 0]) == [1.0, 0.0]
    assert grid(table, 2, "leading", offset=4) == [1.0, 0.5, 0.0]
