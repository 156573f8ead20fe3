"""torch.compile, which needs a C++ compiler: the same training, and weights under the same names."""

import pytest
from tiny_trainer import Tiny, run_to, trainer


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch in torch.compile itself
def test_compiled_trains_alike():
    one, other = (trainer(network=lambda: Tiny(norm=False), compile=compiled) for compiled in (False, True))
    assert run_to(other, 3) == pytest.approx(run_to(one, 3), rel=1e-4)
    assert not any("_orig_mod" in name for name in other.model.state_dict())
