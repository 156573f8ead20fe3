"""torch.compile, which needs a C++ compiler."""

import pytest


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch in torch.compile itself
def test_a_compiled_network_trains_alike_and_keeps_the_names_of_its_weights(make_trainer, train_to, tiny_network):
    one, other = (make_trainer(network=lambda: tiny_network(norm=False), compile=compiled) for compiled in (False, True))
    assert train_to(other, 3) == pytest.approx(train_to(one, 3), rel=1e-4)
    assert not any("_orig_mod" in name for name in other.model.state_dict())
