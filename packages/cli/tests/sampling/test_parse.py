"""Flags of sampling: ranges, and the errors that name them."""

import pytest
from diffkit_cli.errors import UsageError
from diffkit_cli.sampling.parse import parse_flags


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"steps": "0"}, "--steps must be an integer from 1 to 1000000, got 0"),
        ({"steps": "1.5"}, "--steps must be an integer from 1 to 1000000, got '1.5'"),
        ({"n": "1000001"}, "-n must be an integer from 1 to 1000000, got 1000001"),
        ({"eta": "nan"}, "--eta must be a number in [0, 1], got nan"),
        ({"strength": "0"}, "--strength must be a number in (0, 1], got 0.0"),
        ({"guidance": "inf"}, "--guidance must be a number from -1e+30 to 1e+30, got inf"),
        ({"size": "0x8"}, "--size must be N or HEIGHTxWIDTH, each from 1 to 4096, got '0x8'"),
        (
            {"spacing": "even"},
            "--spacing must be one of uniform, leading, trailing, linspace, quadratic, karras, karras_160, log_snr, got 'even'",
        ),
    ],
)
def test_a_flag_out_of_range_is_refused_by_its_name(flags, message):
    with pytest.raises(UsageError) as caught:
        parse_flags(flags)
    assert str(caught.value) == message
