"""Where random numbers come from: which draw each is, and in whose library and type."""

import numpy as np
import pytest
from diffkit_samplers import seeded, step
from diffkit_samplers.noise import OF_STEPS, drawn, source_for
from diffkit_schedules import Rates, normal


def test_each_call_and_each_step_is_the_next_draw():
    source = seeded([3, 5])
    assert (source((2, 4)) == normal([3, 5], 0, (4,))).all()
    assert (source.of_step((2, 4)) == normal([3, 5], 2**63 + 1, (4,))).all()
    assert (source((2, 1, 2)) == normal([3, 5], 2, (1, 2))).all()
    assert OF_STEPS == 2**63


@pytest.mark.parametrize("shape", [(), (1, 2), (3,)])
def test_a_shape_for_another_number_of_seeds_is_refused(shape):
    with pytest.raises(ValueError, match=r"^2 seeds draw shapes \(2, ...\), got \("):
        seeded([1, 2])(shape)


def test_a_bad_seed_is_refused_at_once():
    with pytest.raises(ValueError, match=r"^a seed and a draw must be integers in 0 ... 2\*\*64 - 1, got -1 and 0$"):
        seeded([1, -1])
    assert seeded([np.int64(3)]).seeds == [3]


def test_draws_are_taken_over_to_the_state():
    x = np.ones((2, 3), np.float32)
    z = source_for(x, seeded([3, 5]))((2, 3))
    assert z.dtype == np.float32
    np.testing.assert_allclose(z, normal([3, 5], 2**63, (3,)), rtol=1e-6)
    plain = source_for(x, lambda shape: np.full(shape, 2.0))((2, 3))
    assert (plain.dtype, plain.tolist()) == (np.float32, [[2.0] * 3] * 2)


def test_without_a_source_each_sample_and_each_run_has_its_own():
    x = np.ones((2, 300), np.float32)
    source = source_for(x, None)
    first, second, other = source((2, 300)), source((2, 300)), source_for(x, None)((2, 300))
    assert first.dtype == np.float32
    assert len({each.tobytes() for each in (first[0], first[1], second[0], other[0])}) == 4
    assert abs(first.mean()) < 0.3
    assert first.std() == pytest.approx(1, abs=0.2)


def test_without_a_source_torch_draws_from_its_own():
    torch = pytest.importorskip("torch")
    x = torch.ones(2, 3, dtype=torch.float64)
    torch.manual_seed(0)
    z = source_for(x, None)((2, 3))
    torch.manual_seed(0)
    assert torch.equal(z, torch.randn((2, 3), dtype=torch.float64))
    with torch.device("meta"):
        assert source_for(x, None)((2, 3)).device.type == "cpu"


def test_a_draw_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"^noise must give an array of the shape \(2, 3\) it is asked for, got \(3,\)$"):
        source_for(np.ones((2, 3)), lambda shape: np.ones(3))((2, 3))


def test_a_step_asks_a_source_for_a_step_s_draw():
    zero = np.zeros((1, 3))
    z = step(zero, zero, Rates(0.0, 1.0), Rates(0.6, 0.8), eta=1.0, noise=seeded([4])) / 0.8
    np.testing.assert_allclose(z, normal([4], 2**63, (3,)), rtol=1e-12)
    assert drawn(lambda shape: shape, (2, 3)) == (2, 3)
