import diffkit_samplers
import diffkit_samplers.testing
import pytest


@pytest.mark.parametrize("module", [diffkit_samplers, diffkit_samplers.testing], ids=lambda module: module.__name__)
def test_public_names(module, check_public_names):
    check_public_names(module)
