"""How far samplers are from the exact solution, by the number of evaluations.

Usage: python docs/figures/solver_error.py FILE.png
"""

import sys

import numpy as np
from diffkit_samplers import seeded, trajectory
from diffkit_samplers.testing import MixtureOracle
from diffkit_schedules import linear_betas
from diffkit_trainer import Panel, save_plot

EVALUATIONS = (5, 7, 9, 13, 17, 25, 33, 49)
NAMES = ("ddim", "heun", "dpmpp_2m", "deis", "unipc_2")

schedule = linear_betas()
oracle = MixtureOracle(schedule, (-1.0, 0.5), (0.05, 0.1), (0.4, 0.6))
x = schedule(1.0).sigma * seeded(range(200), like=np.ones(1))((200, 10))


def times(count: int) -> list[float]:
    """The times of Karras et al.: from t = 1 to 0.01, evenly spaced in sigma^(1/7), for the betas of DDPM."""
    table = np.linspace(0.01, 1, 4000)
    level = np.array([(rates.sigma / rates.alpha) ** (1 / 7) for rates in map(schedule, map(float, table))])
    return [*map(float, np.interp(np.linspace(level[-1], level[0], count + 1), level, table))]


def end(name: str, steps: int) -> np.ndarray:
    *_, last = trajectory(oracle, schedule, x, method=name, spacing=times(steps), eta=0.0)
    return last.x


exact = end("heun", 500)
curves = {}
for name in NAMES:
    steps = {count: (count + 1) // 2 if name == "heun" else count for count in EVALUATIONS}
    curves[name] = [(count, float(np.sqrt(((end(name, steps[count]) - exact) ** 2).mean()))) for count in EVALUATIONS]
    print(name, " ".join(f"{count}: {error:.4f}" for count, error in curves[name]))
panel = Panel("root mean square error at t = 0.01", curves, 1e-3, 10.0, 5, 49, "evaluations of the network", log=True)
save_plot([panel], sys.argv[1])
