"""Batches of samples and their frames."""

from diffkit_cli.sampling.generate import frame_steps


def test_long_animations_keep_100_evenly_spaced_frames():
    assert sorted(frame_steps(250))[:3] == [1, 4, 7]
    assert (len(frame_steps(250)), max(frame_steps(250))) == (100, 249)
