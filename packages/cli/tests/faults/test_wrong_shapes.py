"""Every field of what the command reads, through wrong types and extremes: taken and harmless, or one line with its name."""

import json
import os

import msgspec
import pytest
import torch
from diffkit_cli.errors import UsageError
from diffkit_cli.reports.run import describe
from diffkit_cli.run_config import RunConfig
from diffkit_cli.sampling.loading import load_model
from diffkit_cli.sampling.metadata import options_to_reproduce, read_sample_metadata
from diffkit_cli.sampling.options import resolve as resolve_sampling
from diffkit_cli.training.build import build_trainer, network_config_of
from diffkit_cli.training.options import OPTIONS, TrainOptions
from diffkit_cli.training.parse import read_toml, to_toml
from diffkit_cli.training.start.resolve import resolve, resolve_resumed
from diffkit_samplers import NotFiniteError
from diffkit_schedules import cosine
from diffkit_trainer import DataError, RunError, World, open_images, read_config, save_png
from diffkit_unet import UNet
from safetensors.torch import save

from testing.fixtures import TEXTS, Outcomes, invalid_fields, limited_memory, special_files

from ..helpers import process, refusal


@pytest.fixture(scope="module")
def network():
    return UNet(1, widths=(8, 16), block_depth=1, embedding=8, num_classes=10)


@pytest.fixture(scope="module")
def config(network):
    """A config as `diffkit train` writes it, and two keys of imported networks."""
    options = resolve({"preset": "small"}, side=8, size=None)
    training = {name: value for name, value in msgspec.to_builtins(options).items() if name in OPTIONS}
    inner = {"name": "offset_cosine", "max_signal": 0.95, "min_signal": 0.02}
    return {
        "data": {"source": training.pop("data"), "images": 1797, "fingerprint": "", "classes": ["a", "b"]},
        "image": {"channels": 1, "height": 8, "width": 8},
        "normalisation": {"mean": [0.5], "std": [0.25]},
        "network": network.to_config(),
        "schedule": {"name": "shift", "schedule": inner, "factor": 1.5},
        "prediction": "eps",
        "condition": "variance",
        "training": training | {"schedule": "shift"},
        "clip_x0": 1.5,
        "imported": "of a test",
    }


def exported(path, network, config):
    text = json.dumps({"format": 1, "config": config, "step": 3, "raw": False})
    path.write_bytes(save(network.state_dict(), {"diffkit": text}))


def test_wrong_values_in_the_config_of_an_export_are_refused(network, config, tmp_path):
    """Each change is refused by its name, or the network samples an image."""
    path, outcomes = tmp_path / "net.safetensors", Outcomes(RunError)
    told = {key: config["training"][key] for key in ("preset", "batch_size", "lr", "ema", "seed", "steps")}

    def door(draws):
        source = load_model(path, raw=False, device="cpu").model
        try:
            if draws:
                source.from_noise(source.noise([0], (8, 8)), steps=2)
        except ValueError as error:
            assert isinstance(error, NotFiniteError) or " is undefined at " in str(error)  # noqa: PT017

    with limited_memory(), torch.inference_mode():
        for what, document in invalid_fields(config | {"training": told}):
            exported(path, network, document)
            outcomes.add(what, path.name, door, not what.startswith(("data", "training")))
    assert outcomes.refused > 500, outcomes.accepted


TABLES = [
    {"name": "linear_betas", "T": 10**9, "start": 1e-4, "end": 0.02},
    {"name": "cosine_betas", "T": 10**12},
    {"name": "shift", "factor": 2.0, "schedule": {"name": "zero_terminal_snr", "schedule": {"name": "linear_betas", "T": 10**9}}},
    {"name": "discrete", "betas": [0.5] * (10**6 + 1)},
]


@pytest.mark.parametrize("schedule", TABLES, ids=["10^9", "10^12", "inside", "written out"])
def test_a_schedule_larger_than_memory_is_refused(network, config, tmp_path, schedule):
    path = tmp_path / "net.safetensors"
    exported(path, network, config | {"schedule": schedule})
    with limited_memory(), pytest.raises(RunError, match=r"net\.safetensors: (schedule: .*expected|expected a header)"):
        load_model(path, raw=False, device="cpu")


def test_a_config_larger_than_its_file_takes_no_memory(network, config, tmp_path):
    path = tmp_path / "net.safetensors"
    exported(path, network, config | {"network": config["network"] | {"widths": [8, 4000], "block_depth": 3}})
    with limited_memory(), pytest.raises(RunError, match=r"net\.safetensors: .*: expected float32 of shape"):
        load_model(path, raw=False, device="cpu")


