"""Functions on arrays, standard normal rows, and conditions."""

import math

import diffkit_schedules as ds
import numpy as np
import pytest
from diffkit_schedules.arrays import is_concrete


def test_namespace():
    assert ds.namespace(np.ones(1)).__name__ == "array_api_compat.numpy"
    assert not ds.is_torch(np.ones(1))
    for wrong in ([1.0], 1.0, None):
        with pytest.raises(
            TypeError, match=f"^expected a torch, NumPy, JAX or other array API array, got {type(wrong).__name__}$"
        ):
            ds.namespace(wrong)


def test_as_array_of():
    like = np.ones(2, np.float32)
    same = np.zeros(3, np.float32)
    assert ds.as_array_of(same, like) is same
    assert ds.as_array_of(same, like, np.float64).dtype == np.float64
    assert ds.as_array_of(np.zeros(3), like).dtype == np.float32
    assert ds.as_array_of([[1, 2]], like).tolist() == [[1.0, 2.0]]


def test_filled():
    full = ds.filled([2, 3], 0.5, np.ones(1, np.float32))
    assert (full.shape, full.dtype, set(full.ravel().tolist())) == ((2, 3), np.float32, {0.5})
    assert ds.filled((1,), 7, np.ones(1, np.float32), np.int64).dtype == np.int64


def test_combine():
    x, y = np.array([1.0, 2.0]), np.array([10.0, 20.0])
    assert ds.combine(2.0, x, 0.5, y).tolist() == [7, 14]
    assert ds.combine(2, x, -1, y).tolist() == [-8, -16]
    endless = np.array([math.inf, math.nan])
    assert ds.combine(0.0, endless, 0.5, y).tolist() == [5, 10]
    assert ds.combine(2.0, x, 0, endless).tolist() == [2, 4]
    assert ds.combine(1.0, x.astype("f2"), 1.0, y.astype("f2")).dtype == np.float16


def test_a_row_depends_on_its_seed_and_draw():
    expected = [np.random.Generator(np.random.Philox(key=np.array([s, 3], np.uint64))).standard_normal(6) for s in (7, 2**64 - 1)]
    rows = ds.normal([7, 2**64 - 1], 3, (2, 3))
    assert (rows.shape, rows.dtype) == ((2, 2, 3), np.float64)
    assert rows.reshape(2, 6).tolist() == np.array(expected).tolist()
    assert ds.normal([], 0, (2,)).shape == (0, 2)
    assert ds.normal((np.int64(7),), 3, ()).tolist() == [expected[0][0]]


def test_a_short_row_is_the_start_of_a_long_one():
    count = 2**15
    assert ds.normal([5, 6], 1, (count,)).tolist() == [ds.normal([seed], 1, (count,))[0].tolist() for seed in (5, 6)]


def test_noise_rows_are_standard_normal_and_independent():
    rows = np.concatenate([ds.normal(range(3), draw, (20000,)) for draw in range(3)])
    assert abs(rows.mean(axis=1)).max() < 4 / np.sqrt(20000)
    assert abs(np.corrcoef(rows) - np.eye(9)).max() < 5 / np.sqrt(20000)
    for bad in (-1, 2**64):
        with pytest.raises(ValueError, match=rf"^a seed and a draw must be integers in 0 ... 2\*\*64 - 1, got {bad} and 0$"):
            ds.normal([bad], 0, (1,))
        with pytest.raises(ValueError, match=f"got 0 and {bad}$"):
            ds.normal([0], bad, (1,))
    with pytest.raises(TypeError, match="float"):
        ds.normal((0.5,), 0, (1,))


