"""Each table made anew and read against its formula in plain Python, entry by entry and between the entries."""

import copy
import math
import pickle

import diffkit_schedules as ds
import numpy as np
import pytest


def written_out(table):
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
    table, betas = written_out(name)
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
    table, betas = written_out(name)
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
def test_the_defaults_are_the_papers(table, steps, first, last):
    made = table()
    assert (len(made), made[0], made[-1]) == (steps, pytest.approx(first, rel=1e-9), pytest.approx(last, rel=1e-9))


def test_a_table_is_its_array():
    table = ds.linear_betas(5, 0.1, 0.9)
    assert np.asarray(table, dtype=np.float32).dtype == np.float32
    assert np.add(table, table).tolist() == (np.asarray(table) * 2).tolist()
    assert np.add.reduce(table) == pytest.approx(2.5)
    assert (1 - table).tolist() == [1 - beta for beta in table]
    assert (table[1:3].tolist(), table[4]) == (list(table)[1:3], list(table)[4])
    assert np.add(table, 1.0, dtype=np.float32).dtype == np.float32
    assert np.multiply.outer(table, [1.0, 2.0]).shape == (5, 2)
    assert np.add(table, [[1.0]] * 2).shape == (2, 5)
    changed = np.asarray(table)
    changed[0] = 7
    assert table[0] == pytest.approx(0.1)


def test_a_copy_takes_no_arrays_along():
    torch = pytest.importorskip("torch")
    table = ds.linear_betas()
    table(torch.linspace(0, 1, 4))
    assert len(table._placed) == 1
    for other in (copy.deepcopy(table), pickle.loads(pickle.dumps(table))):
        assert (other, other._placed, other(0.3)) == (table, {}, table(0.3))


def test_a_shifted_table_keeps_alpha_bar_as_its_rates_have_it():
    shifted = ds.shift(ds.linear_betas(5, 0.1, 0.9), 3.0)
    assert shifted.alphas_cumprod.dtype == np.float64
    for i, bar in enumerate(shifted.alphas_cumprod):
        assert shifted((i + 1) / 5).alpha ** 2 == pytest.approx(bar, rel=1e-9)


def test_a_table_that_begins_and_ends_in_noise_has_nothing_to_rescale():
    with pytest.raises(ValueError, match=r"^zero_terminal_snr needs alpha to fall along the table, got 0 at both of its ends$"):
        ds.zero_terminal_snr(ds.discrete([1.0, 0.5]))


def test_after_pure_noise_a_rescaled_table_has_betas_of_one():
    assert list(ds.zero_terminal_snr(ds.discrete([0.5, 1.0, 0.5]))) == [pytest.approx(0.5), 1.0, 1.0]


@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_a_beta_may_be_at_either_end(beta):
    assert ds.discrete([beta, 1.0])[0] == beta


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ds.discrete(5), TypeError, "betas must be a sequence of numbers, or a table, got 5"),
        (lambda: ds.discrete([]), ValueError, r"betas must be a sequence of at least one number, got shape \(0,\)"),
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
def test_refusals(make, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        make()


def test_the_ends_of_the_ranges_are_taken():
    assert ds.cosine_betas(5, s=0, cap=1)[-1] == pytest.approx(1)
    assert len(ds.linear_betas(1, 0.99, 0.99)) == 1


@pytest.mark.parametrize(("last", "warns"), [(0.949, True), (0.9501, False)])
def test_a_table_that_leaves_more_than_a_twentieth_warns(last, warns, recwarn):
    ds.discrete([last])
    assert len(recwarn) == warns
    if warns:
        (warning,) = recwarn
        assert str(warning.message).startswith(
            "discrete with T = 1 ends at alpha-bar = 0.051, which is not noise: raise the betas"
        )


@pytest.mark.parametrize(("count", "text"), [(8, "discrete(betas=(0.9, "), (9, "discrete(9 betas from 0.9 to 0.98)")])
def test_a_table_of_nine_is_said_in_short(count, text):
    assert repr(ds.discrete([0.9 + 0.01 * i for i in range(count)])).startswith(text)


def test_a_table_is_beside_each_kind_of_tensor_once():
    torch = pytest.importorskip("torch")
    table = ds.linear_betas()
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        t = torch.tensor([0.3, 0.7], dtype=dtype)
        assert table(t).alpha.tolist() == pytest.approx([table(float(each)).alpha for each in t], rel=tolerance)
        first, second = table._entries_beside(t), table._entries_beside(t)
        assert first[0] is second[0]
        assert first[0].dtype == dtype
    assert table(torch.ones(2, device="meta")).alpha.device.type == "meta"
    assert table(torch.ones(2)).alpha.device.type == "cpu"
    assert len(table._placed) == 3


def test_a_table_may_stand_still_before_it_falls():
    assert ds.zero_terminal_snr(ds.discrete([0.5, 0.0, 0.9]))(1.0) == (0.0, 1.0)
