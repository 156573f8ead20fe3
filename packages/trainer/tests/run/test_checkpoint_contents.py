"""The state of a trainer: one copy of it, and the checks of its numbers."""

import json

import pytest
import torch
from diffkit_trainer import RunError, resume, save, write_config
from diffkit_trainer.run.checkpoint_contents import snapshot
from torch.utils._python_dispatch import TorchDispatchMode


class Copies(TorchDispatchMode):
    """Counts the tensors that are made by copying."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        self.count += function in (torch.ops.aten._to_copy.default, torch.ops.aten.clone.default)
        return function(*arguments, **(named or {}))


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_snapshot_is_one_copy(channels_last, make_trainer, train_to):
    trainer = make_trainer(channels_last=channels_last)
    train_to(trainer, 1)
    with Copies() as copies:
        state = snapshot(trainer, copied=True)
    tensors = [value for values in state.tensors.values() for value in values.values()]
    assert copies.count - 1 == len(tensors), "and the sums of the log"
    assert all(value.is_contiguous() for value in tensors)


def resign(folder):
    from diffkit_trainer.files.atomic import sha256

    manifest = {path.name: sha256(path) for path in folder.iterdir() if path.name != "manifest.json"}
    (folder / "manifest.json").write_text(json.dumps({"sha256": manifest}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("step", None), ("step", -1), ("step", 1.5), ("step", 10**30), ("updates", "3"), ("ema_updates", True)),
        *(("sums", [1.0]), ("sums", ["a"] * 12), ("environment", 1), ("scale", [1])),
    ],
)
def test_resume_names_a_number_that_is_invalid(run, key, value, make_trainer, train_to, config):
    trainer = make_trainer()
    train_to(trainer, 1)
    path = save(run, trainer, config)
    numbers = json.loads((path / "state.json").read_text())
    numbers[key] = value
    (path / "state.json").write_text(json.dumps(numbers))
    resign(path)
    with pytest.raises(RunError, match=rf"state.json: {key}") as caught:
        resume(run, make_trainer())
    assert "\n" not in str(caught.value)


def test_resume_warns_of_options_that_change_the_result_by_rounding(tmp_path, config, make_trainer, train_to):
    write_config(tmp_path, config)
    trainer = make_trainer()
    train_to(trainer, 1)
    save(tmp_path, trainer, config)
    (line,) = resume(tmp_path, make_trainer(accumulate=2, channels_last=True))
    assert line == (
        "accumulate is 2 here and was 1, channels_last is True here and was False: "
        "the same training up to rounding, not bit for bit"
    )
