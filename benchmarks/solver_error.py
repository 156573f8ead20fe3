"""The error of each solver at few evaluations, and of other libraries': python benchmarks/solver_error.py [--network NAME].

Requires what `sampler_error.py` does, and einops for azula. The data are the same mixture of Gaussians, or with --network a
network that comes with `diffkit`; all are run from t = 1, or 0.99 where no signal is left at 1, to t = 0.01 at levels evenly
spaced in t ("uniform") or in (sigma / alpha)^(1/7) ("karras"), and the error is the root mean square of x there, against Heun's
method with 1,000 steps (100 of "karras" for a network). A method that makes two evaluations a step has half the steps.
"""

import sys
from collections.abc import Callable
from functools import partial

import sampler_error as peers  # type: ignore[import-not-found]  # beside this script
import torch
from diffkit_samplers import METHODS, Sampler, seeded, trajectory
from diffkit_schedules import rates_at, times_of
from torch import Tensor

CALLS = (5, 8, 12, 20)
LAST = 0.01
OURS = ("ddim", "heun", "dpmpp_2m", "dpmpp_3m", "deis", "deis_2", "unipc_2", "unipc_3", "ab_2", "ab_3", "lms", "lms_3")
K_DIFFUSION = ("sample_euler", "sample_heun", "sample_lms", "sample_dpmpp_2m", "sample_dpm_2")
AZULA = ("DDIMSampler", "HeunSampler", "zABSampler", "vABSampler", "zEABSampler", "xEABSampler", "REABSampler")
TWO_CALLS = ("heun", "sample_heun", "sample_dpm_2", "HeunSampler")


def first() -> float:
    return 1.0 if peers.SCHEDULE(1.0).alpha > 0 else 0.99


def times(steps: int, spacing: str) -> list[float]:
    if spacing == "uniform":
        return [first() - (first() - LAST) * k / steps for k in range(steps + 1)]
    ends = [(rate.sigma / rate.alpha) ** (1 / 7) for rate in (rates_at(peers.SCHEDULE, t) for t in (first(), LAST))]
    ratios = [(ends[0] + k / steps * (ends[1] - ends[0])) ** 7 for k in range(steps + 1)]
    found = times_of(peers.SCHEDULE, [-2 * float(torch.tensor(ratio, dtype=torch.float64).log()) for ratio in ratios])
    return [first(), *found[1:-1], LAST]


def ours(method: str | Sampler, grid: list[float]) -> Tensor:
    *_, last = trajectory(peers.ORACLE, peers.SCHEDULE, peers.X, method=method, spacing=grid)
    return last.x


def diffusers(kind: str, order: int, grid: list[float]) -> Tensor:
    """A scheduler's updates with the levels of our grid, in float64, at any of its times."""
    import diffusers as library

    options = {"solver_order": order, "prediction_type": "sample", "lower_order_final": False}
    if kind.startswith("DPM"):
        options["final_sigmas_type"] = "sigma_min"  # its last step would have order 1
    scheduler = getattr(library, kind)(**options)
    scheduler.set_timesteps(len(grid) - 1)
    rates = [rates_at(peers.SCHEDULE, t) for t in grid]
    scheduler.sigmas = torch.tensor([rate.sigma / rate.alpha for rate in rates], dtype=torch.float64)
    scheduler._sigma_to_alpha_sigma_t = lambda ratio: (1 / (1 + ratio**2).sqrt(), ratio / (1 + ratio**2).sqrt())  # noqa: SLF001
    scheduler._init_step_index = lambda t: setattr(scheduler, "_step_index", 0)  # noqa: SLF001
    x = peers.X
    for t, index in zip(grid[:-1], scheduler.timesteps, strict=True):
        x = scheduler.step(peers.ORACLE(x, t), index, x).prev_sample
    return x


