"""Each table against its formula in Python, at its entries and between them."""

import copy
import math
import pickle
import warnings

import diffkit_schedules as ds
import numpy as np
import pytest


def table_and_formula(table):
    """(schedule, its betas by the formula)."""
    return {
        "linear": lambda: (ds.linear_betas(5, 0.1, 0.9), [0.1 + 0.2 * i for i in range(5)]),
        "scaled": lambda: (ds.scaled_linear_betas(5, 0.04, 0.9025), [(0.2 + 0.75 * i / 4) ** 2 for i in range(5)]),
        "cosine": lambda: (
            ds.cosine_betas(5, 0.5, 0.9),
            [min(1 - (wave(i + 1) / wave(i)) ** 2, 0.9) for i in range(5)],
        ),
        "sigmoid": lambda: (ds.sigmoid_betas(5, 0.1, 0.9), [0.1 + 0.8 / (1 + math.exp(6 - 3 * i)) for i in range(5)]),
        "discrete": lambda: (ds.discrete([0.1, 0.5, 1]), [0.1, 0.5, 1.0]),
    }[table]()


def wave(i):
    return math.cos(math.pi / 2 * (i / 5 + 0.5) / 1.5)


NAMES = ["linear", "scaled", "cosine", "sigmoid", "discrete"]


