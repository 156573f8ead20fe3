"""Noise sources: the number of each draw, its seed, library and dtype."""

import numpy as np
import pytest
from diffkit_samplers import ddim, ddpm, seeded, step
from diffkit_samplers.noise import STEP_OFFSET, source_for, step_noise
from diffkit_samplers.testing import GaussianOracle
from diffkit_schedules import Rates, cosine, normal, rectified


def test_a_row_depends_on_its_seed_and_the_draw_alone():
    alone, among = seeded([9]), seeded([3, 9, 4])
    for _ in range(3):
        assert (alone((1, 2, 5))[0] == among((3, 2, 5))[1]).all()
    first, second = seeded([9]), seeded([9])
    second((1, 7))
    assert (first((1, 4)) != second((1, 4))).all(), "the second draw is another"
    assert (first((1, 4)) == second((1, 4))).sum() == 0


def test_draws_have_the_dtype_of_like():
    draw = seeded([1, 2], like=np.ones(1, np.float32))((2, 3))
    assert draw.dtype == np.float32
    np.testing.assert_allclose(draw, seeded([1, 2])((2, 3)), rtol=1e-6)


def test_bad_seeds_and_shapes_are_refused():
    with pytest.raises(ValueError, match="got -1"):
        seeded([-1])
    with pytest.raises(TypeError):
        seeded((0.5,))
    with pytest.raises(ValueError, match=r"2 seeds give arrays of shape \(2, ...\), got \(3, 1\)"):
        seeded([1, 2])((3, 1))


def test_noise_in_steps_is_never_that_of_a_start():
    """N(0, 1) data in 5 steps of eta = 0.7 comes out with variance 0.54; one noise in the start and in a step made it 0.79."""
    schedule, seeds, shape = rectified(), range(4), (4, 2500)
    x, eta = seeded(seeds)(shape), 0.7
    kept, gap = ddim(GaussianOracle(schedule), schedule, x, steps=5, eta=eta, noise=seeded(seeds)), []
    assert kept.var() == pytest.approx(0.54, abs=0.02)
    step(x, x, schedule(1.0), schedule(0.5), eta=1.0, noise=lambda shape: gap.append(seeded(seeds)(shape)) or gap[-1])
    assert (gap[0] == x).all(), "a call gives what a start is"
    x_s = step(x, 0 * x, schedule(1.0), schedule(0.5), eta=1.0, noise=seeded(seeds))
    assert abs(np.corrcoef(x_s.ravel(), x.ravel())[0, 1]) < 0.05, "the noise of a step is different"


def test_a_source_never_repeats_a_draw():
    source, oracle = seeded([1, 2]), GaussianOracle(cosine())
    x = np.zeros((2, 3))
    first, second = (ddim(oracle, cosine(), x, steps=3, eta=1.0, noise=source) for _ in range(2))
    assert (first != second).all()
    assert (first == ddim(oracle, cosine(), x, steps=3, eta=1.0, noise=seeded([1, 2]))).all()


def test_each_call_and_each_step_is_the_next_draw():
    source = seeded([3, 5])
    assert (source((2, 4)) == normal([3, 5], 0, (4,))).all()
    assert (source.of_step((2, 4)) == normal([3, 5], 2**63 + 1, (4,))).all()
    assert (source((2, 1, 2)) == normal([3, 5], 2, (1, 2))).all()
    assert STEP_OFFSET == 2**63


@pytest.mark.parametrize("shape", [(), (1, 2), (3,)])
def test_a_shape_for_another_number_of_seeds_is_refused(shape):
    with pytest.raises(ValueError, match=r"^2 seeds give arrays of shape \(2, ...\), got \("):
        seeded([1, 2])(shape)


def test_a_bad_seed_is_refused_at_once():
    with pytest.raises(ValueError, match=r"^a seed and a draw must be integers in 0 ... 2\*\*64 - 1, got -1 and 0$"):
        seeded([1, -1])
    assert seeded((np.int64(3),)).seeds == [3]


def test_draws_are_converted_to_the_library_and_dtype_of_the_state():
    x = np.ones((2, 3), np.float32)
    z = source_for(x, seeded([3, 5]))((2, 3))
    assert z.dtype == np.float32
    np.testing.assert_allclose(z, normal([3, 5], 2**63, (3,)), rtol=1e-6)
    plain = source_for(x, lambda shape: np.full(shape, 2.0))((2, 3))
    assert (plain.dtype, plain.tolist()) == (np.float32, [[2.0] * 3] * 2)


def test_without_a_source_each_sample_and_each_run_has_different_noise():
    x = np.ones((2, 300), np.float32)
    source = source_for(x, None)
    first, second, other = source((2, 300)), source((2, 300)), source_for(x, None)((2, 300))
    assert first.dtype == np.float32
    assert len({each.tobytes() for each in (first[0], first[1], second[0], other[0])}) == 4
    assert abs(first.mean()) < 0.3
    assert first.std() == pytest.approx(1, abs=0.2)


def test_without_a_source_every_random_seed_is_valid():
    assert source_for(np.ones((99, 1)), None)((99, 1)).shape == (99, 1)


def test_without_a_source_torch_uses_its_global_generator():
    torch = pytest.importorskip("torch")
    x = torch.ones(2, 3, dtype=torch.float64)
    torch.manual_seed(0)
    z = source_for(x, None)((2, 3))
    torch.manual_seed(0)
    assert torch.equal(z, torch.randn((2, 3), dtype=torch.float64))
    with torch.device("meta"):
        assert source_for(x, None)((2, 3)).device.type == "cpu"


def test_noise_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"^noise must return an array of shape \(2, 3\), got \(3,\)$"):
        source_for(np.ones((2, 3)), lambda shape: np.ones(3))((2, 3))


def test_step_takes_the_noise_for_steps_of_a_source():
    zero = np.zeros((1, 3))
    z = step(zero, zero, Rates(0.0, 1.0), Rates(0.6, 0.8), eta=1.0, noise=seeded([4])) / 0.8
    np.testing.assert_allclose(z, normal([4], 2**63, (3,)), rtol=1e-12)
    assert step_noise(lambda shape: shape, (2, 3)) == (2, 3)


def test_without_a_source_each_run_has_new_noise():
    x = np.zeros((1, 4))
    first, second = (ddpm(GaussianOracle(cosine()), cosine(), x, steps=5) for _ in range(2))
    assert (first != second).all()
