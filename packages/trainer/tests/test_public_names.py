"""The public names of the package."""

import diffkit_trainer


def test_the_contract_s_names_are_public():
    assert {"EMA", "ImageFolder", "Trainer", "TrainStep", "load", "loss", "open_images", "pack", "resume", "save"} <= set(
        diffkit_trainer.__all__
    )
    assert sorted(diffkit_trainer.__all__) == sorted(set(diffkit_trainer.__all__))
    assert all(hasattr(diffkit_trainer, name) for name in diffkit_trainer.__all__)
