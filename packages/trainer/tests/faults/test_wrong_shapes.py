"""Every field of every file that the trainer reads, through wrong types and extremes: taken and harmless, or one line."""

import json
import os
import shutil

import pytest
import torch
from diffkit_trainer import (
    DataError,
    ExportedNetwork,
    Pipeline,
    RunError,
    load,
    open_images,
    pack,
    read_config,
    read_export,
    read_log,
    read_metadata,
    read_pipeline,
    resume,
    save,
    to_png,
    truncate_log,
    write_config,
    write_export,
    write_pipeline,
)
from diffkit_trainer.data.packed.index import open_packed
from diffkit_trainer.figures.metadata import KEY
from diffkit_trainer.files.atomic import sha256
from diffkit_trainer.files.signed_json import signed
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import save_file
from tiny_trainer import CONFIG, run_to, trainer
from wrong_shapes import TEXTS, Outcomes, little_memory, mutations, no_files


@pytest.fixture
def run(tmp_path):
    write_config(tmp_path / "run", CONFIG)
    it = trainer()
    run_to(it, 1)
    save(tmp_path / "run", it, CONFIG)
    return tmp_path / "run"


def resign(folder):
    manifest = {path.name: sha256(path) for path in folder.iterdir() if path.name != "manifest.json"}
    (folder / "manifest.json").write_text(json.dumps({"sha256": manifest}))


def walked(path, outcomes, door, *, write=None, named=None):
    """The file with each wrong text, each wrong field, and with what is no file; then as it was."""
    text = path.read_text()
    write = write or (lambda document: path.write_text(json.dumps(document)))
    with little_memory():
        for name, other in TEXTS.items():
            path.write_bytes(other.encode("latin-1"))
            outcomes.of(name, named or path.name, door)
        for name, document in mutations(json.loads(text)):
            write(document)
            outcomes.of(name, named or path.name, door)
        path.write_text(text)
        for name in no_files(path):
            outcomes.of(name, named or path.name, door)


def test_the_config_of_a_run(run):
    outcomes = Outcomes(RunError)
    walked(run / "config.json", outcomes, lambda: read_config(run), named=str(run))
    assert outcomes.refused >= len(TEXTS)


def test_the_manifest(run):
    outcomes = Outcomes(RunError)
    walked(run / "checkpoints" / "1" / "manifest.json", outcomes, lambda: load(run), named="checkpoints/1/")
    assert outcomes.refused > 100


def test_the_state(run):
    """What is taken also goes on, logs and saves."""
    outcomes, folder, it = Outcomes(RunError), run / "checkpoints" / "1", trainer()
    experiments = Outcomes(RunError, ValueError)  # another experiment is no damage: the caller's to decide

    def door():
        resume(run, it)
        json.dumps(it.metrics(), allow_nan=False)

    def write(document):
        (folder / "state.json").write_text(json.dumps(document))
        resign(folder)

    def texts():
        resign(folder)
        door()

    path = folder / "state.json"
    text = path.read_text()
    for name, other in TEXTS.items():
        path.write_bytes(other.encode("latin-1"))
        outcomes.of(name, "state.json", texts)
    with little_memory():
        for name, document in mutations(json.loads(text)):
            write(document)
            of_one = experiments if name.startswith("experiment") else outcomes
            of_one.of(name, "checkpoints/1", door)
    path.write_text(text)
    resign(folder)
    for name in no_files(path):
        outcomes.of(name, "state.json", door)
    assert outcomes.refused > 150, outcomes.taken


def test_the_log(run):
    """A line that is none is left out; what is no file is refused, except where it is not there."""
    log, entry = run / "log.jsonl", {"step": 3, "loss": 0.5, "lr": 1e-3, "loss_by_t": [0.1, None], "last": True}
    good = json.dumps({"step": 1, "loss": 0.25})
    lines = [*(json.dumps(document) for _, document in mutations(entry)), *TEXTS.values()]
    with little_memory():
        for line in lines:
            log.write_bytes(f"{good}\n{line}\n{good}\n".encode("utf-8", "replace"))
            entries = read_log(run)
            assert entries[0] == entries[-1] == json.loads(good)
            assert 2 <= len(entries) <= 3
            assert all(type(each["step"]) is int and f"{each.get('loss') or 0:.4f}" for each in entries)
            truncate_log(run, 2)
            assert read_log(run)[0] == json.loads(good)
    outcomes = Outcomes(RunError)
    for name in no_files(log):
        outcomes.of(name, "log.jsonl", read_log, run)
    assert outcomes.refused == 4 - 1