@pytest.mark.parametrize("name", NAMES)
def test_a_table_has_the_betas_of_its_formula(name):
    table, betas = table_and_formula(name)
    assert list(table) == pytest.approx(betas, rel=1e-12)
    assert (len(table), table.timesteps, bool(table)) == (len(betas), len(betas), True)
    kept = np.cumprod([1 - beta for beta in betas])
    np.testing.assert_allclose(table.alphas_cumprod, kept, rtol=1e-9, atol=1e-15)
    assert table.alphas_cumprod.dtype == np.asarray(table).dtype == np.float64
    for i, bar in enumerate(kept):
        assert table((i + 1) / len(betas)) == pytest.approx((math.sqrt(bar), math.sqrt(1 - bar)), abs=1e-9)
    assert table(0) == table(0.0) == (1, 0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_between_two_entries_the_pair_is_on_the_chord(name, dtype):
    table, betas = table_and_formula(name)
    bars = [1.0, *np.cumprod([1 - beta for beta in betas])]
    times = [(low + part) / len(betas) for low in range(len(betas)) for part in (0.25, 0.5)]
    expected = []
    for low in range(len(betas)):
        for part in (0.25, 0.5):
            alpha, sigma = (
                (1 - part) * math.sqrt(a) + part * math.sqrt(b)
                for a, b in ((bars[low], bars[low + 1]), (1 - bars[low], 1 - bars[low + 1]))
            )
            norm = math.hypot(alpha, sigma)
            expected.append((alpha / norm, sigma / norm))
    assert [tuple(table(t)) for t in times] == [pytest.approx(pair, abs=1e-9) for pair in expected]
    rates = table(np.array(times, dtype).reshape(2, -1))
    for rate, wanted in zip(rates, np.array(expected).T, strict=True):
        assert (rate.shape, rate.dtype) == ((2, len(betas)), dtype)
        np.testing.assert_allclose(rate.ravel(), wanted, rtol=0, atol=1e-9 if dtype == np.float64 else 1e-5)


@pytest.mark.parametrize(
    ("table", "steps", "first", "last"),
    [
        (ds.linear_betas, 1000, 1e-4, 0.02),
        (ds.scaled_linear_betas, 1000, 0.00085, 0.012),
        (ds.cosine_betas, 1000, 1 - (math.sin(math.pi / 2 * 0.999 / 1.008) / math.sin(math.pi / 2 / 1.008)) ** 2, 0.999),
        (ds.sigmoid_betas, 1000, 1e-4 + 0.0199 / (1 + math.exp(6)), 1e-4 + 0.0199 / (1 + math.exp(-6))),
    ],
)
def test_defaults_are_those_of_the_papers(table, steps, first, last):
    made = table()
    assert (len(made), made[0], made[-1]) == (steps, pytest.approx(first, rel=1e-9), pytest.approx(last, rel=1e-9))


def test_a_table_works_as_the_array_of_its_betas():
    table = ds.linear_betas(5, 0.1, 0.9)
    assert np.asarray(table, dtype=np.float32).dtype == table.__array__(np.float32).dtype == np.float32
    assert np.add(table, table).tolist() == (np.asarray(table) * 2).tolist()
    assert np.add.reduce(table) == pytest.approx(2.5)
    assert (1 - table).tolist() == [1 - beta for beta in table]
    assert (table[1:3].tolist(), table[4]) == (list(table)[1:3], list(table)[4])
    assert np.add(table, 1.0, dtype=np.float32).dtype == np.float32
    assert np.multiply.outer(table, [1.0, 2.0]).shape == (5, 2)
    assert np.add(table, [[1.0]] * 2).shape == (2, 5)
    masked = np.ma.array([1.0] * 5, mask=[False, True, False, False, False])
    assert np.multiply(table, masked).mask.tolist() == masked.mask.tolist()
    changed = np.asarray(table)
    changed[0] = 7
    assert table[0] == pytest.approx(0.1)


def test_a_copy_has_no_cached_arrays():
    torch = pytest.importorskip("torch")
    table = ds.linear_betas()
    table(torch.linspace(0, 1, 4))
    assert len(table._cached) == 1
    for other in (copy.deepcopy(table), pickle.loads(pickle.dumps(table))):
        assert (other, other._cached, other(0.3)) == (table, {}, table(0.3))


def test_alphas_cumprod_of_a_shifted_table_are_those_of_its_rates():
    shifted = ds.shift(ds.linear_betas(5, 0.1, 0.9), 3.0)
    assert shifted.alphas_cumprod.dtype == np.float64
    for i, bar in enumerate(shifted.alphas_cumprod):
        assert shifted((i + 1) / 5).alpha ** 2 == pytest.approx(bar, rel=1e-9)


def test_a_table_that_starts_in_noise_cannot_be_rescaled():
    with pytest.raises(ValueError, match=r"^zero_terminal_snr needs alpha to fall along the table, got 0 at both of its ends$"):
        ds.zero_terminal_snr(ds.discrete([1.0, 0.5]))


def test_after_pure_noise_a_rescaled_table_has_betas_of_one():
    table = ds.zero_terminal_snr(ds.discrete([0.5, 1.0, 0.5]))
    for _ in range(9):
        np.full(3, 7.0)  # NumPy reuses this memory: a value that is never written is 7
        assert list(table) == [pytest.approx(0.5), 1.0, 1.0]


@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_betas_of_zero_and_one_are_accepted(beta):
    assert ds.discrete([beta, 1.0])[0] == beta


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ds.discrete(5), TypeError, "betas must be a sequence of numbers, or a table, got 5"),
        (lambda: ds.discrete([]), ValueError, r"betas must be a sequence of at least one number, got shape \(0,\)"),
        (lambda: ds.discrete([0.0, 1.0, 1.5]), ValueError, r"every beta must be in \[0, 1\], got 1.5"),
        (lambda: ds.discrete([0.1, 1.5, 2.5]), ValueError, r"every beta must be in \[0, 1\], got 1.5"),
        (lambda: ds.discrete([0.1, -0.5, 0.9]), ValueError, r"every beta must be in \[0, 1\], got -0.5"),
        (lambda: ds.discrete([math.nan]), ValueError, r"every beta must be in \[0, 1\], got nan"),
        (lambda: ds.linear_betas(0), ValueError, "T must be at least 1, got 0"),
        (lambda: ds.scaled_linear_betas(10**6 + 1), ValueError, "T must be at most 1000000, got 1000001"),
        (lambda: ds.sigmoid_betas(0), ValueError, "T must be at least 1, got 0"),
        (lambda: ds.cosine_betas(0), ValueError, "T must be at least 1, got 0"),
        (lambda: ds.cosine_betas(s=-0.1), ValueError, r"need s >= 0 and cap in \(0, 1\], got s=-0.1, cap=0.999"),
        (lambda: ds.cosine_betas(cap=0), ValueError, r"need s >= 0 and cap in \(0, 1\], got s=0.008, cap=0"),
        (lambda: ds.cosine_betas(cap=1.1), ValueError, r"need s >= 0 and cap in \(0, 1\], got s=0.008, cap=1.1"),
    ],
)
def test_parameters_outside_their_range_are_refused(make, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        make()


def test_the_ends_of_the_ranges_are_accepted():
    assert ds.cosine_betas(5, s=0, cap=1)[-1] == pytest.approx(1)
    assert len(ds.linear_betas(1, 0.99, 0.99)) == 1


@pytest.mark.parametrize(("last", "warns"), [(0.949, True), (0.9501, False)])
def test_a_table_that_ends_above_alpha_bar_0_05_warns(last, warns, recwarn):
    ds.discrete([last])
    assert len(recwarn) == warns
    if warns:
        (warning,) = recwarn
        assert str(warning.message).startswith("discrete with T = 1 ends at alpha-bar = 0.051, not in noise: increase the betas")


def test_a_table_that_ends_at_alpha_bar_0_05_does_not_warn(recwarn):
    assert ds.discrete([0.2, 0.9375]).alphas_cumprod[-1] == 0.05
    assert len(recwarn) == 0


@pytest.mark.parametrize(("make", "options"), [(ds.discrete, {"betas": [0.5]}), (ds.linear_betas, {"T": 100})])
def test_the_warning_names_the_caller_s_line(make, options):
    with pytest.warns(UserWarning, match="not in noise") as caught:
        make(**options)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize(("count", "text"), [(8, "discrete(betas=(0.9, "), (9, "discrete(9 betas from 0.9 to 0.98)")])
def test_the_repr_of_nine_betas_is_short(count, text):
    assert repr(ds.discrete([0.9 + 0.01 * i for i in range(count)])).startswith(text)


def test_a_table_is_copied_once_for_each_kind_of_tensor():
    torch = pytest.importorskip("torch")
    table = ds.linear_betas()
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        t = torch.tensor([0.3, 0.7], dtype=dtype)
        assert table(t).alpha.tolist() == pytest.approx([table(float(each)).alpha for each in t], rel=tolerance)
        first, second = table._entries_like(t), table._entries_like(t)
        assert first[0] is second[0]
        assert first[0].dtype == dtype
    assert table(torch.ones(2, device="meta")).alpha.device.type == "meta"
    assert table(torch.ones(2)).alpha.device.type == "cpu"
    assert len(table._cached) == 3


def test_a_float_time_makes_no_array():
    class Numbers(ds.linear_betas):
        def _rates(self, xp, t):
            raise AssertionError

    class Rescaled(ds.zero_terminal_snr):
        _rates = Numbers._rates

    for t in (0, 0.0, 0.5, 1.0, 1):
        assert Numbers()(t) == ds.linear_betas()(np.array([float(t)]))
        assert Rescaled(ds.linear_betas())(t) == ds.zero_terminal_snr(ds.linear_betas())(np.array([float(t)]))


def test_entries_for_a_fake_tensor_are_not_kept():
    torch = pytest.importorskip("torch")
    table = ds.linear_betas()
    table(torch.ones(2))
    with torch._subclasses.FakeTensorMode():
        assert type(table(torch.ones(2)).alpha) is torch._subclasses.FakeTensor
    assert table(torch.ones(2)).alpha.tolist() == [pytest.approx(table(1.0).alpha)] * 2
    assert len(table._cached) == 1


def test_a_table_may_start_with_betas_of_zero():
    assert ds.zero_terminal_snr(ds.discrete([0.5, 0.0, 0.9]))(1.0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("table", "betas"),
    [
        (ds.linear_betas(3, 0.1, 0.99), [0.1, 0.545, 0.99]),
        (ds.scaled_linear_betas(3, 0.01, 0.9801), [0.01, 0.297025, 0.9801]),
        (ds.cosine_betas(2, 0.0, 0.95), [0.5, 0.95]),
        (ds.cosine_betas(2, 1.0, 1.0), [1 - math.cos(3 * math.pi / 8) ** 2 / math.cos(math.pi / 4) ** 2, 1.0]),
        (ds.sigmoid_betas(3, 0.0, 1.0), [1 / (1 + math.exp(6)), 0.5, 1 / (1 + math.exp(-6))]),
        (ds.sigmoid_betas(1, 0.99, 0.99), [0.99]),
        (ds.discrete((0.25, 0.99)), [0.25, 0.99]),
        (ds.discrete(np.array([0, 1])), [0.0, 1.0]),
    ],
    ids=str,
)
def test_betas_by_hand(table, betas):
    assert list(table) == pytest.approx(betas, abs=1e-14)
    assert list(table.alphas_cumprod) == pytest.approx(np.cumprod(1 - np.array(betas)), abs=1e-14)
    assert table.timesteps == len(betas)


def test_a_table_between_two_entries_is_on_the_chord():
    table = ds.discrete([0.36, 1.0])  # (1, 0), (0.8, 0.6), (0, 1)
    assert table(0.0) == (1, 0)
    assert table(0.25) == pytest.approx((0.9 / math.sqrt(0.9), 0.3 / math.sqrt(0.9)), abs=1e-15)
    assert table(0.5) == pytest.approx((0.8, 0.6), abs=1e-15)
    assert table(0.875) == pytest.approx((0.2 / math.sqrt(0.85), 0.9 / math.sqrt(0.85)), abs=1e-15)
    assert table(1) == (0, 1)
    found = table(np.array([[0.0, 0.25], [0.875, 1.0]]))
    np.testing.assert_allclose(found.alpha, [[1, 0.9 / math.sqrt(0.9)], [0.2 / math.sqrt(0.85), 0]], atol=1e-15)


def test_golden_numbers_of_the_tables():
    bars = ds.linear_betas().alphas_cumprod
    assert bars[0] == pytest.approx(0.9999, abs=1e-12)
    assert bars[-1] == pytest.approx(4.036e-5, rel=1e-4)
    assert [ds.linear_betas()(t).snr ** -0.5 for t in (1 / 1000, 1.0)] == pytest.approx([0.0100, 157.41], rel=1e-4)
    assert [ds.scaled_linear_betas()(t).snr ** -0.5 for t in (1 / 1000, 1.0)] == pytest.approx([0.0292, 14.615], rel=2e-3)
    assert ds.sigmoid_betas().alphas_cumprod[499] == pytest.approx(0.302, abs=5e-4)
    assert ds.sigmoid()(0.5).alpha ** 2 == pytest.approx(0.5, abs=1e-12)
    assert max(ds.cosine_betas()._betas()) == 0.999


def test_a_table_is_exact_at_every_index(table):
    for i, bar in enumerate(table.alphas_cumprod):
        assert table((i + 1) / table.timesteps) == pytest.approx((math.sqrt(bar), math.sqrt(1 - bar)), rel=1e-10)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ds.discrete([]), ValueError, "betas must be a sequence of at least one number, got shape (0,)"),
        (lambda: ds.discrete(0.5), TypeError, "betas must be a sequence of numbers, or a table, got 0.5"),
        (lambda: ds.discrete([0.1, 1.5]), ValueError, "every beta must be in [0, 1], got 1.5"),
        (lambda: ds.discrete([0.1, -0.5, 2]), ValueError, "every beta must be in [0, 1], got -0.5"),
        (lambda: ds.discrete([math.nan]), ValueError, "every beta must be in [0, 1], got nan"),
        (lambda: ds.linear_betas(T=0), ValueError, "T must be at least 1, got 0"),
        (lambda: ds.linear_betas(T=10**6 + 1), ValueError, "T must be at most 1000000, got 1000001"),
        (lambda: ds.cosine_betas(T=10**12), ValueError, "T must be at most 1000000, got 1000000000000"),
        (lambda: ds.cosine_betas(cap=2), ValueError, "need s >= 0 and cap in (0, 1], got s=0.008, cap=2"),
        (lambda: ds.cosine_betas(cap=0), ValueError, "need s >= 0 and cap in (0, 1], got s=0.008, cap=0"),
        (lambda: ds.cosine_betas(s=-1), ValueError, "need s >= 0 and cap in (0, 1], got s=-1, cap=0.999"),
    ],
)
def test_bad_parameters_are_refused(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message


def test_a_table_may_be_long():
    assert ds.linear_betas(T=10**6).timesteps == 10**6


def test_a_table_that_does_not_end_in_noise_warns():
    message = r"^linear_betas with T = 100 ends at alpha-bar = 0.364, not in noise: increase the betas \(by 1000 / T"
    with pytest.warns(UserWarning, match=message):
        ds.linear_betas(T=100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds.discrete([0.9501])
    with pytest.warns(UserWarning, match=r"alpha-bar = 0.0501"):
        ds.discrete([0.9499])


def test_a_table_is_also_its_betas(table):
    betas = np.asarray(table)
    assert (len(table), betas.shape, betas.dtype) == (table.timesteps, (table.timesteps,), np.float64)
    assert (table[0], table[-1], list(table)) == (betas[0], betas[-1], list(betas))
    assert table[3:5].tolist() == betas[3:5].tolist()
    np.testing.assert_array_equal(np.cumprod(1 - table), table.alphas_cumprod)
    np.testing.assert_array_equal(np.sqrt(table) * 2.0, np.sqrt(betas) * 2)
    assert ds.discrete(table) == ds.discrete(betas)
    for t in (0.0, 0.25, 1.0):
        assert ds.discrete(table)(t) == table(t)


def test_the_repr_of_a_long_table_is_short():
    assert repr(ds.discrete([0.1, 0.5, 0.99])) == "discrete(betas=(0.1, 0.5, 0.99))"
    table_and_formula = ds.discrete(ds.linear_betas())
    assert str(table_and_formula) == "discrete(1000 betas from 0.0001 to 0.02)"
    assert str(ds.zero_terminal_snr(table_and_formula)) == f"zero_terminal_snr(schedule={table_and_formula})"
    assert "1000 betas from 4.12842e-05 to 0.999" in repr(ds.shift(ds.discrete(ds.cosine_betas()), 2.0))
