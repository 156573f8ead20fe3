"""Which checkpoints are complete."""

import json
import shutil

import pytest
from diffkit_trainer import RunError, load, resume, save, weights_hash
from diffkit_trainer.files.atomic import sha256


def test_load_refuses_a_folder_without_a_run_or_checkpoint(tmp_path, run):
    with pytest.raises(RunError, match="no such run folder"):
        load(tmp_path / "none")
    with pytest.raises(RunError, match=r"is not a run folder: it has no config\.json"):
        load(tmp_path)
    with pytest.raises(RunError, match="has no checkpoint yet"):
        load(run)


FILES = ["config.json", "ema.safetensors", "manifest.json", "model.safetensors", "optimizer.safetensors", "state.json"]


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "damage",
    [flip, lambda path: path.write_bytes(path.read_bytes()[:-1]), lambda path: path.unlink(), lambda path: path.write_bytes(b"")],
    ids=["bit", "cut", "gone", "empty"],
)
def test_resume_warns_of_a_damaged_checkpoint_and_takes_the_one_before(
    run, name, damage, make_trainer, train_to, config, state_of, assert_same_state
):
    trainer = make_trainer()
    train_to(trainer, 1)
    save(run, trainer, config)
    good = state_of(trainer)
    train_to(trainer, 2)
    damage(save(run, trainer, config) / name)
    again = make_trainer()
    (warning,) = resume(run, again)
    assert str(run / "checkpoints" / "2") in warning
    assert "\n" not in warning
    assert_same_state(state_of(again), good)
    shutil.rmtree(run / "checkpoints" / "1")
    with pytest.raises(RunError, match="checkpoints/2"):
        load(run)


def test_load_takes_the_checkpoint_of_a_step_or_refuses_it_by_name(run, make_trainer, train_to, config):
    trainer, folders = make_trainer(), {}
    for step in (1, 2, 3):
        train_to(trainer, step)
        folders[step] = save(run, trainer, config, keep=3)
    one, two = (load(run, step=step) for step in (1, 2))
    assert (one.step, two.step, weights_hash(one.weights) == weights_hash(two.weights)) == (1, 2, False)
    flip(folders[2] / "ema.safetensors")
    folders[3].rename(run / "checkpoints" / "30")
    for step, message in (
        (2, "sha256 mismatch .*checkpoints/2/ema.safetensors"),
        (4, "has no checkpoint of step 4: it has those of 1, 2, 30"),
        (30, "checkpoints/30"),
    ):
        with pytest.raises(RunError, match=message):
            load(run, step=step)


def test_a_flipped_bit_is_a_sha256_mismatch(run, make_trainer, config):
    trainer = make_trainer()
    flip(save(run, trainer, config) / "ema.safetensors")
    with pytest.raises(RunError, match=r"sha256 mismatch .*ema.safetensors"):
        load(run)


@pytest.mark.parametrize("names", [["../x"], ["/etc/passwd"], FILES[1:], [*FILES, ".x"], [*FILES, "a/b"]])
def test_a_manifest_has_the_required_files_and_plain_names(run, names, config, make_trainer):
    path = save(run, make_trainer(), config) / "manifest.json"
    path.write_text(json.dumps({"sha256": dict.fromkeys(names, "0")}))
    with pytest.raises(RunError, match=r"manifest.json: expected the sums of"):
        load(run)


def test_a_further_file_of_a_checkpoint_is_verified(run, config, make_trainer):
    folder = save(run, make_trainer(), config)
    (folder / "later.json").write_text("{}")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"]["later.json"] = sha256(folder / "later.json")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert load(run).warnings == []
    (folder / "later.json").write_text("{ }")
    with pytest.raises(RunError, match=r"sha256 mismatch .*later.json"):
        load(run)


def test_a_renamed_checkpoint_is_refused_and_stays(run, config, make_trainer, train_to):
    trainer = make_trainer()
    for step in (1, 2):
        train_to(trainer, step)
        save(run, trainer, config)
    renamed = (run / "checkpoints" / "2").rename(run / "checkpoints" / "500")
    for use in (load, lambda run: resume(run, make_trainer())):
        with pytest.raises(RunError, match=r"checkpoints/500: is the checkpoint of step 2: rename it to 2$"):
            use(run)
    train_to(trainer, 3)
    with pytest.raises(RunError, match="500 is newer than step 3"):
        save(run, trainer, config)
    renamed.rename(run / "checkpoints" / "2")
    assert load(run).step == 2
