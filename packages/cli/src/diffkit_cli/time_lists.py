"""Lists of times as text, such as "1,0.7,0.3,0": a spacing that has no name."""

import math
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["text_of", "times_in"]


def times_in(text: str) -> list[float] | None:
    """The times in a text; None for a text without a comma, which is a name.

    Raises ValueError unless they are numbers that decrease, the first at most 1 and the last 0.

    >>> times_in("1,0.4,0"), times_in("uniform")
    ([1.0, 0.4, 0.0], None)
    """
    if "," not in text:
        return None
    expected = f"times that decrease from at most 1 to 0, such as 1,0.7,0.3,0; found {text!r:.60}"
    try:
        times = [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"expected {expected}") from None
    if not (all(map(math.isfinite, times)) and times[0] <= 1 and times[-1] == 0 and all(s < t for t, s in pairwise(times))):
        raise ValueError(f"expected {expected}")
    return times


def text_of(times: Sequence[float]) -> str:
    """The times as text, to six digits.

    >>> text_of([1.0, 0.25, 0.0])
    '1,0.25,0'
    """
    return ",".join(f"{t:.6g}" for t in times)
