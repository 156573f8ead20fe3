"""The shape of the DDIM paper's two tables, on a mixture of Gaussians: python benchmarks/sampler_plots.py docs/ddim.png.

Left (its table 1): the Wasserstein-1 distance between 20,000 samples and the data against the number of steps, for eta 0, 1/2
and 1. Right (its table 2): the root mean square error of data that was encoded and decoded. Needs matplotlib.
"""

import sys

import numpy as np
from diffkit_samplers import ddim, encode, seeded
from diffkit_samplers.testing import MixtureOracle
from diffkit_schedules import linear_betas
from matplotlib import pyplot

STEPS = (5, 10, 20, 50, 100, 200)
SCHEDULE = linear_betas()
ORACLE = MixtureOracle(SCHEDULE, (-1.0, 0.5), (0.05, 0.1), (0.4, 0.6))


def data(count: int) -> np.ndarray:
    """Draws from the mixture, in one column."""
    rng = np.random.default_rng(0)
    kind = rng.random(count) < 0.4
    return np.where(kind, rng.normal(-1.0, 0.05**0.5, count), rng.normal(0.5, 0.1**0.5, count))[:, None]


def distance(steps: int, eta: float) -> float:
    source = seeded(range(20), like=np.ones(1))
    samples = ddim(ORACLE, SCHEDULE, source((20, 1000)), steps=steps, eta=eta, noise=source)
    return float(abs(np.sort(samples.ravel()) - np.sort(data(20000).ravel())).mean())


def reconstruction(steps: int) -> float:
    x0 = data(2000)
    again = ddim(ORACLE, SCHEDULE, encode(ORACLE, SCHEDULE, x0, steps=steps), steps=steps)
    return float(((again - x0) ** 2).mean() ** 0.5)


def listed(values: list[float]) -> str:
    return ", ".join(f"{steps} steps {value:.4f}" for steps, value in zip(STEPS, values, strict=True))


def main() -> None:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for eta in (0.0, 0.5, 1.0):
        values = [distance(steps, eta) for steps in STEPS]
        left.loglog(STEPS, values, "o-", label=f"eta = {eta:g}")
        print(
            f"distance to the data, eta {eta:g}:",
            " ".join(f"{steps}: {value:.4f}" for steps, value in zip(STEPS, values, strict=True)),
        )
    errors = [reconstruction(steps) for steps in STEPS]
    print(f"encoded and decoded: {listed(errors)}")
    right.loglog(STEPS, errors, "o-")
    left.set(title="samples: distance to the data", xlabel="steps")
    right.set(title="encoded and decoded: error", xlabel="steps")
    for axes in (left, right):
        axes.set_xticks(STEPS, [str(steps) for steps in STEPS])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    left.legend()
    figure.savefig(sys.argv[1], dpi=100)


if __name__ == "__main__":
    main()
