"""Clipping, dynamic thresholding, inpainting and fixed_large; every wrapper with every method."""

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from diffkit_samplers import (
    METHODS,
    Denoise,
    Estimate,
    apg,
    clip,
    ddpm,
    denoiser,
    dynamic_threshold,
    encode,
    fixed_large,
    guide,
    inpaint,
    interval,
    resample,
    seeded,
    trajectory,
)
from diffkit_samplers.testing import GaussianOracle, MixtureOracle
from diffkit_schedules import cosine, karras, linear_betas, rectified, to_eps

X = np.linspace(-2.5, 2.5, 21)[:, None]


def ends(method, bound, steps):
    denoise: Denoise = MixtureOracle(cosine())
    if bound:
        denoise = clip(denoise, -bound, bound, keep_eps=cosine())
    *_, last = trajectory(denoise, cosine(), X, method=method, spacing=np.linspace(0.95, 0.05, steps + 1))
    return last.x


@cache
def limit(bound):
    """The limit of short steps: by Heun without the wrapper, where it has no effect."""
    return ends("heun", None, 1000) if bound > 1 else ends("ddim", bound, 3000)


WRAPPERS = {
    "clip": lambda denoise, schedule: clip(denoise, -1e6, 1e6),
    "clip, eps kept": lambda denoise, schedule: clip(denoise, -1e6, 1e6, keep_eps=schedule),
    "clip, twice": lambda denoise, schedule: clip(clip(denoise, -1e6, 1e6, keep_eps=schedule), -1e6, 1e6, keep_eps=schedule),
    "dynamic_threshold": lambda denoise, schedule: dynamic_threshold(denoise, 1.0, limit=1e6),
    "guide at scale 1": lambda denoise, schedule: guide(denoise, lambda x, t: 0 * x, 1.0),
    "guide, equal estimates": lambda denoise, schedule: guide(denoise, denoise, 7.5, rescale=0.7),
    "guide, equal estimates, one scale per sample": lambda denoise, schedule: guide(denoise, denoise, np.arange(3.0)),
    "guide, equal estimates, projected": lambda denoise, schedule: guide(denoise, denoise, 7.5, transform=apg(max_norm=1.0)),
    "guide, equal estimates, several": lambda denoise, schedule: guide([denoise, denoise], denoise, [3.0, -2.0]),
    "guide outside its interval": lambda denoise, schedule: guide(denoise, lambda x, t: 0 * x, interval(7.5, 0.0, 1e-9)),
    "guide at scale 1, eps kept": lambda denoise, schedule: guide(clip(denoise, -1e6, 1e6, keep_eps=schedule), denoise, 1),
    "inpaint": lambda denoise, schedule: inpaint(denoise, np.full(5, np.nan), np.zeros(5)),
    "fixed_large": lambda denoise, schedule: fixed_large(denoise),
    "resample": lambda denoise, schedule: denoise,
}