def test_wrong_values_in_the_config_of_a_run_are_refused(config, tmp_path):
    """`info` describes a config that is accepted; `train --resume` resumes it."""
    path, shown, gone_on = tmp_path / "config.json", Outcomes(RunError), Outcomes(RunError)
    images = open_images("digits")
    config = config | {"schedule": config["schedule"]["schedule"]}
    config["training"] = config["training"] | {"schedule": "offset_cosine", "batch_size": 2, "class_dropout": 0.1}

    def resume(builds):
        stored = RunConfig.in_folder(tmp_path, read_config(tmp_path))
        going_on = resolve_resumed(stored, {}, tmp_path)
        if builds:
            network = network_config_of(going_on, images, stored)
            build_trainer(network, images, stored, None, World(), "cpu", going_on)

    with limited_memory():
        for what, document in invalid_fields(config):
            path.write_text(json.dumps(document))
            if not what.startswith(("training.", "network.")):
                shown.add(what, "config.json", describe, tmp_path)
            gone_on.add(what, "config.json", resume, what.startswith(("network", "schedule")))
        for what, text in TEXTS.items():
            path.write_bytes(text.encode("latin-1"))
            shown.add(what, "config.json", describe, tmp_path)
            gone_on.add(what, "config.json", resume, True)
        for what in special_files(path):
            shown.add(what, str(tmp_path), describe, tmp_path)
            gone_on.add(what, str(tmp_path), resume, True)
    assert shown.refused > 100
    assert gone_on.refused > 500


def test_wrong_values_in_png_metadata_are_refused(tmp_path):
    """Metadata that are accepted give options that can be sampled with."""
    path, outcomes = tmp_path / "a.png", Outcomes(DataError)
    note = {
        **{"command": "sample", "weights": "0" * 16, "step": 6, "raw": False, "seed": 3, "n": 1, "grid": False, "classes": ["0"]},
        **{"size": [8, 8], "sampler": "ddim", "steps": 20, "eta": 0.0, "spacing": "uniform", "guidance": 1.0},
        **{"init": "0" * 16, "strength": 0.6},
    }

    def door():
        options = options_to_reproduce(read_sample_metadata(path), {})
        assert 1 <= resolve_sampling(options, cosine(), options["size"]).n <= 10**6

    with limited_memory():
        for what, document in invalid_fields(note):
            save_png(torch.zeros(1, 8, 8, dtype=torch.uint8), path, document)
            outcomes.add(what, path.name, door)
        for what in special_files(path):
            outcomes.add(what, path.name, door)
    assert outcomes.refused > 150


WORDS = [
    "true",
    "-1",
    "0",
    "1e308",
    "-1e308",
    "nan",
    "inf",
    "10" * 30,
    '""',
    '"x"',
    '"none"',
    "[]",
    "[[]]",
    "{}",
    "1979-05-27",
    "1.5",
]


def test_wrong_values_in_a_config_file_are_refused(tmp_path):
    path, outcomes = tmp_path / "a.toml", Outcomes(UsageError)
    lines = to_toml(TrainOptions()).splitlines()
    texts = ["", "x", "= 1", "[a]", "a = 1\na = 2", "size = " + "[" * 10**5, "\x00", 'size = "', "size = 64\n" * 2, "#" * 2**21]
    texts += [f"{line.split(' ')[0]} = {word}" for line in lines for word in WORDS]
    with limited_memory():
        for text in texts:
            path.write_text(text)
            outcomes.add(text[:60], path.name, read_toml, path)
        path.write_bytes(b"\xff")
        outcomes.add("no UTF-8", path.name, read_toml, path)
        for what in special_files(path):
            outcomes.add(what, path.name, read_toml, path)
    assert outcomes.refused > 300


@pytest.mark.parametrize("kind", ["FIFO", "device"])
@pytest.mark.parametrize(
    ("command", "file", "code"),
    [
        ("info run", "run/log.jsonl", 4),
        ("info run", "run/history.jsonl", 4),
        ("info a.png", "a.png", 3),
        ("sample run --like a.png", "a.png", 3),
        ("sample --init a.png", "a.png", 3),
        ("train --config a.toml --out new", "a.toml", 2),
    ],
)
def test_a_fifo_or_device_is_refused_without_waiting(network, config, tmp_path, command, file, code, kind):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    os.mkfifo(tmp_path / file) if kind == "FIFO" else (tmp_path / file).symlink_to("/dev/zero")
    said = refusal(process(*command.split(), cwd=tmp_path), code)
    assert f"{file}: " in said, said
    assert f"a {kind}" in said, said


def test_a_damaged_log_is_named_itself_or_its_lines_are_skipped(network, config, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    log, good = tmp_path / "run" / "log.jsonl", '{"step": 3, "loss": 0.5}'
    for line in ("\x00\xff", "{", "[]", '{"step": 4, "loss": 1e999}', '{"step": 4, "loss": ' + "9" * 9999 + "}", '{"step": "4"}'):
        log.write_bytes(f"{good}\n{line}\n".encode("latin-1"))
        assert "logged to step 3, smoothed loss 0.5000" in " ".join(process("info", "run", cwd=tmp_path).stdout.split())
    log.unlink()
    log.mkdir()
    assert "run/log.jsonl: expected a regular file, found a folder" in refusal(process("info", "run", cwd=tmp_path), 4)


def test_rank_alone_is_one_line(tmp_path):
    done = process("train", "--out", "run", cwd=tmp_path, env={**os.environ, "RANK": "1"})
    assert "expected the environment of torchrun, found RANK=1 without WORLD_SIZE, " in refusal(done, 2)
    assert list(tmp_path.iterdir()) == []