def test_the_header_of_an_export(tmp_path):
    path, outcomes = tmp_path / "net.safetensors", Outcomes(RunError)
    write_export(path, ExportedNetwork({"a": torch.ones(2), "b": torch.ones(3)}, CONFIG, 3, raw=False))
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header, rest = json.loads(data[8 : 8 + length]), data[8 + length :]

    def expected(config):
        return {"a": torch.empty(2, device="meta"), "b": torch.empty(3, device="meta")}

    def write(text):
        path.write_bytes(len(text).to_bytes(8, "little") + text + rest)

    with little_memory():
        for name, text in TEXTS.items():
            write(text.encode("latin-1"))
            outcomes.of(name, path.name, read_export, path, expected)
        for name, document in mutations(header):
            write(json.dumps(document).encode())
            outcomes.of(name, path.name, read_export, path, expected)
        for name, document in mutations(json.loads(header["__metadata__"]["diffkit"])):
            write(json.dumps(header | {"__metadata__": {"diffkit": json.dumps(document)}}).encode())
            outcomes.of(name, path.name, read_export, path, expected)
        for name in no_files(path):
            outcomes.of(name, path.name, read_export, path, expected)
    assert outcomes.refused > 200


def test_a_tensor_of_no_elements_and_endless_sides(tmp_path):
    path = tmp_path / "net.safetensors"
    sides = {"a": {"dtype": "F32", "shape": [0, *[10**6] * 7], "data_offsets": [0, 0]}}
    text = json.dumps(sides).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(10**6))
    with pytest.raises(RunError, match=r"net\.safetensors: 'a': expected a type, a shape and its place"):
        read_export(path, lambda config: {})


