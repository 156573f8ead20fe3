"""diffkit tune: find the sampler and the times that suit a run at a small number of steps."""

import math
from pathlib import Path
from typing import Annotated

import typer

from diffkit_cli.errors import UsageError
from diffkit_cli.flags import Device, Work, sampling_flags
from diffkit_cli.sampling.options import Given

__all__ = ["tune"]

STEPS, MAX_STEPS = 8, 100
NUMBER = 500
ETAS = (0.5, 1.0)
"""Tried by their KID, beside 0."""


@sampling_flags(
    *("steps", "number", "seed", "guidance", "step"),
    defaults={"steps": STEPS, "number": NUMBER},
    help={"number": "Number of samples for each KID, of the data that the run was trained on."},
)
def tune(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, or RUN@STEP.")],
    *,
    given: Given,
    device: Device = "auto",
) -> Work:
    """Find the sampler and times of few steps for a run; sample uses them.

    The times are fitted to a solution of 64 steps from the same noises. On other noises they are compared with uniform DDIM and
    with the best sampler and spacing by name. The nearest is kept in tuned.json of the run, unless the KID of another is lower.
    """
    steps, n = given.get("steps", STEPS), given.get("number", NUMBER)
    if not 2 <= steps <= MAX_STEPS:
        raise UsageError(f"--steps must be an integer from 2 to {MAX_STEPS}, got {steps}")
    if run.is_file():
        raise UsageError(f"{run} is a file, and tune writes into a run folder: tune the run, then export it")
    from diffkit_trainer import require_creatable

    from diffkit_cli.reports.tuning import Kid, kid_scorer, preferred, table_of_ways
    from diffkit_cli.run_config import TunedSampler
    from diffkit_cli.sampling.few_steps import FewSteps, best_named, fine_solution, number_of_noises, tuned
    from diffkit_cli.sampling.generate import concatenated, generate
    from diffkit_cli.sampling.loading import open_model, require_denoiser
    from diffkit_cli.sampling.plan import make_plan
    from diffkit_cli.sampling.tuned import TUNED_FILE, add_tuned
    from diffkit_cli.terminal.console import command, console, show
    from diffkit_cli.terminal.progress import counting
    from diffkit_cli.time_lists import text_of

    def work() -> None:
        loaded = open_model(run, raw=False, step=given.get("step"), device=device)
        require_denoiser(loaded)
        require_creatable(run / TUNED_FILE)
        noises = number_of_noises(loaded.model.shape)
        uniform, seed = FewSteps("ddim", "uniform"), given.get("seed", 0)
        options = {"guidance": given["guidance"]} if "guidance" in given else {}
        plans = [make_plan(loaded, options | {"steps": steps, "n": noises, "seed": seed + k * noises}) for k in range(2)]
        with console.status(f"tuning {steps} steps"):
            found, others = tuned(fine_solution(plans[0]), steps), fine_solution(plans[1])
            ways = {"uniform DDIM": uniform.measured(others, steps), "best by name": best_named(others, steps)}
            ways["tuned"] = found.measured(others, steps)
        scorer, kids = kid_scorer(loaded.model.config, n), dict[str, Kid]()
        if scorer is not None:
            score, count = scorer
            ways |= {f"tuned, eta {eta:g}": found._replace(eta=eta, error=math.inf) for eta in ETAS}
            for name, way in ways.items():
                plan = make_plan(loaded, options | way.options | {"steps": steps, "n": count, "seed": seed + 2 * noises})
                with counting(f"samples, {name}") as on_progress:
                    kids[name] = score(concatenated([batch.pixels for batch in generate(plan, on_progress=on_progress)]))
        best = preferred(ways, kids)
        way = ways[best]
        entry = TunedSampler(
            sampler=way.sampler,
            eta=way.eta,
            spacing=text_of(way.times(loaded.model.schedule, steps)),
            guidance=plans[0].options.guidance,
            step=loaded.step,
            weights=loaded.weights,
            error=way.error if math.isfinite(way.error) else None,
            kid=kids[best].value if kids else None,
        )
        add_tuned(loaded.model.config, run, entry)
        show(f"{loaded.name}, {steps} steps", table_of_ways(ways, kids))
        again = command("sample", run, "--steps", steps)
        console.print(f"{run / TUNED_FILE} keeps {best!r} for {steps} steps. Sample with: {again}")

    return work
