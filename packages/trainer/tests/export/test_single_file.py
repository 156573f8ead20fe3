"""What the package hands on, by name."""

import diffkit_trainer


def test_the_names_that_others_rely_on():
    assert {"EMA", "ImageFolder", "Trainer", "TrainStep", "load", "loss", "open_images", "pack", "resume", "save"} <= set(
        diffkit_trainer.__all__
    )
    assert sorted(diffkit_trainer.__all__) == sorted(set(diffkit_trainer.__all__))
    assert all(hasattr(diffkit_trainer, name) for name in diffkit_trainer.__all__)
