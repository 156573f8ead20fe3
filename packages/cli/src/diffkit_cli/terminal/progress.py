"""Progress: a bar on a terminal, a plain line every few seconds elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column

from diffkit_cli.terminal.console import console, plural
from diffkit_cli.terminal.streams import visible

__all__ = ["Smoothed", "TrainingProgress", "counting", "counting_lines", "duration", "training_progress"]

SMOOTHING = 0.98
LINE_SECONDS = 5.0
QUIET_SECONDS = 30.0
"""The longest time without a line, where log entries are rarer."""

ESTIMATE_SECONDS = 3.0
"""The steps that the estimate of a run's duration is made from take at least so long."""

WIDE, NARROW = 90, 60
"""Columns of a terminal: from WIDE on the whole line fits, below NARROW the step count and the loss alone are shown."""
COUNT_WIDTH = 50
"""Columns of a bar with its count and the time that is left."""


@dataclass
class Smoothed:
    """An exponentially smoothed mean: each update weighs `SMOOTHING` times as much as the next, about the last 50 count.

        total <- d total + (1 - d) value,   weight <- d weight + (1 - d),   d = SMOOTHING^updates,   mean = total / weight

    weight corrects for the zero that total starts at: after one value the mean is that value.

    >>> loss = Smoothed()
    >>> loss.add(2.0, 50), round(loss.add(1.0, 1), 2)
    (2.0, 1.97)
    """

    total: float = 0.0
    weight: float = 0.0

    def add(self, value: float, updates: int) -> float:
        """Add the mean of so many updates; returns the smoothed mean."""
        d = SMOOTHING**updates
        self.total, self.weight = d * self.total + (1 - d) * value, d * self.weight + (1 - d)
        return self.total / self.weight


class TrainingProgress:
    """The progress of a training run; the loss is shown when it is logged, for reading it waits for the device.

    After a few seconds it says how long the run takes.
    """

    def __init__(self, steps: int, start: int, images: int, batch_size: int, bar: Progress | None, noun: str) -> None:
        self.steps, self.start, self.images, self.batch_size, self.bar = steps, start, images, batch_size, bar
        self._noun = noun
        self._smoothed, self._loss, self._logged = Smoothed(), "-", start
        self._begun = self._said = time.monotonic()
        self._first: tuple[int, float] | None = None
        self._estimated = False
        if bar is not None:
            self._task = bar.add_task("training", total=steps, completed=start, epoch=self._epoch(start), loss="-", rate="-")

    def at(self, step: int) -> None:
        """Show a step."""
        now = time.monotonic()
        self._estimate(step, now)
        if self.bar is not None:
            self.bar.update(self._task, completed=step, epoch=self._epoch(step))
        elif now - self._said >= QUIET_SECONDS:
            self._line(step, now)

    def logged(self, step: int, loss: float | None) -> None:
        """Show the mean loss since the last call, None for none."""
        if loss is not None:
            self._loss = f"{self._smoothed.add(loss, max(step - self._logged, 1)):.4f}"
        first, self._logged, now = self._logged == self.start, step, time.monotonic()
        if self.bar is not None:
            self.bar.update(self._task, loss=self._loss, rate=f"{self._rate(step, now):.0f}")
        elif first or now - self._said >= LINE_SECONDS or step >= self.steps:
            self._line(step, now)

    def _estimate(self, step: int, now: float) -> None:
        """Say once how long the run takes. The first step is not counted: it takes longer than the others."""
        if self._first is None:
            self._first = step, now
        first, since = self._first
        if not self._estimated and step - first >= 2 and now - since >= ESTIMATE_SECONDS:
            self._estimated = True
            seconds = since - self._begun + (self.steps - first) * (now - since) / (step - first)
            console.print(f"about {duration(seconds)} for {plural(self.steps - self.start, 'step')}")

    def _line(self, step: int, now: float) -> None:
        self._said = now
        left = duration(round((self.steps - step) * (now - self._begun) / max(step - self.start, 1)))
        rate = f"{self._rate(step, now):.0f} {self._noun}s/s"
        console.print(f"step {step}/{self.steps}  epoch {self._epoch(step)}  loss {self._loss}  {rate}  {left} left")

    def _rate(self, step: int, now: float) -> float:
        return (step - self.start) * self.batch_size / max(now - self._begun, 1e-9)

    def _epoch(self, step: int) -> str:
        done, total = (count * self.batch_size / self.images for count in (step, self.steps))
        return f"{done:.2f}/{total:.2f}"


@contextmanager
def training_progress(steps: int, start: int, images: int, batch_size: int, noun: str = "image") -> Iterator[TrainingProgress]:
    """Progress of a training run from step `start` to `steps`, with batches of batch_size of so many images.

    noun: what they are.
    """
    if not _redraws():
        yield TrainingProgress(steps, start, images, batch_size, None, noun)
        return
    step, loss = MofNCompleteColumn(), _text("loss {task.fields[loss]}")
    rate, left = _text(f"{{task.fields[rate]}} {noun}s/s"), TimeRemainingColumn()
    columns: tuple[ProgressColumn, ...] = (BarColumn(20), step, _text("epoch {task.fields[epoch]}"), loss, rate, left)
    if console.width < WIDE:
        columns = (step, loss, rate, left) if console.width >= NARROW else (step, loss)
    with Progress(*columns, console=console) as bar:
        yield TrainingProgress(steps, start, images, batch_size, bar, noun)


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """on_progress(done, total), which shows a bar on a terminal, and a line every few seconds elsewhere."""
    if not _redraws():
        yield _lines(what)
        return
    columns: tuple[ProgressColumn, ...] = (MofNCompleteColumn(), TimeRemainingColumn())
    if console.width >= NARROW:
        cell = Column(max_width=console.width - COUNT_WIDTH, no_wrap=True)  # or a long path would push the count out
        columns = (TextColumn("{task.description}", markup=False, table_column=cell), BarColumn(20), *columns)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(visible(what), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def counting_lines(what: str) -> Callable[[int, int], None]:
    """on_progress(done, total) within a training, whose bar stays on a terminal; elsewhere a line every few seconds."""
    return (lambda done, total: None) if _redraws() else _lines(what)


def duration(seconds: float) -> str:
    """A duration in two digits, or in two units.

    >>> duration(0.0123), duration(0.42), duration(59.4)
    ('12 ms', '0.42 s', '59 s')
    >>> duration(59.6), duration(7000), duration(400000)
    ('1 min', '1 h 57 min', '4 d 15 h')
    """
    if seconds < 59.5:
        return f"{seconds:.2g} s" if seconds >= 0.0995 or not seconds else f"{1000 * seconds:.2g} ms"
    minutes = round(seconds / 60)
    hours, days = minutes // 60, round(minutes / 60) // 24
    if not hours:
        return f"{minutes} min"
    return f"{days} d {round(minutes / 60) % 24} h" if days else f"{hours} h {minutes % 60} min"


def _redraws() -> bool:
    """Whether a line can be written again and again: on a terminal, but for TERM=dumb."""
    return console.is_terminal and not console.is_dumb_terminal


def _text(template: str) -> TextColumn:
    return TextColumn(template, markup=False)


def _lines(what: str) -> Callable[[int, int], None]:
    printed: float | None = None  # the clock starts with the first call

    def on_progress(done: int, total: int) -> None:
        nonlocal printed
        now = time.monotonic()
        printed = now if printed is None else printed
        if now - printed >= LINE_SECONDS and 0 < done < total:
            printed = now
            console.print(f"{what}: {done} of {total}")

    return on_progress
