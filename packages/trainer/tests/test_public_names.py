"""The public names of the package."""

import diffkit_trainer
import pytest
from diffkit_trainer import data, files


def test_the_contract_s_names_are_public():
    assert {"EMA", "ImageFolder", "Trainer", "TrainStep", "load", "loss", "open_images", "pack", "resume", "save"} <= set(
        diffkit_trainer.__all__
    )
    assert sorted(diffkit_trainer.__all__) == sorted(set(diffkit_trainer.__all__))
    assert all(hasattr(diffkit_trainer, name) for name in diffkit_trainer.__all__)


@pytest.mark.parametrize("subpackage", [data, files])
def test_a_subpackage_exports_the_names_of_its_stub(subpackage):
    assert subpackage.__all__
    assert all(getattr(subpackage, name) is not None for name in subpackage.__all__)
