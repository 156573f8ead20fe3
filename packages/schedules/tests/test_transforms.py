"""shift and zero_terminal_snr of every schedule: formulas, tables and errors."""

import math

import diffkit_schedules as ds
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

TWO, ONE = ds.discrete([0.36, 0.99]), ds.discrete([0.99])
STEEP = ds.linear(0.1, 400)


@pytest.mark.parametrize("factor", [0.5, 3.0])
@given(t=st.floats(0.01, 0.99))
def test_shift_lowers_log_snr_by_two_log_factor_on_the_same_curve(schedule, factor, t):
    (alpha, sigma), shifted = schedule(t), ds.shift(schedule, factor)(t)
    assert shifted.log_snr == pytest.approx(schedule(t).log_snr - 2 * math.log(factor), abs=1e-9)
    kept = {"vp": (alpha**2 + sigma**2, shifted.alpha**2 + shifted.sigma**2), "ve": (alpha, shifted.alpha)}
    kept["straight"] = (alpha + sigma, shifted.alpha + shifted.sigma)
    before, after = kept[schedule.path]
    assert after == pytest.approx(before, abs=1e-14)


def test_paths():
    formulas = [ds.cosine(), ds.offset_cosine(), ds.linear(), ds.sigmoid()]
    tables = [ds.linear_betas(), ds.scaled_linear_betas(), ds.cosine_betas(), ds.sigmoid_betas(), TWO]
    assert {schedule.path for schedule in formulas + tables} == {"vp"}
    assert (ds.rectified().path, ds.karras().path) == ("straight", "ve")
    assert [ds.shift(schedule, 2.0).path for schedule in (ds.karras(), ds.rectified(), STEEP)] == ["ve", "straight", "vp"]
    assert ds.zero_terminal_snr(ds.cosine()).path == "vp"


@pytest.mark.filterwarnings("ignore:discrete with T")
def test_shift_by_hand():
    assert ds.shift(ds.discrete([0.64]), 0.5)(1.0) == pytest.approx((3 / math.sqrt(13), 2 / math.sqrt(13)), abs=1e-15)
    assert ds.shift(ds.karras(1.0, 16.0, 2.0), 3.0)(0.5) == pytest.approx((1.0, 18.75), abs=1e-13)
    for t in np.linspace(0, 1, 11):
        warped = 3 * t / (1 + 2 * t)
        assert ds.shift(ds.rectified(), 3.0)(t) == pytest.approx((1 - warped, warped), abs=1e-15)


def test_a_schedule_on_the_straight_path_at_one_time_alone_keeps_its_path():
    assert sum(STEEP(0.5)) == pytest.approx(1, abs=1e-9)
    alpha, sigma = ds.shift(STEEP, 2.0)(0.01)
    assert (alpha**2 + sigma**2, alpha + sigma) == (pytest.approx(1, abs=1e-14), pytest.approx(1.2398, abs=1e-4))


def straight(t):
    return ds.Rates(1 - t, t)


class Declared:
    path = "straight"

    def __call__(self, t):
        return straight(t)


@pytest.mark.parametrize(
    "make", [lambda schedule: ds.shift(schedule, 2.0), ds.zero_terminal_snr], ids=["shift", "zero_terminal_snr"]
)
def test_a_schedule_without_a_path_is_refused(make):
    with pytest.raises(ValueError, match=r"must have an attribute `path`, one of 'vp' .*, 've' .*; got None$") as caught:
        make(straight)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"got 'round'$"):
        make(type("Round", (Declared,), {"path": "round"})())


def test_a_declared_path_is_kept():
    assert ds.shift(Declared(), 3.0)(0.5) == ds.Rates(0.25, 0.75)
    assert not hasattr(ds.shift(Declared(), 3.0), "timesteps")


@pytest.mark.parametrize("factor", [0, -1.0, math.inf, math.nan])
def test_a_factor_must_be_positive_and_finite(factor):
    with pytest.raises(ValueError, match=f"^factor must be > 0 and finite, got {factor}$"):
        ds.shift(ds.cosine(), factor)


@pytest.mark.parametrize("schedule", [ds.rectified(), ds.karras(), ds.shift(ds.rectified(), 1e10)], ids=str)
def test_only_variance_preserving_schedules_can_be_rescaled(schedule):
    with pytest.raises(
        ValueError, match=r"^zero_terminal_snr needs alpha\^2 \+ sigma\^2 = 1, got alpha(=| \+ sigma|) ?.*= 1: "
    ) as caught:
        ds.zero_terminal_snr(schedule)
    assert repr(schedule)[:40] in str(caught.value)


def test_zero_terminal_snr_of_a_table_is_the_papers():
    alphas = np.sqrt(ds.linear_betas().alphas_cumprod)
    expected = (alphas - alphas[-1]) * alphas[0] / (alphas[0] - alphas[-1])
    rescaled = ds.zero_terminal_snr(ds.linear_betas())
    assert rescaled.timesteps == 1000
    np.testing.assert_allclose([rescaled((i + 1) / 1000).alpha for i in range(1000)], expected, rtol=1e-10, atol=1e-14)


def test_zero_terminal_snr_of_a_formula_is_the_papers():
    first, last = 0.95, 0.02
    for t in (0.0, 0.3, 0.9, 1.0):
        alpha, sigma = ds.zero_terminal_snr(ds.offset_cosine())(t)
        assert alpha == pytest.approx((ds.offset_cosine()(t).alpha - last) * first / (first - last), abs=1e-15)
        assert alpha**2 + sigma**2 == pytest.approx(1, abs=1e-14)


