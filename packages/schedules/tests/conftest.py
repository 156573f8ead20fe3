"""Shared by the tests of schedules: one schedule of every kind, as fixtures that run a test for each."""

import diffkit_schedules as ds
import pytest
from hypothesis import settings

settings.register_profile("schedules", deadline=None)  # a busy machine makes no test wrong
settings.load_profile("schedules")

CONTINUOUS = [ds.cosine(), ds.offset_cosine(), ds.linear(), ds.linear(0.1, 400), ds.sigmoid(), ds.rectified(), ds.karras()]
TABLES = [
    *(ds.linear_betas(), ds.scaled_linear_betas(), ds.cosine_betas(), ds.sigmoid_betas()),
    *(ds.discrete([0.1, 0.5, 0.99]), ds.discrete([0.36, 0.99]), ds.discrete([0.99])),
]
TRANSFORMED = [
    ds.shift(ds.rectified(), 3.0),
    ds.shift(ds.cosine(), 2.0),
    ds.shift(ds.karras(), 2.0),
    ds.zero_terminal_snr(ds.linear_betas()),
    ds.shift(ds.discrete([0.1, 0.5, 0.99]), 2.0),
    ds.zero_terminal_snr(ds.offset_cosine()),
    ds.zero_terminal_snr(ds.shift(ds.discrete([0.1, 0.5, 0.99]), 0.5)),
    ds.zero_terminal_snr(ds.discrete([0.1, 0.99])),
    ds.zero_terminal_snr(ds.discrete([0.99])),
]
SCHEDULES = CONTINUOUS + TABLES + TRANSFORMED


def short_id(schedule):
    return str(schedule)[:40]


@pytest.fixture(scope="session", params=SCHEDULES, ids=short_id)
def schedule(request):
    """Every kind of schedule."""
    return request.param


@pytest.fixture(scope="session", params=TABLES, ids=short_id)
def table(request):
    """Every kind of table."""
    return request.param


@pytest.fixture(scope="session", params=[each for each in SCHEDULES if each.path == "vp"], ids=short_id)
def variance_preserving(request):
    """Every kind of schedule with alpha^2 + sigma^2 = 1."""
    return request.param


@pytest.fixture(scope="session")
def every_schedule():
    """All of them."""
    return SCHEDULES
