"""What a person sees: progress on a terminal, plain lines elsewhere; results on stdout, all else on stderr."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["console", "results", "training_progress", "warn", "warnings_as_lines"]


class Screen(Console):
    """A console that leaves a broken pipe to whoever runs the command, where rich would end the process itself."""

    def on_broken_pipe(self) -> None:
        """Called while BrokenPipeError is handled: it goes on."""
        raise


console = Screen(stderr=True, highlight=False, soft_wrap=True, markup=False)


def results() -> Console:
    """What is printed on stdout, as wide as the terminal."""
    return Screen(highlight=False, markup=False)


def warn(message: str) -> None:
    """One line to stderr."""
    console.print(f"warning: {message}")


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Show Python's own warnings, such as the trainer's, as `warn` does."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: warn(" ".join(str(message).split()))
        yield


@contextmanager
def training_progress(steps: int, start: int) -> Iterator[Callable[[int, float, float], None]]:
    """A function report(step, loss, images a second): a bar with the time left on a terminal, lines now and then elsewhere."""
    if not console.is_terminal:
        yield _lines(steps, start)
        return
    columns = (
        *(TextColumn("training"), BarColumn(), MofNCompleteColumn()),
        *(TextColumn("loss {task.fields[loss]}"), TextColumn("{task.fields[rate]} images/s"), TimeRemainingColumn()),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("training", total=steps, completed=start, loss="-", rate="-")
        yield lambda step, loss, rate: progress.update(task, completed=step, loss=f"{loss:.4f}", rate=f"{rate:.0f}")


def _lines(steps: int, start: int) -> Callable[[int, float, float], None]:
    begun, last = time.monotonic(), float("-inf")

    def report(step: int, loss: float, rate: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < 5 and step < steps:
            return
        last = now
        left = (steps - step) * (now - begun) / max(step - start, 1)
        console.print(f"step {step}/{steps}  loss {loss:.4f}  {rate:.0f} images/s  {left:.0f} s left")

    return report