def test_a_rescaled_schedule_starts_as_before_and_ends_in_pure_noise(variance_preserving):
    schedule = variance_preserving
    rescaled = ds.zero_terminal_snr(schedule)
    assert rescaled(1.0).alpha == 0.0
    start = 1 / schedule.timesteps if hasattr(schedule, "alphas_cumprod") else 0.0
    if start < 1:
        assert rescaled(start) == pytest.approx(schedule(start), abs=1e-12)
    for t in np.linspace(0, 1, 33):
        assert sum(rate**2 for rate in rescaled(t)) == pytest.approx(1, abs=1e-14)
    assert ds.zero_terminal_snr(rescaled)(0.4) == pytest.approx(rescaled(0.4), abs=1e-9)


def test_a_rescaled_table_is_the_array_of_its_betas(table):
    check_rescaled(table)


@pytest.mark.parametrize("table", [ds.shift(TWO, 2.0), ds.discrete([0.5, 1.0, 0.5])], ids=str)
def test_a_rescaled_shifted_or_rising_table_is_the_array_of_its_betas(table):
    check_rescaled(table)


def check_rescaled(schedule):
    rescaled = ds.zero_terminal_snr(schedule)
    betas = np.asarray(rescaled)
    assert (len(rescaled), betas.shape, betas.dtype) == (schedule.timesteps, (schedule.timesteps,), np.float64)
    assert list(rescaled) == list(betas)
    assert (rescaled[0], rescaled[-1]) == (betas[0], 1.0)
    assert betas.min() >= 0
    np.testing.assert_allclose(np.cumprod(1 - rescaled), rescaled.alphas_cumprod, rtol=1e-9, atol=1e-15)
    again = ds.discrete(rescaled)
    for t in (0.0, 0.3, 0.5, 1.0):
        assert again(t) == pytest.approx(rescaled(t), abs=1e-9)
    np.testing.assert_array_equal(rescaled(np.array([0.3, 1.0])).alpha, [rescaled(0.3).alpha, 0.0])


@pytest.mark.filterwarnings("ignore:discrete with T")
def test_rescaled_betas_by_hand():
    assert list(ds.zero_terminal_snr(TWO)) == pytest.approx([0.36, 1.0], abs=1e-15)
    assert list(ds.zero_terminal_snr(ONE)) == [1.0]
    three = ds.zero_terminal_snr(ds.discrete([0.36, 0.4375, 0.75]))  # alpha 0.8, 0.6, 0.3 becomes 0.8, 0.48, 0
    assert list(three) == pytest.approx([0.36, 1 - 0.36, 1.0], abs=1e-14)


@pytest.mark.filterwarnings("ignore:discrete with T")
@pytest.mark.parametrize("betas", [[0.75, 0.0], [0.75, 0.0, 0.0], [1.0, 0.5]])
def test_a_table_whose_alpha_does_not_fall_cannot_be_rescaled(betas):
    alpha = math.sqrt(1 - betas[0])
    with pytest.raises(
        ValueError, match=f"^zero_terminal_snr needs alpha to fall along the table, got {alpha:g} at both of its ends$"
    ):
        ds.zero_terminal_snr(ds.discrete(betas))


ARRAY_USES = {
    "asarray": np.asarray,
    "index": lambda schedule: schedule[0],
    "list": list,
    "len": len,
    "discrete": ds.discrete,
    "arithmetic": lambda schedule: 1 - schedule,
    "sqrt": np.sqrt,
}


@pytest.mark.parametrize("use", ARRAY_USES)
def test_a_rescaled_formula_has_no_betas(use):
    schedule = ds.zero_terminal_snr(ds.cosine())
    with pytest.raises(
        TypeError,
        match=r"is not a table and has no betas, .*: make a table with discrete\(betas\)$",
    ) as caught:
        ARRAY_USES[use](schedule)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("schedule", [ds.cosine(), ds.rectified(), ds.shift(ds.linear_betas(), 2.0)], ids=str)
def test_a_continuous_schedule_is_not_an_array(schedule):
    with pytest.raises(TypeError, match=r"^betas must be a sequence of numbers, or a table, got "):
        ds.discrete(schedule)
    for use in ("index", "list", "len"):
        with pytest.raises(TypeError, match=type(schedule).__name__):
            ARRAY_USES[use](schedule)


def test_every_schedule_is_truthy(schedule):
    assert schedule


def test_transforms_keep_the_number_of_steps():
    table = ds.discrete(np.linspace(1e-4, 0.04, 500))
    assert ds.shift(table, 2.0).timesteps == ds.zero_terminal_snr(ds.shift(table, 2.0)).timesteps == 500
    for schedule in (ds.zero_terminal_snr(ds.cosine()), ds.shift(ds.cosine(), 2.0)):
        assert not hasattr(schedule, "timesteps")
        assert not hasattr(schedule, "alphas_cumprod")
        assert ds.timesteps_of(schedule) == 1000


def test_alphas_cumprod_of_a_shifted_table():
    shifted = ds.shift(TWO, 2.0)
    assert list(shifted.alphas_cumprod) == pytest.approx([0.64 / (0.64 + 4 * 0.36), 0.0064 / (0.0064 + 4 * 0.9936)], rel=1e-12)
    assert list(shifted.alphas_cumprod) == pytest.approx([shifted(t).alpha ** 2 for t in (0.5, 1.0)], rel=1e-12)
