"""Between the noises of two seeds: a slider along the spherical interpolation (slerp)."""

from collections.abc import Callable, Iterator
from typing import Any

from nicegui import ui

from diffkit_cli.sampling.interpolation import interpolation_metadata, noise_pairs, noises_between
from diffkit_cli.sampling.loading import LoadedModel
from diffkit_cli.sampling.options import INTERPOLATE_DEFAULTS, Given, check_seeds
from diffkit_cli.sampling.parse import parse_flags
from diffkit_cli.sampling.plan import Plan, make_plan
from diffkit_cli.ui.computation import Computation
from diffkit_cli.ui.play.commands import command_line
from diffkit_cli.ui.play.gallery import Gallery
from diffkit_cli.ui.play.made import Made
from diffkit_cli.ui.sliders import Slider

__all__ = ["InterpolatePanel"]

COLUMNS = 11


class InterpolatePanel:
    """The images of one row of `diffkit interpolate`; all are computed at once, so that the slider moves freely."""

    options = ("seed", "classes", "guidance", "steps", "spacing")

    def __init__(self, changed: Callable[[], Any]) -> None:
        self._computation, self._values, self._made = Computation(), list[Any](), list[Made]()
        with ui.row().classes("w-full items-center gap-4"):
            self._to_seed = ui.number("To the seed", value=1, min=0, step=1, precision=0, on_change=changed)
            self._to_seed.props("dense outlined debounce=300").classes("w-36")
            self._slider = Slider("Position between the seeds", (COLUMNS - 1) // 2, 0, COLUMNS - 1, on_change=self._pick)
        self._status = ui.label().classes("muted").props("role=status")
        self._one = Gallery("large")
        self._row = Gallery("strip")

    async def refresh(self, loaded: LoadedModel, given: Given) -> None:
        """Generate the row between two seeds. Raises what sampling raises."""
        given = given | parse_flags({"to_seed": None if self._to_seed.value is None else int(self._to_seed.value)})
        plan, to_seed = make_plan(loaded, INTERPOLATE_DEFAULTS | given | {"n": 1}), given.get("to_seed")
        check_seeds(plan.options.seed, 2)
        self._values, self._made = [], []
        self._one.begin(["between the seeds"])
        self._row.begin([f"{i / (COLUMNS - 1):.1f}" for i in range(COLUMNS)])
        if await self._computation.run(lambda: _estimates(plan, to_seed), self._show):
            metadata = interpolation_metadata(plan, COLUMNS, to_seed=to_seed)
            options = {"rows": 1, "columns": COLUMNS, **given}
            command = command_line("interpolate", loaded, options, out="interpolation", defaults=INTERPOLATE_DEFAULTS)
            self._made = [Made(each, metadata, f"{i:05d}", command) for i, each in enumerate(self._values)]
            self._row.finish(self._made)
            self._pick()

    def stop(self) -> None:
        """End what is being computed."""
        self._computation.stop()

    def _show(self, values: Any) -> None:
        self._values = list(values)
        self._row.show(self._values)
        self._pick()

    def _pick(self) -> None:
        i = min(max(int(self._slider.value), 0), COLUMNS - 1)
        self._status.set_text(f"slerp at {i / (COLUMNS - 1):.1f}")
        if self._values:
            self._one.show([self._values[i]])
        if self._made:
            self._one.finish([self._made[i]])


def _estimates(plan: Plan, to_seed: int | None) -> Iterator[Any]:
    """The x0 estimates of all columns after each step."""
    model, options = plan.model, plan.options
    model.batch_size(options.size, COLUMNS)
    x = noises_between(noise_pairs(plan, to_seed), 0, COLUMNS, range(COLUMNS))
    given, steps = plan.given.rows([0] * COLUMNS), len(plan.times) - 1
    for state in model.states_from_noise(x, steps=steps, spacing=plan.times, given=given, guidance=options.guidance):
        yield model.values(state.x0)
