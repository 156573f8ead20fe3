"""The settings of torch's kernels hold for a block."""

import pytest
import torch
from diffkit_trainer import fast_kernels


def settings():
    cudnn = torch.backends.cudnn
    return (
        *(torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.benchmark),
        *(cudnn.deterministic, torch.are_deterministic_algorithms_enabled()),
    )


@pytest.mark.parametrize(
    ("tf32", "deterministic", "expected"),
    [
        (True, False, ("high", True, True, False, False)),
        (False, False, ("highest", False, True, False, False)),
        (True, True, ("high", True, False, True, True)),
    ],
)
def test_the_settings_are_those_of_the_block_and_as_before_after_it(tf32, deterministic, expected, monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    before = settings()
    with pytest.raises(KeyError), fast_kernels(tf32=tf32, deterministic=deterministic):  # noqa: PT012
        assert settings() == expected
        raise KeyError
    assert settings() == before
