"""The schedule's curves with the steps of sampling on them, and one image at several t: the forward process."""

from collections.abc import Callable, Iterator
from typing import Any

from diffkit_schedules import Schedule, add_noise, from_config
from nicegui import ui

from diffkit_cli.reports.schedules import schedule_rows
from diffkit_cli.sampling.generate import states_of
from diffkit_cli.sampling.loading import LoadedModel
from diffkit_cli.sampling.options import Given
from diffkit_cli.sampling.plan import Plan, make_plan, times_of
from diffkit_cli.training.options import SCHEDULE_NAMES
from diffkit_cli.ui.computation import Computation
from diffkit_cli.ui.play.gallery import Gallery
from diffkit_cli.ui.play.schedule_chart import log_snr_chart, rates_chart
from diffkit_cli.ui.sliders import NumberSlider

__all__ = ["ExplainPanel"]

OWN = "that of the run"
TIMES = tuple(k / 8 for k in range(9))


class ExplainPanel:
    """The schedule of the run, or another, under the options of the controls."""

    options = ("seed", "classes", "steps", "spacing")

    def __init__(self, changed: Callable[[], Any]) -> None:
        self._computation, self._clean = Computation(), (("", 0, ""), None)
        self._schedule: Schedule | None = None
        self._plan: Plan | None = None
        chosen = ui.select([OWN, *SCHEDULE_NAMES], value=OWN, label="Schedule", on_change=changed)
        chosen.props("dense outlined options-dense").classes("w-56")
        self._chosen = chosen
        with ui.grid().classes("w-full charts"):
            self._charts = [ui.echart({}).classes("chart") for _ in range(2)]
        ui.label("The forward process: x = alpha x0 + sigma eps, for one image and one noise").classes("heading")
        self._t = NumberSlider("t", 0.5, 0, 1, 0.01, self._noise)
        self._one = Gallery("large")
        self._row = Gallery("strip")

    async def refresh(self, loaded: LoadedModel, given: Given) -> None:
        """Draw the curves, and noise the sample of the seed. Raises what sampling raises."""
        own = make_plan(loaded, given | {"n": 1})
        self._plan, other = own, self._chosen.value != OWN
        self._schedule = from_config({"name": self._chosen.value}) if other else own.model.schedule
        times = times_of(self._schedule, own.options)
        rows = list(schedule_rows(self._schedule, 201))
        for element, chart in zip(self._charts, (rates_chart, log_snr_chart), strict=True):
            element.options.clear()
            element.options.update(chart(rows, [(t, *self._schedule(t)) for t in times]))
            element.update()
        key = (loaded.weights, own.options.seed, str(own.options.classes))
        if key != self._clean[0]:
            await self._computation.run(lambda: _sample(own), lambda x0: self._keep(key, x0))
        self._noise()

    def stop(self) -> None:
        """End what is being computed."""
        self._computation.stop()

    def _keep(self, key: tuple[str, int, str], x0: Any) -> None:
        if x0 is not None:
            self._clean = key, x0

    def _noise(self) -> None:
        x0, plan, schedule = self._clean[1], self._plan, self._schedule
        if x0 is None or plan is None or schedule is None:
            return
        t = min(max(float(self._t.value or 0), 0.0), 1.0)
        eps = plan.model.noise([plan.options.seed], plan.options.size) / plan.model.schedule(1.0).sigma
        rates = schedule(t)
        self._one.begin([f"t = {t:.2f}: alpha {rates.alpha:.3f}, sigma {rates.sigma:.3f}"])
        self._one.show([plan.model.values(add_noise(x0, eps, rates))[0]])
        self._row.begin([f"t = {t:g}" for t in TIMES])
        self._row.show([plan.model.values(add_noise(x0, eps, schedule(t)))[0] for t in TIMES])


def _sample(plan: Plan) -> Iterator[Any]:
    """The sample (1, C, *space) of a plan, normalised; None before it."""
    x0 = None
    for state in states_of(plan, range(1)):
        x0 = state.x0
        yield None
    yield x0
