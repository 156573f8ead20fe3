"""Building from a config: what is not a config, and configs of networks that are too large."""

import subprocess
import sys
import time

import pytest
from diffkit_unet import MAX_PARAMETERS, UNet


@pytest.mark.parametrize("config", [None, [], "small", {}, {"widths": [8]}])
def test_config_must_be_a_mapping_with_in_channels(config):
    with pytest.raises(ValueError, match="a network's config must be a mapping with 'in_channels'"):
        UNet.from_config(config)


@pytest.mark.parametrize(
    "change",
    [
        {"widths": [10**9, 10**9]},
        {"widths": [10**30]},
        {"widths": [10**5] * 4},
        {"widths": [2**20] * 12, "block_depth": 16},
        {"widths": [8] * 10**6},
        {"block_depth": 10**9},
        {"in_channels": 10**9},
        {"embedding": 10**9},
        {"num_classes": 10**9},
    ],
)
def test_huge_network_is_refused_before_memory_is_allocated(change):
    start = time.process_time()
    with pytest.raises(ValueError, match=r"must be|parameters, the maximum is") as caught:
        UNet.from_config({"in_channels": 4, "widths": [8, 4]} | change)
    assert time.process_time() - start < 5  # CPU time of this process; allocated, the smallest of them takes minutes
    assert len(str(caught.value)) < 200


def test_counting_parameters_does_not_import_the_compiler():
    """Arithmetic on the meta device would import it, a second of every start."""
    code = """
import sys
from diffkit_unet import UNet
UNet.from_config({"in_channels": 4, "widths": [8, 4], "num_classes": 2})
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_max_parameters():
    with pytest.raises(ValueError, match=rf"this config has [\d,]+ parameters, the maximum is {MAX_PARAMETERS:,}"):
        UNet.from_config({"in_channels": 3, "widths": [12_000]})
