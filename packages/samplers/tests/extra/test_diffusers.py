"""Each step against the diffusers library, from the same state and with the same noise.

Where N divides T and the spacing is leading or trailing both visit the same levels. Elsewhere diffusers' DDIM subtracts
T // N from the index instead of taking the next entry of its timesteps; the steps in which they differ are counted below.
"""

import sys
import warnings
from itertools import pairwise

import diffkit_samplers as dk
import diffkit_schedules as ds
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DEISMultistepScheduler,
    LCMScheduler,
    LMSDiscreteScheduler,
    TCDScheduler,
    UniPCMultistepScheduler,
)

DIVISORS = [n for n in range(1, 1001) if 1000 % n == 0]
BETAS = ["linear", "scaled_linear", "squaredcos_cap_v2"]
PREDICTIONS = ["epsilon", "sample", "v_prediction"]
X = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def network(x, index):
    """Some smooth function of both."""
    t = index.reshape(-1, 1, 1, 1).to(x.dtype) / 1000
    return torch.sin(x * (1 + t)) - 0.3 * t * x


def ours_and_theirs(kind, betas, prediction, **options):
    clipping = {"clip_sample": False} if kind in (DDIMScheduler, DDPMScheduler) else {}
    theirs = kind(beta_schedule=betas, prediction_type=prediction, **clipping, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schedule, name = ds.from_diffusers(theirs)
    return theirs, schedule, dk.denoiser(network, schedule, name, "index")


def close(ours, theirs, tolerance):
    assert ((ours - theirs).abs().max() / theirs.abs().max()).item() < tolerance


@pytest.mark.parametrize("spacing", ["leading", "trailing"])
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("betas", BETAS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)], ids=["float32", "float64"])
def test_ddim_step_by_step(dtype, tolerance, betas, prediction, spacing):
    theirs, schedule, denoise = ours_and_theirs(DDIMScheduler, betas, prediction, timestep_spacing=spacing)
    if dtype == torch.float64:  # their table is made in float32; in float64 it is ours
        theirs.alphas_cumprod = torch.tensor(schedule.alphas_cumprod)
        theirs.final_alpha_cumprod = torch.tensor(1.0, dtype=torch.float64)
    for steps in DIVISORS:
        theirs.set_timesteps(steps)
        x = X.to(dtype)
        states = dk.trajectory(denoise, schedule, x, steps=steps, spacing=spacing)
        times = dk.grid(schedule, steps, spacing)
        assert [round(1000 * t) - 1 for t in times[:-1]] == theirs.timesteps.tolist()
        if steps > 100:  # a few steps of a long run, each from the same state
            pairs = list(pairwise(times))[:: steps // 20]
        else:
            pairs = list(pairwise(times))
            close(list(states)[-1].x, run(theirs, x), 20 * tolerance)
        for now, then in pairs:
            index = torch.tensor(round(1000 * now) - 1)
            step = theirs.step(network(x, index), index, x)
            ours = dk.step(x, denoise(x, now), schedule(now), schedule(then))
            close(ours, step.prev_sample, tolerance)
            close(denoise(x, now), step.pred_original_sample, tolerance)
            x = step.prev_sample


def run(theirs, x):
    for index in theirs.timesteps:
        x = theirs.step(network(x, index), index, x).prev_sample
    return x


@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_ddim_with_noise(eta):
    theirs, schedule, denoise = ours_and_theirs(DDIMScheduler, "linear", "epsilon", timestep_spacing="trailing")
    theirs.set_timesteps(20)
    x, draws = X.float(), torch.Generator().manual_seed(1)
    times = dk.grid(schedule, 20, "trailing")
    for now, then in pairwise(times):
        index = torch.tensor(round(1000 * now) - 1)
        z = torch.randn(x.shape, generator=draws)
        step = theirs.step(network(x, index), index, x, eta=eta, variance_noise=z)
        close(dk.step(x, denoise(x, now), schedule(now), schedule(then), eta=eta, noise=z), step.prev_sample, 1e-5)
        x = step.prev_sample


@pytest.mark.parametrize("keep_eps", [True, False])
def test_ddim_with_clipping(keep_eps):
    theirs = DDIMScheduler(clip_sample=True, clip_sample_range=0.8, timestep_spacing="trailing")
    schedule = ds.linear_betas()
    denoise = dk.clip(dk.denoiser(network, schedule, "eps", "index"), -0.8, 0.8, keep_eps=schedule if keep_eps else None)
    theirs.set_timesteps(10)
    x = X.float()
    for state in dk.trajectory(denoise, schedule, x, steps=10):
        index = theirs.timesteps[round(10 - 10 * state.t) - 1]
        x = theirs.step(network(x, index), index, x, use_clipped_model_output=not keep_eps).prev_sample
        close(state.x, x, 1e-4)


class Draws:
    """Each normal draw of a generator, for both sides."""

    def __init__(self, dtype=torch.float64):
        self.dtype = dtype
        self.theirs, self.ours = torch.Generator().manual_seed(2), torch.Generator().manual_seed(2)

    def __call__(self, shape):
        return torch.randn(shape, generator=self.ours, dtype=self.dtype)


@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large"])
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("betas", BETAS)
@pytest.mark.parametrize("steps", [4, 50, 1000])
def test_ddpm_with_the_same_noises(steps, betas, prediction, variance):
    options = {"variance_type": variance, "timestep_spacing": "trailing"}
    theirs, schedule, denoise = ours_and_theirs(DDPMScheduler, betas, prediction, **options)
    theirs.alphas_cumprod, theirs.one = torch.tensor(schedule.alphas_cumprod), torch.tensor(1.0, dtype=torch.float64)
    theirs.set_timesteps(steps)
    x, draws = X, Draws()
    for now, then in pairwise(dk.grid(schedule, steps, "trailing")):
        if then == 0.0 and variance == "fixed_large" and steps < 1000:
            break  # they add noise in this last step too, as its index is not 0
        index = torch.tensor(round(1000 * now) - 1)
        expected = theirs.step(network(x, index), index, x, generator=draws.theirs).prev_sample
        spread = float(variance == "fixed_large")
        ours = dk.step(x, denoise(x, now), schedule(now), schedule(then), eta=1.0, noise=draws, variance_interpolation=spread)
        close(ours, expected, 1e-9)
        x = expected


def test_ddpm_with_a_learned_range():
    theirs = DDPMScheduler(variance_type="learned_range", clip_sample=False, timestep_spacing="trailing")
    schedule = ds.linear_betas()

    def model(x, index):
        return torch.cat([network(x, index), torch.tanh(x)], dim=1)

    denoise = dk.denoiser(model, schedule, "eps", "index", learned_range=True)
    theirs.set_timesteps(50)
    x, draws = X.float(), Draws(torch.float32)
    for state, index in zip(dk.trajectory(denoise, schedule, x, steps=50, eta=1.0, noise=draws), theirs.timesteps, strict=True):
        x = theirs.step(model(x, index), index, x, generator=draws.theirs).prev_sample
        close(state.x, x, 1e-4)


@pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # in their set_timesteps
@pytest.mark.parametrize("betas", BETAS)
@pytest.mark.parametrize(
    ("method", "kind", "order"),
    [
        ("deis_2", DEISMultistepScheduler, 2),
        ("unipc_2", UniPCMultistepScheduler, 2),
        ("unipc_3", UniPCMultistepScheduler, 3),
        ("deis", DEISMultistepScheduler, 3),
    ],
)
def test_multistep_methods_step_by_step(method, kind, order, betas):
    options = {"solver_order": order, "lower_order_final": False, "timestep_spacing": "trailing"}
    theirs, schedule, denoise = ours_and_theirs(kind, betas, "epsilon", **options)
    theirs.set_timesteps(10)
    x = expected = X.float()
    states = dk.trajectory(denoise, schedule, x, method=method, steps=10)
    for state, index in zip(list(states)[:-1], theirs.timesteps, strict=False):  # they have no lambda at the last level, 0
        expected = theirs.step(network(expected, index), index, expected).prev_sample
        close(state.x, expected, 1e-3)


@pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # in their table
@pytest.mark.parametrize("betas", BETAS)
@pytest.mark.parametrize(("method", "order"), [("lms_3", 3), ("lms", 4)])
def test_lms_step_by_step(method, order, betas):
    theirs, schedule, denoise = ours_and_theirs(LMSDiscreteScheduler, betas, "epsilon", timestep_spacing="trailing")
    theirs.set_timesteps(10)
    x = X.float()
    expected = x / schedule(1.0).alpha  # their state
    for state, index in zip(dk.trajectory(denoise, schedule, x, method=method, steps=10), theirs.timesteps, strict=True):
        eps = network(theirs.scale_model_input(expected, index), index)
        expected = theirs.step(eps, index, expected, order=order).prev_sample
        close(state.x, expected * schedule(state.t).alpha, 1e-3)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("steps", [1, 4, 8])
def test_lcm_step_by_step(prediction, steps, monkeypatch):
    theirs, schedule, denoise = ours_and_theirs(LCMScheduler, "scaled_linear", prediction)
    compare_with_noise(theirs, schedule, denoise, monkeypatch, method="lcm", eta=1.0, steps=steps)


@pytest.mark.parametrize("gamma", [0.0, 0.3, 0.75])
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_tcd_step_by_step(prediction, gamma, monkeypatch):
    theirs, schedule, denoise = ours_and_theirs(TCDScheduler, "scaled_linear", prediction)
    compare_with_noise(theirs, schedule, denoise, monkeypatch, method="tcd", eta=gamma, steps=4)


def compare_with_noise(theirs, schedule, denoise, monkeypatch, *, method, eta, steps):
    """Each step of the timesteps of diffusers, with the same noise.

    LCM there scales x0 by 1 - 7e-6 or more; TCD there ends at the first entry of the table, not at x0.
    """
    z = torch.randn(X.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    monkeypatch.setattr(sys.modules[type(theirs).__module__], "randn_tensor", lambda *_, **__: z)
    options = {"eta": eta} if method == "tcd" else {}
    theirs.set_timesteps(steps)
    times = [(int(index) + 1) / 1000 for index in theirs.timesteps] + [0.0]
    x = X
    for (now, then), index in zip(pairwise(times), theirs.timesteps, strict=True):
        (ours,) = dk.trajectory(denoise, schedule, x, method=method, spacing=[now, then], eta=eta, noise=lambda shape: z)
        step = theirs.step(network(x, index), index, x, **options)
        if then or method == "lcm":
            close(ours.x if then else ours.x0, step.prev_sample, 2e-5)
        x = step.prev_sample