def test_conditions():
    schedule = ds.linear_betas()
    alpha, sigma = schedule(0.3)
    expected = {"variance": sigma**2, "sigma": sigma, "time": 0.3, "log_snr": 2 * np.log(alpha / sigma), "index": 299}
    assert set(expected) == set(ds.CONDITIONS)
    for condition, value in expected.items():
        assert ds.condition_value(schedule, 0.3, condition) == pytest.approx(value, rel=1e-12)
        assert ds.condition_value(schedule, np.array([0.3]), condition)[0] == pytest.approx(value, rel=1e-12)
    assert ds.CONDITIONS == ("variance", "sigma", "time", "log_snr", "index")
    assert [ds.condition_value(ds.cosine(), t, "index") for t in (0.0, 0.5, 1)] == [-1, 499, 999]
    assert ds.condition_value(ds.rectified(), 0.25, "sigma") == 0.25
    assert (ds.timesteps_of(ds.cosine()), ds.timesteps_of(ds.linear_betas(T=500, end=0.04))) == (1000, 500)
    names = "'variance', 'sigma', 'time', 'log_snr', 'index'"
    with pytest.raises(ValueError, match=f"^condition must be one of {names}; got 'noise'$"):
        ds.condition_value(schedule, 0.3, "noise")


def test_an_array_with_the_wanted_dtype_and_device_is_returned_itself():
    x = np.ones(2, np.float32)
    assert ds.as_array_of(x, np.zeros(1, np.float32)) is x
    assert ds.as_array_of(x, np.zeros(1)).dtype == np.float64
    assert ds.as_array_of(x, np.zeros(1, np.float32), np.float64).dtype == np.float64
    torch = pytest.importorskip("torch")
    with_graph = torch.ones(2, requires_grad=True)
    assert ds.as_array_of(with_graph, torch.ones(1, requires_grad=True)) is with_graph
    assert ds.as_array_of(torch.ones(2), torch.zeros(1, device="meta")).device.type == "meta"
    assert ds.as_array_of(x, torch.zeros(1)).dtype == torch.float32


def test_an_array_traced_by_jax_is_converted_without_a_device():
    jax = pytest.importorskip("jax")
    like = jax.numpy.ones(2)
    found = jax.vmap(lambda x: ds.as_array_of(x, like, np.float16))(jax.numpy.asarray([1.0, 2.0]))
    assert (found.dtype, found.tolist()) == (np.float16, [1.0, 2.0])


def test_the_host_does_not_wait_for_a_copy_to_a_device():
    torch = pytest.importorskip("torch")
    from torch.utils._python_dispatch import TorchDispatchMode

    class Copies(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if "_to_copy" in str(func) and str(kwargs.get("device")) == "meta":
                seen.append(kwargs["non_blocking"])
            return func(*args, **(kwargs or {}))

    seen: list[tuple[str, bool]] = []
    with Copies():
        found = ds.as_array_of(np.ones(2), torch.zeros(1, device="meta"), torch.float32)
    assert (seen, found.device.type, found.dtype) == ([True], "meta", torch.float32)


def test_new_arrays_are_on_the_device_of_like():
    torch = pytest.importorskip("torch")
    like = torch.zeros(1, dtype=torch.float64)
    with torch.device("meta"):
        for made in (ds.as_array_of([1.0, 2.0], like), ds.filled((2,), 1.0, like), ds.filled((2,), 1, like, torch.int64)):
            assert (made.device.type, made.shape) == ("cpu", (2,))


def test_seeds_and_draws_have_64_bits():
    assert ds.normal([2**64 - 1], 2**64 - 1, (2,)).shape == (1, 2)
    for seed, draw in ((2**64, 0), (0, 2**64), (-1, 0), (0, -1)):
        with pytest.raises(ValueError, match=f"got {seed} and {draw}$"):
            ds.normal([seed], draw, (1,))


def test_rows_by_threads_equal_rows_without():
    seeds = [3, 4, 5]
    assert (ds.normal(seeds, 2, (30_000,))[:, :10] == ds.normal(seeds, 2, (10,))).all()


def test_a_table_is_kept_for_plain_tensors_alone():
    torch = pytest.importorskip("torch")
    assert is_concrete(torch.ones(1))
    assert not is_concrete(torch.nn.Parameter(torch.ones(1)))
    table, seen = ds.linear_betas(), []
    torch.func.functionalize(lambda t: seen.append(is_concrete(t)) or table(t).alpha)(torch.ones(1))
    assert seen == [False]
    assert table._cached == {}