def test_the_note_of_a_picture(tmp_path):
    path, outcomes = tmp_path / "a.png", Outcomes(DataError)
    to_png(torch.zeros(1, 8, 8, dtype=torch.uint8), path, {"seed": 3, "size": [8, 8]})
    note = {"format": 1, "seed": 3, "size": [8, 8]}
    with Image.open(path) as image:
        assert json.loads(image.info[KEY]) == note

    def write(text):
        info = PngInfo()
        info.add_itxt(KEY, text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
        Image.new("L", (8, 8)).save(path, pnginfo=info)

    with little_memory():
        for name, text in TEXTS.items():
            write(text)
            outcomes.of(name, path.name, read_metadata, path)
        for name, document in mutations(note):
            write(json.dumps(document))
            outcomes.of(name, path.name, read_metadata, path)
        for name in no_files(path):
            outcomes.of(name, path.name, read_metadata, path)
    assert outcomes.refused >= len(TEXTS)


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFKIT_CACHE", str(tmp_path / "cache"))
    for i in range(4):
        (tmp_path / "data" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (i, 2, 3)).save(tmp_path / "data" / "ab"[i % 2] / f"{i}.png")
    (tmp_path / "data" / "a" / "bad.png").touch()
    return tmp_path / "data"


def test_the_index_of_a_pack(data, tmp_path):
    """What is not refused, and so packed anew, has the folder's pixels, though its sum was made to agree."""
    expected = open_images(data, 4, skip_bad=True)
    pack(data, 4, skip_bad=True)
    (path,) = tmp_path.glob("cache/packed/*/index.json")
    outcomes, index = Outcomes(RunError, DataError), json.loads(path.read_text())
    unsigned = {key: value for key, value in index.items() if key != "sha256"}

    def door():
        _, images = open_packed(path.parent, data, "data")
        assert torch.equal(images.pixels, expected.pixels)
        assert torch.equal(images.labels, expected.labels)
        assert len(images.statistics()[0]) == 3

    with little_memory():
        for text in (*TEXTS.values(), json.dumps(unsigned), json.dumps(index | {"mean": [0.1] * 3})):
            path.write_bytes(text.encode("latin-1"))
            outcomes.of(text, path.parent.name, door)
        assert outcomes.taken == 0
        for name, other in mutations(unsigned):
            path.write_text(json.dumps(signed(other)))
            outcomes.of(name, path.parent.name, door)
        for name in no_files(path):
            outcomes.of(name, path.parent.name, door)
    assert outcomes.refused > 100


def test_the_folder_of_a_pipeline(tmp_path):
    layers = {"_class_name": "UNet2DModel", "sample_size": 8, "block_out_channels": [8, 16]}
    noise = {"_class_name": "DDPMScheduler", "num_train_timesteps": 1000, "trained_betas": [0.1], "beta_start": 0.1}
    write_pipeline(tmp_path / "them", Pipeline("DDPMPipeline", layers, {"a": torch.ones(2)}, noise))
    outcomes = Outcomes(RunError)
    for name in ("model_index.json", "unet/config.json", "scheduler/scheduler_config.json"):
        walked(tmp_path / "them" / name, outcomes, lambda: read_pipeline(tmp_path / "them"), named="them")
    assert outcomes.refused > 100


@pytest.mark.parametrize("betas", [{"num_train_timesteps": 10**9}, {"num_train_timesteps": 10**12}, {"trained_betas": "0.1"}])
def test_a_scheduler_that_no_memory_holds(tmp_path, betas):
    noise = {"_class_name": "DDPMScheduler"} | betas
    write_pipeline(tmp_path, Pipeline("DDPMPipeline", {"_class_name": "UNet2DModel"}, {"a": torch.ones(2)}, noise))
    with little_memory(), pytest.raises(RunError, match=r"scheduler_config\.json: (num_train_timesteps|trained_betas): expected"):
        read_pipeline(tmp_path)


def test_a_format_that_is_not_known_is_named(run, tmp_path):
    """1 is what is written; a file without one is from before, a larger one from later."""
    for name in ("config.json", "checkpoints/1/config.json", "checkpoints/1/state.json", "checkpoints/1/manifest.json"):
        assert json.loads((run / name).read_text())["format"] == 1
    for name, door in (
        ("config.json", lambda: read_config(run)),
        ("checkpoints/1/state.json", lambda: resume(run, trainer())),
        ("checkpoints/1/config.json", lambda: load(run)),
    ):
        path = run / name
        document = json.loads(path.read_text())
        for found, refused in ((None, False), (1, False), (2, True)):
            path.write_text(
                json.dumps(
                    {key: each for key, each in document.items() if key != "format"} | ({"format": found} if found else {})
                )
            )
            resign(run / "checkpoints" / "1")
            if refused:
                with pytest.raises(RunError, match=rf"{name}: is written in format 2, formats up to 1 are known here: upgrade"):
                    door()
            else:
                door()
        path.write_text(json.dumps(document))
        resign(run / "checkpoints" / "1")
    assert read_config(run) == CONFIG == load(run).config
    net = tmp_path / "net.safetensors"
    save_file({"a": torch.ones(2)}, net, {"diffkit": json.dumps({"format": 2, "config": {}, "step": 1, "raw": False})})
    with pytest.raises(RunError, match=r"net\.safetensors: is written in format 2"):
        read_export(net, lambda config: {"a": torch.empty(2)})


def test_an_export_is_synced_to_the_disk(tmp_path, monkeypatch):
    """Under its temporary name, before it gets its own."""
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda each: (synced.append(os.readlink(f"/proc/self/fd/{each}")), fsync(each))[1])
    write_export(tmp_path / "net.safetensors", ExportedNetwork({"a": torch.ones(2)}, {}, 0, raw=True))
    assert synced == [str(tmp_path / f".net.safetensors.{os.getpid()}.tmp"), str(tmp_path)]
    shutil.rmtree(tmp_path)