@pytest.mark.parametrize("schedule", [cosine(), linear_betas(), rectified(), karras()], ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("method", METHODS)
def test_a_wrapper_without_effect_changes_no_method(method, eta, schedule):
    oracle, x = MixtureOracle(schedule), schedule(1.0).sigma * seeded(range(3))((3, 5))

    def states(denoise, method):
        return list(trajectory(denoise, schedule, x, method=method, steps=6, eta=eta, noise=seeded(range(3))))

    alone = states(oracle, method)
    for name, wrap in WRAPPERS.items():
        if (name, eta) == ("fixed_large", 1.0):
            continue  # its effect
        around = states(wrap(oracle, schedule), resample(method, 1) if name == "resample" else method)
        for one, other in zip(alone, around, strict=True):
            np.testing.assert_allclose(other.x0, one.x0, atol=1e-9, err_msg=name)
            np.testing.assert_allclose(other.x, one.x, atol=1e-9 * schedule(1.0).sigma, err_msg=name)


METHODS_OF_ETA_0 = ["ddim", "heun", "dpmpp_2m"]


@pytest.mark.parametrize("bound", [100.0, 0.7, 0.3], ids=["inactive", "active", "more active"])
@pytest.mark.parametrize("method", METHODS_OF_ETA_0)
def test_every_method_converges_where_a_wrapper_keeps_eps(method, bound):
    if bound < 1:
        x, t = X, 0.5
        assert (clip(MixtureOracle(cosine()), -bound, bound)(x, t) != MixtureOracle(cosine())(x, t)).any(), "it is active"
    errors = [np.sqrt(((ends(method, bound, steps) - limit(bound)) ** 2).mean()) for steps in (10, 40, 160)]
    for few, many in pairwise(errors):
        assert many < few / 4**0.75, "at least first order"
    if method != "ddim" and bound > 1:
        assert errors[2] < errors[1] / 4**1.75, "second order where the wrapper has no effect"


def test_fixed_large_samples_the_data_too():
    oracle, source = GaussianOracle(linear_betas(), mean=0.7, variance=0.25), seeded(range(4))
    samples = ddpm(fixed_large(oracle), linear_betas(), source((4, 2500)), noise=source)
    assert samples.mean() == pytest.approx(0.7, abs=0.03)
    assert samples.var() == pytest.approx(0.25, rel=0.06)


def test_clip_keeps_eps_or_leaves_it_to_the_step():
    schedule, x = cosine(), np.array([[3.0]])
    wide = denoiser(lambda x, c: 0 * x, schedule, "eps")
    assert clip(wide)(x, 0.5).tolist() == [[1.0]]
    kept = clip(wide, keep_eps=schedule)(x, 0.5)
    assert isinstance(kept, Estimate)
    np.testing.assert_allclose(kept.eps, to_eps(0 * x, x, schedule(0.5), "eps"), atol=1e-14)
    with pytest.raises(ValueError, match="low must be < high, got low=1, high=1"):
        clip(wide, 1, 1)


rng = np.random.default_rng(0)


def test_dynamic_threshold_is_the_papers():
    x0 = 2 * rng.standard_normal((3, 2, 5, 5))
    out = dynamic_threshold(lambda x, t: x0, q=0.9)(x0, 0.5)
    for sample, result in zip(x0, out, strict=True):
        s = max(1.0, np.quantile(abs(sample), 0.9))
        np.testing.assert_allclose(result, np.clip(sample, -s, s) / s, atol=1e-12)
    small = 0.1 * x0
    assert (dynamic_threshold(lambda x, t: small)(small, 0.5) == small).all(), "values in range are unchanged"
    doubled = dynamic_threshold(lambda x, t: x0, q=0.9, limit=2.0)(x0, 0.5)
    assert abs(doubled).max() == pytest.approx(2.0)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_inpainting_keeps_the_known_part_and_samples_the_other(eta):
    oracle, source = GaussianOracle(cosine(), mean=0.5, variance=0.04), seeded(range(4))
    known, mask = np.full((1, 2000), 3.0), np.zeros((1, 2000))
    mask[:, :500] = 1
    x = source((4, 2000))
    states = list(trajectory(inpaint(oracle, known, mask), cosine(), x, steps=50, eta=eta, noise=source))
    assert (states[-1].x0[:, :500] == 3.0).all()
    alpha, sigma = cosine()(states[24].t)
    assert states[24].x[:, :500].mean() == pytest.approx(alpha * 3, abs=0.1), "the known part has the noise level of t"
    assert states[24].x[:, :500].std() == pytest.approx(sigma, abs=0.05)
    assert states[-1].x0[:, 500:].mean() == pytest.approx(0.5, abs=0.03)
    assert states[-1].x0[:, 500:].std() == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dynamic_threshold(None, q=0), r"q must be in \(0, 1\], got 0"),
        (lambda: dynamic_threshold(None, limit=-1), "limit must be > 0, got -1"),
        (lambda: guide(None, None, 2.0, rescale=2), r"rescale must be in \[0, 1\], got 2"),
        (
            lambda: inpaint(lambda x, t: x, np.ones((2, 3)), np.ones(3))(np.ones((1, 3)), 0.5),
            r"known must fit x_t's shape \(1, 3\), got \(2, 3\)",
        ),
        (lambda: encode(lambda x, t: x, cosine(), np.ones((1, 3)), rounds=0), "rounds must be at least 1, got 0"),
        (lambda: encode(lambda x, t: x, cosine(), np.ones((1, 3)), steps=0), "steps must be"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_clip_keeps_the_eps_and_variance_of_an_inner_wrapper():
    inner = clip(lambda x, t: Estimate(3 * x, x, 1.0))
    assert inner(np.ones(1), 0.5) == Estimate(1.0, 1.0, 1.0)


def test_every_wrapper_keeps_a_learned_variance():
    schedule, x = linear_betas(), rng.standard_normal((2, 3))

    def model(x, c, labels=None):
        return np.concatenate([0.1 * x, np.full_like(x, 0.2)], axis=1)

    learned = [denoiser(model, schedule, "v", learned_range=True, labels=np.full(2, label)) for label in (1.0, 0.0)]
    wrapped = [dynamic_threshold(learned[0]), inpaint(learned[0], 0 * x, 0 * x), guide(*learned, 2.0), clip(learned[0])]
    for denoise in wrapped:
        np.testing.assert_allclose(denoise(x, 0.5).variance_interpolation, 0.6)


def test_known_data_outside_the_mask_are_ignored():
    known, mask = np.array([[1.0, np.nan, np.inf]]), np.array([1.0, 0.0, 0.0])
    assert inpaint(lambda x, t: 0 * x, known, mask)(np.ones((1, 3)), 0.5).tolist() == [[1.0, 0.0, 0.0]]
    assert inpaint(lambda x, t: 0 * x, np.ones(3), np.array([0.25, 0, 1]))(np.ones((1, 3)), 0.5).tolist() == [[0.25, 0.0, 1.0]]


@pytest.mark.parametrize("eta", [0.0, 0.5])
def test_fixed_large_changes_nothing_below_eta_one(eta):
    step = {"method": "ddim", "spacing": [0.8, 0.4], "eta": eta}
    x = rng.standard_normal((2, 3))
    one, other = (
        next(trajectory(denoise, cosine(), x, noise=seeded([1, 2]), **step)).x
        for denoise in (GaussianOracle(cosine()), fixed_large(GaussianOracle(cosine())))
    )
    assert (one == other).all()


@pytest.mark.parametrize(
    ("q", "limit", "s"),
    [
        (1.0, 1.0, 4.0),
        (0.5, 1.0, 2.0),
        (0.625, 1.0, 2.5),
        (0.01, 0.5, 0.5),
        (0.01, 3.0, 3.0),
        (0.375, 0.5, 1.5),
        (0.99, 1.0, 3.96),
    ],
)
def test_the_threshold_is_an_interpolated_quantile(q, limit, s):
    x0 = np.array([[0.0, -1.0, 2.0, 3.0, -4.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    for shape in ((2, 5), (2, 1, 5), (2, 5, 1, 1)):
        found = dynamic_threshold(lambda x, t: x, q, limit)(x0.reshape(shape), 0.5)
        assert found.shape == shape
        np.testing.assert_allclose(found.reshape(2, 5), np.clip(x0, -s, s) * limit / s, rtol=1e-12)


def test_the_threshold_of_tensors_is_that_of_arrays():
    torch = pytest.importorskip("torch")
    x0 = 2 * rng.standard_normal((2, 3, 4))
    found = dynamic_threshold(lambda x, t: x, 0.7)(torch.asarray(x0), 0.5)
    np.testing.assert_allclose(found.numpy(), dynamic_threshold(lambda x, t: x, 0.7)(x0, 0.5), rtol=1e-12)


def test_defaults_and_limits_of_the_threshold():
    x0 = np.linspace(0, 10, 1001)[None]
    found: Any = dynamic_threshold(lambda x, t: x)(x0, 0.5)
    assert (found == dynamic_threshold(lambda x, t: x, 0.995, 1.0)(x0, 0.5)).all()
    np.testing.assert_allclose(found[0, 500], 5 / 9.95)
    for q in (0.0, 1.01):
        with pytest.raises(ValueError, match=rf"^q must be in \(0, 1\], got {q}$"):
            dynamic_threshold(None, q)
    with pytest.raises(ValueError, match=r"^limit must be > 0, got 0$"):
        dynamic_threshold(None, limit=0)


def test_dynamic_threshold_keeps_eps_and_variance():
    found = dynamic_threshold(lambda x, t: Estimate(4 * x, 3 * x, 0.5), 1.0)(np.ones((1, 2)), 0.5)
    assert (found.x0.tolist(), found.eps.tolist(), found.variance_interpolation) == ([[1.0, 1.0]], [[3.0, 3.0]], 0.5)


def test_fixed_large_changes_the_variance_alone():
    x = np.ones((1, 2))
    x0, eps, spread = fixed_large(lambda x, t: Estimate(t * x, 3 * x, 0.5))(x, 0.25)
    assert (x0.tolist(), eps.tolist(), spread) == ([[0.25, 0.25]], [[3.0, 3.0]], 1.0)


def test_clip_is_at_plus_and_minus_one_by_default_and_passes_the_time_on():
    x = np.array([[-9.0, -1.0, 0.5, 9.0]])
    assert clip(lambda x, t: x)(x, 0.5).tolist() == [[-1.0, -1.0, 0.5, 1.0]]
    assert clip(lambda x, t: x, -2, 3)(x, 0.5).tolist() == [[-2.0, -1.0, 0.5, 3.0]]
    kept = clip(lambda x, t: t * x, keep_eps=rectified())(x, 0.25)
    np.testing.assert_allclose(kept.eps, (x - 0.75 * 0.25 * x) / 0.25)
    assert kept.x0.tolist() == [[-1.0, -0.25, 0.125, 1.0]]
    assert (clip(lambda x, t: Estimate(x, 2 * x), keep_eps=rectified())(x, 0.25).eps == 2 * x).all(), (
        "an eps that is kept already"
    )


def test_inpainting_is_computed_in_the_dtype_of_the_state():
    x0, known = rng.standard_normal((2, 1, 100)).astype(np.float32)
    part = np.float32(0.3)
    assert (inpaint(lambda x, t: x, known, np.full(1, 0.3))(x0, 0.5) == part * known + (1 - part) * x0).all()


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_shapes_that_do_not_fit_are_named(library):
    ones = pytest.importorskip(library).ones
    for known, mask, wrong in (((3, 8), (4, 8), "known"), ((4, 8), (2, 4, 8), "mask")):
        with pytest.raises(ValueError, match=f"^{wrong} must fit x_t's shape"):
            inpaint(lambda x, t: x, ones(known), ones(mask))(ones((4, 8)), 0.5)
    with pytest.raises(ValueError, match=r"^scale must fit x_t's shape \(4, 8\), got \(3, 1\)$"):
        guide(lambda x, t: x, lambda x, t: 0 * x, 2 * ones(3))(ones((4, 8)), 0.5)


def test_data_of_numpy_are_converted_to_a_torch_state():
    x = pytest.importorskip("torch").zeros((2, 3))
    found = inpaint(lambda x, t: x + 5, np.array([1.0, 2.0, 3.0]), np.array([True, False, True]))(x, 0.5)
    assert (found.tolist(), found.dtype) == ([[1.0, 5.0, 3.0]] * 2, x.dtype)


def test_inpainting_interpolates_by_the_mask_and_drops_a_kept_eps():
    x, known = np.array([[1.0, 2.0, 3.0]]), np.array([[10.0, 20.0, 30.0]])
    found = inpaint(lambda x, t: Estimate(t * x, x, 0.5), known, np.array([1.0, 0.25, 0.0]))(x, 0.5)
    assert (found.x0.tolist(), found.eps, found.variance_interpolation) == ([[10.0, 5.75, 1.5]], None, 0.5)
    narrow = inpaint(lambda x, t: x, known, np.array([1, 1, 0]))(x.astype(np.float32), 0.5)
    assert (narrow.dtype, narrow.tolist()) == (np.float32, [[10.0, 20.0, 3.0]])
    with pytest.raises(ValueError, match=r"^known must fit x_t's shape \(1, 3\), got \(2, 3\)$"):
        inpaint(lambda x, t: x, np.ones((2, 3)), np.ones(3))(x, 0.5)
