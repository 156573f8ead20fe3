"""The error of samplers at equal numbers of network evaluations: diffkit, diffusers, k-diffusion and azula.

python benchmarks/sampler_error.py (requires torch, diffusers, and `pip install --no-deps k-diffusion azula torchdiffeq torchsde`;
the table omits a library that is not installed). The network is the exact denoiser of a mixture of Gaussians. All samplers have
the same times, evenly from t = 1 to t = 0.1 on the DDPM's linear betas. The error is the root mean square of the final x over
2,000 starting points, against Heun's method with 4,000 steps.
"""

import functools
import importlib.util
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffkit_samplers import trajectory
from diffkit_samplers.testing import MixtureOracle
from diffkit_schedules import linear_betas

warnings.simplefilter("ignore")
SCHEDULE = linear_betas()
ORACLE = MixtureOracle(SCHEDULE, means=(-1.0, 0.5, 1.5), variances=(0.05, 0.1, 0.02), weights=(0.3, 0.5, 0.2))
X = torch.randn(2000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
CALLS = (10, 20, 50)


def times(steps: int) -> list[float]:
    return [1 - 0.9 * k / steps for k in range(steps + 1)]


def diffkit(method: str, steps: int) -> torch.Tensor:
    *_, last = trajectory(ORACLE, SCHEDULE, X, method=method, spacing=times(steps))
    return last.x


def diffusers(method: str, steps: int) -> torch.Tensor:
    from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

    if method == "ddim":
        scheduler = DDIMScheduler(clip_sample=False, prediction_type="sample")
        x = X
        for now, then in zip(times(steps), times(steps)[1:], strict=False):
            # diffusers' step derives the next time from the number of steps
            scheduler.num_inference_steps = round(1 / (now - then))
            if 1000 // scheduler.num_inference_steps != round(1000 * (now - then)):
                raise LookupError("no such grid")
            x = scheduler.step(ORACLE(x, now), round(1000 * now) - 1, x).prev_sample
        return x
    if method != "dpmpp_2m":
        raise LookupError("no such method on this grid")
    scheduler = DPMSolverMultistepScheduler(prediction_type="sample", lower_order_final=False, final_sigmas_type="zero")
    scheduler.set_timesteps(timesteps=[round(1000 * t) - 1 for t in times(steps)])
    x = X
    for t, index in zip(times(steps)[:-1], scheduler.timesteps, strict=False):
        x = scheduler.step(ORACLE(x, t), index, x).prev_sample
    return x


def k_diffusion(method: str, steps: int) -> torch.Tensor:
    sampling = k_sampling()
    rates = [SCHEDULE(t) for t in times(steps)]
    sigmas = torch.tensor([rate.sigma / rate.alpha for rate in rates], dtype=torch.float64)

    def model(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        k = int((sigmas - sigma[0]).abs().argmin())
        return ORACLE(x * rates[k].alpha, times(steps)[k])

    samplers = {"ddim": sampling.sample_euler, "heun": sampling.sample_heun, "dpmpp_2m": sampling.sample_dpmpp_2m}
    return samplers[method](model, X / rates[0].alpha, sigmas, disable=True) * rates[-1].alpha


@functools.cache
def k_sampling() -> types.ModuleType:
    """k-diffusion's sampling module alone: importing the package requires libraries that sampling does not use."""
    found = importlib.util.find_spec("k_diffusion")
    if found is None or found.origin is None:
        raise ImportError("k-diffusion")
    package: Any = types.ModuleType("k_diffusion")
    utils: Any = types.ModuleType("k_diffusion.utils")
    package.__path__ = [str(Path(found.origin).parent)]
    utils.append_dims = lambda x, n: x.reshape(x.shape + (1,) * (n - x.ndim))
    sys.modules |= {"k_diffusion": package, "k_diffusion.utils": utils}
    package.utils = utils
    try:
        return importlib.import_module("k_diffusion.sampling")
    except ImportError:  # what it needs is missing: the next call says so again
        del sys.modules["k_diffusion"], sys.modules["k_diffusion.utils"]
        raise


def azula(method: str, steps: int) -> torch.Tensor:
    from azula.denoise import Denoiser, DiracPosterior
    from azula.sample import DDIMSampler, HeunSampler, xEABSampler

    class Exact(Denoiser):
        def __init__(self) -> None:
            super().__init__()
            self.schedule = lambda t: tuple(SCHEDULE(t))

        def forward(self, x_t: torch.Tensor, t: torch.Tensor) -> DiracPosterior:
            return DiracPosterior(ORACLE(x_t, t.item()))

    kinds = {"ddim": DDIMSampler, "heun": HeunSampler, "dpmpp_2m": xEABSampler}
    return kinds[method](Exact(), start=1.0, stop=0.1, steps=steps, silent=True, dtype=torch.float64)(X)


def error(library: Callable[[str, int], torch.Tensor], method: str, calls: int, exact: torch.Tensor) -> str:
    steps = calls // 2 if method == "heun" else calls
    try:
        return f"{(library(method, steps) - exact).square().mean().sqrt().item():.3e}"
    except (ImportError, LookupError):
        return "-"


def main() -> None:
    exact = diffkit("heun", 4000)
    print("| method | calls | diffkit | diffusers | k-diffusion | azula |\n|---|---|---|---|---|---|")
    for method in ("ddim", "heun", "dpmpp_2m"):
        for calls in CALLS:
            row = [error(library, method, calls, exact) for library in (diffkit, diffusers, k_diffusion, azula)]
            print(f"| {method} | {calls} | " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
