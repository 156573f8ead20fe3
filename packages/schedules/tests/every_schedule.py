"""One of every schedule, for the tests to go through."""

import diffkit_schedules as ds

CONTINUOUS = [ds.cosine(), ds.offset_cosine(), ds.linear(), ds.sigmoid(), ds.rectified(), ds.karras()]
TABLES = [ds.linear_betas(), ds.scaled_linear_betas(), ds.cosine_betas(), ds.sigmoid_betas(), ds.discrete([0.1, 0.5, 0.99])]
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
EVERY = CONTINUOUS + TABLES + TRANSFORMED
PRESERVING = [s for s in EVERY if abs(s(0.5).alpha ** 2 + s(0.5).sigma ** 2 - 1) < 1e-9]


def ids(schedule):
    return str(schedule)[:40]