def k_diffusion(method: str, grid: list[float]) -> Tensor:
    rates = [rates_at(peers.SCHEDULE, t) for t in grid]
    ratios = torch.tensor([rate.sigma / rate.alpha for rate in rates], dtype=torch.float64)

    def model(x: Tensor, ratio: Tensor) -> Tensor:
        (t,) = times_of(peers.SCHEDULE, [-2 * float(ratio[0].log())])
        return peers.ORACLE(x * rates_at(peers.SCHEDULE, t).alpha, t)

    sampler: Callable[..., Tensor] = getattr(peers.k_sampling(), method)
    return sampler(model, peers.X / rates[0].alpha, ratios, disable=True) * rates[-1].alpha


def azula(method: str, order: int, grid: list[float]) -> Tensor:
    import azula.sample as library
    from azula.denoise import Denoiser, DiracPosterior

    class Exact(Denoiser):
        def __init__(self) -> None:
            super().__init__()

        def schedule(self, t: Tensor) -> tuple[Tensor, Tensor]:
            return tuple(peers.SCHEDULE(t))

        def forward(self, x_t: Tensor, t: Tensor) -> DiracPosterior:
            return DiracPosterior(peers.ORACLE(x_t, t.item()))

    options = {"order": order} if "AB" in method else {}

    class Grid(getattr(library, method)):  # type: ignore[misc]
        timesteps = property(lambda _: torch.tensor(grid, dtype=torch.float64))

    return Grid(Exact(), steps=len(grid) - 1, silent=True, **options)(peers.X)


def use_network(name: str) -> None:
    """A bundled network, without a class, in place of the mixture: its schedule, and 16 noises."""
    from diffkit_cli import open_run

    run = open_run(name, device="cpu")
    like = next(run.network.double().parameters())
    peers.SCHEDULE, peers.X = run.schedule, run.schedule(1.0).sigma * seeded(range(16), like=like)((16, *run.shape))
    peers.ORACLE = torch.no_grad()(run.denoiser())


def rows() -> dict[str, list[tuple[str, Callable[[list[float]], Tensor]]]]:
    kinds = [("UniPCMultistepScheduler", order) for order in (2, 3)]
    kinds += [("DEISMultistepScheduler", order) for order in (2, 3)] + [
        ("DPMSolverMultistepScheduler", order) for order in (2, 3)
    ]
    adams = [(name, order) for name in AZULA for order in ((2, 3) if "AB" in name else (1,))]
    return {
        "diffkit": [(name, partial(ours, METHODS[name])) for name in OURS],
        "diffusers": [(f"{kind[:6]} {order}", partial(diffusers, kind, order)) for kind, order in kinds],
        "k-diffusion": [(name, partial(k_diffusion, name)) for name in K_DIFFUSION],
        "azula": [(f"{name} {order}", partial(azula, name, order)) for name, order in adams],
    }


def main() -> None:
    if "--network" in sys.argv:
        use_network(sys.argv[sys.argv.index("--network") + 1])
    exact = ours("heun", times(100 if "--network" in sys.argv else 1000, "karras"))
    best: dict[tuple[str, str, int], tuple[float, str]] = {}
    for library, methods in rows().items():
        for name, run in methods:
            for spacing in ("uniform", "karras"):
                for calls in CALLS:
                    steps = calls // 2 if name.split()[0] in TWO_CALLS else calls
                    try:
                        error = (run(times(steps, spacing)) - exact).square().mean().sqrt().item()
                    except ImportError:
                        continue
                    print(f"{library} {name} {spacing} {calls}: {error:.4f}", file=sys.stderr)
                    key = (spacing, library, calls)
                    best[key] = min(best.get(key, (float("inf"), "")), (error, name))
    print("| spacing, evaluations | " + " | ".join(rows()) + " |\n|---|" + "---|" * len(rows()))
    for spacing in ("uniform", "karras"):
        for calls in CALLS:
            cells = [best.get((spacing, library, calls)) for library in rows()]
            written = ["-" if cell is None else f"{cell[0]:.4f} {cell[1].removeprefix('sample_')}" for cell in cells]
            print(f"| {spacing}, {calls} | " + " | ".join(written) + " |")


if __name__ == "__main__":
    main()
