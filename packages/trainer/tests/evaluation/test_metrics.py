"""The table of metrics, which JSON and tables follow."""

import torch
from diffkit_trainer.evaluation.metrics import METRICS, Comparison, Metric, Scores


def comparison(distances, recognised=None):
    x = torch.tensor([[0.0], [2.0]], dtype=torch.float64)
    return Comparison(x, x + 3, torch.tensor(distances), recognised)


def test_scores_hold_every_metric_that_has_a_value():
    scores = Scores.of(comparison([5.0, 1.0, 3.0, 4.0]))
    assert list(scores) == ["kid", "fd", "nearest_median", "nearest_smallest"]
    known = Scores.of(comparison([5.0, 1.0, 3.0, 4.0], 0.875))
    assert list(known) == list(METRICS) == ["kid", "fd", "recognised", "nearest_median", "nearest_smallest"]
    assert known.texts()["recognised"] == "87.5%"
    assert round(scores["fd"], 9) == 9
    assert (scores["nearest_median"], scores["nearest_smallest"]) == (4, 1)


def test_texts_have_the_headings_and_formats_of_the_metrics():
    scores = Scores.of(comparison([5.0, 1.0, 3.0, 4.04]))
    kid = scores["kid"]
    assert scores.texts() == {"KID x 1000": f"{1000 * kid:.2f}", "FD": "9.000", "nearest": "4.0", "at least": "1.0"}
    assert list(scores.explanations()) == ["nearest", "at least"]


def test_one_entry_adds_a_metric_everywhere(monkeypatch):
    monkeypatch.setitem(METRICS, "farthest", Metric(lambda sets: float(sets.distances.max()), "farthest", "{:.0f}".format, "why"))
    scores = Scores.of(comparison([5.0, 1.0]))
    assert scores["farthest"] == 5
    assert scores.texts()["farthest"] == "5"
    assert scores.explanations()["farthest"] == "why"
