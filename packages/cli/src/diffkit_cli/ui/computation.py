"""What a tab of the page computes: in a thread, step by step, and never two things at once."""

import asyncio
from collections.abc import Callable, Iterator
from typing import TypeVar, cast

__all__ = ["Computation"]

T = TypeVar("T")
END = object()


class Computation:
    """The one computation of a tab: a new one, or `stop`, ends the one before it after its current step.

    >>> async def both():
    ...     computation, shown = Computation(), []
    ...     first = asyncio.create_task(computation.run(lambda: iter(range(1, 10**9)), shown.append))
    ...     await asyncio.sleep(0.01)
    ...     second = await computation.run(lambda: iter("ab"), shown.append)
    ...     return await first, second, shown[-2:]
    >>> asyncio.run(both())
    (False, True, ['a', 'b'])
    """

    def __init__(self) -> None:
        self._newest, self._running = 0, asyncio.Lock()

    async def run(self, begin: Callable[[], Iterator[T]], show: Callable[[T], object]) -> bool:
        """Show each item of the iterator that `begin` makes; False where another computation ended this one.

        `begin` and the iterator run in threads, `show` in the event loop. Raises what they raise.
        """
        self._newest += 1
        ours = self._newest
        async with self._running:
            if ours != self._newest:
                return False
            items = await asyncio.to_thread(begin)
            while ours == self._newest and (item := await asyncio.to_thread(next, items, END)) is not END:
                if ours == self._newest:
                    show(cast(T, item))
            return ours == self._newest

    def stop(self) -> None:
        """End the current computation after its current step."""
        self._newest += 1
