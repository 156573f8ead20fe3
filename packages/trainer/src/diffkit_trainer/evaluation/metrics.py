"""The metrics of `evaluate`: one entry each in `METRICS`, which the JSON report and the table follow."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from diffkit_trainer.evaluation.distances import frechet_distance, kernel_distance

__all__ = ["METRICS", "Comparison", "Metric", "Scores"]


class Comparison(NamedTuple):
    """A set of images to score: its features (N, D), the reference's (M, D), and each image's distance (N,) to the data.

    recognised: the fraction that a classifier finds to be of the class asked for, None where there are no classes.
    """

    features: Tensor
    reference: Tensor
    distances: Tensor
    recognised: float | None = None


class Metric(NamedTuple):
    """A metric: its value for a comparison, if it has one, and its heading, number format and explanation in a table."""

    value: Callable[[Comparison], float | None]
    heading: str
    text: Callable[[float], str]
    explanation: str = ""


def _kid(sets: Comparison) -> float:
    return kernel_distance(sets.features, sets.reference)


def _fd(sets: Comparison) -> float:
    return frechet_distance(sets.features, sets.reference)


def _nearest_median(sets: Comparison) -> float:
    return float(sets.distances.sort().values[len(sets.distances) // 2])


def _nearest_smallest(sets: Comparison) -> float:
    return float(sets.distances.min())


def _recognised(sets: Comparison) -> float | None:
    return sets.recognised


METRICS = {
    "kid": Metric(_kid, "KID x 1000", lambda value: f"{1000 * value:.2f}"),
    "fd": Metric(_fd, "FD", "{:.3f}".format),
    "recognised": Metric(_recognised, "recognised", "{:.1%}".format, "the share that the classifier finds to be of its class"),
    "nearest_median": Metric(
        _nearest_median,
        "nearest",
        "{:.1f}".format,
        "the median distance to the nearest image of the data, root mean square in grey levels",
    ),
    "nearest_smallest": Metric(_nearest_smallest, "at least", "{:.1f}".format, "the smallest such distance"),
}
"""The metrics by their name in JSON. To add one, add its entry here."""


class Scores(dict[str, float]):
    """The value of every metric that one set of images has, by the metric's name."""

    @classmethod
    def of(cls, sets: Comparison) -> "Scores":
        """The scores of a set of images."""
        values = {name: metric.value(sets) for name, metric in METRICS.items()}
        return cls({name: value for name, value in values.items() if value is not None})

    def texts(self) -> dict[str, str]:
        """The values as text, by their headings.

        >>> Scores(kid=0.01234, fd=1.5).texts()
        {'KID x 1000': '12.34', 'FD': '1.500'}
        """
        return {METRICS[name].heading: METRICS[name].text(value) for name, value in self.items()}

    def explanations(self) -> dict[str, str]:
        """What a heading means, for those that need it.

        >>> Scores(fd=1.5, nearest_smallest=3.0).explanations()
        {'at least': 'the smallest such distance'}
        """
        return {METRICS[name].heading: METRICS[name].explanation for name in self if METRICS[name].explanation}
