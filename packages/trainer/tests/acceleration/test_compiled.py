"""A network that cannot be compiled is called as it is."""

import os
import warnings

import pytest
import torch
from diffkit_trainer import Compiled, keep_compiled
from torch import nn


def failing(graph, inputs):
    raise RuntimeError("no compiler here\nhow to install one")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch in torch.compile itself
def test_a_compiler_that_fails_is_one_warning_and_the_network_s_own_result():
    network = nn.Linear(2, 3)
    compiled, x = Compiled(network, backend=failing), torch.ones(1, 2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        assert all(torch.equal(compiled(x), network(x)) for _ in range(3))
    lines = [str(each.message) for each in caught if each.category is UserWarning]
    assert len(lines) == 1
    assert lines[0].startswith("training and sampling are slower: torch.compile failed (")
    assert "no compiler here" in lines[0]
    assert "\n" not in lines[0]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_error_of_the_network_is_raised():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        Compiled(nn.Linear(2, 3), backend="eager")(torch.ones(1, 5))


def test_what_is_compiled_is_kept_where_the_user_says_else_in_the_folder(monkeypatch, tmp_path):
    name = "TORCHINDUCTOR_CACHE_DIR"
    monkeypatch.setenv(name, "elsewhere")
    keep_compiled(tmp_path)
    assert os.environ[name] == "elsewhere"
    monkeypatch.delenv(name)
    keep_compiled(tmp_path)
    assert os.environ[name] == str(tmp_path)
