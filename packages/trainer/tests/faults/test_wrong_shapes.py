"""Every field of every file that the trainer reads, with wrong types and extreme values: harmless, or an error of one line."""

import json

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
    save_png,
    truncate_log,
    write_config,
    write_export,
    write_pipeline,
)
from diffkit_trainer.data.listing import list_images
from diffkit_trainer.data.packed.index import open_packed
from diffkit_trainer.figures.metadata import KEY
from diffkit_trainer.files.atomic import sha256
from diffkit_trainer.files.checksum_json import with_checksum
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import save_file


@pytest.fixture
def run(tmp_path, config, make_trainer, train_to):
    write_config(tmp_path / "run", config)
    trained = make_trainer()
    train_to(trained, 1)
    save(tmp_path / "run", trained, config)
    return tmp_path / "run"


def write_manifest(folder):
    manifest = {path.name: sha256(path) for path in folder.iterdir() if path.name != "manifest.json"}
    (folder / "manifest.json").write_text(json.dumps({"sha256": manifest}))


def try_every_value(invalid, path, outcomes, read, *, write=None, named=None):
    """Read the file with each wrong text, each wrong field, and with something else in offsets; then restore trained."""
    text = path.read_text()
    write = write or (lambda document: path.write_text(json.dumps(document)))
    with invalid.limited_memory():
        for name, other in invalid.texts.items():
            path.write_bytes(other.encode("latin-1"))
            outcomes.add(name, named or path.name, read)
        for name, document in invalid.fields(json.loads(text)):
            write(document)
            outcomes.add(name, named or path.name, read)
        path.write_text(text)
        for name in invalid.special_files(path):
            outcomes.add(name, named or path.name, read)


def test_wrong_values_in_a_run_s_config(run, invalid):
    outcomes = invalid.Outcomes(RunError)
    try_every_value(invalid, run / "config.json", outcomes, lambda: read_config(run), named=str(run))
    assert outcomes.refused >= len(invalid.texts)


def test_wrong_values_in_the_manifest(run, invalid):
    outcomes = invalid.Outcomes(RunError)
    try_every_value(invalid, run / "checkpoints" / "1" / "manifest.json", outcomes, lambda: load(run), named="checkpoints/1/")
    assert outcomes.refused > 100


def test_wrong_values_in_the_state(run, make_trainer, invalid):
    """A state that is accepted can be resumed and gives finite metrics."""
    outcomes, folder, trained = invalid.Outcomes(RunError), run / "checkpoints" / "1", make_trainer()
    experiments = invalid.Outcomes(RunError, ValueError)  # another experiment is not damage

    def read():
        resume(run, trained)
        json.dumps(trained.metrics(), allow_nan=False)

    def write(document):
        (folder / "state.json").write_text(json.dumps(document))
        write_manifest(folder)

    def texts():
        write_manifest(folder)
        read()

    path = folder / "state.json"
    text = path.read_text()
    for name, other in invalid.texts.items():
        path.write_bytes(other.encode("latin-1"))
        outcomes.add(name, "state.json", texts)
    with invalid.limited_memory():
        for name, document in invalid.fields(json.loads(text)):
            write(document)
            either = experiments if name.startswith("experiment") else outcomes
            either.add(name, "checkpoints/1", read)
    path.write_text(text)
    write_manifest(folder)
    for name in invalid.special_files(path):
        outcomes.add(name, "state.json", read)
    assert outcomes.refused > 150, outcomes.accepted


def test_wrong_lines_in_the_log(run, invalid):
    """Invalid lines are left out. Anything but a regular file is refused; a missing log is empty."""
    log, entry = run / "log.jsonl", {"step": 3, "loss": 0.5, "lr": 1e-3, "loss_by_t": [0.1, None], "last": True}
    good = json.dumps({"step": 1, "loss": 0.25})
    lines = [*(json.dumps(document) for _, document in invalid.fields(entry)), *invalid.texts.values()]
    with invalid.limited_memory():
        for line in lines:
            log.write_bytes(f"{good}\n{line}\n{good}\n".encode("utf-8", "replace"))
            entries = read_log(run)
            assert entries[0] == entries[-1] == json.loads(good)
            assert 2 <= len(entries) <= 3
            assert all(type(each["step"]) is int and f"{each.get('loss') or 0:.4f}" for each in entries)
            truncate_log(run, 2)
            assert read_log(run)[0] == json.loads(good)
    outcomes = invalid.Outcomes(RunError)
    for name in invalid.special_files(log):
        outcomes.add(name, "log.jsonl", read_log, run)
    assert outcomes.refused == 4 - 1


def test_wrong_values_in_the_header_of_an_export(tmp_path, config, invalid):
    path, outcomes = tmp_path / "net.safetensors", invalid.Outcomes(RunError)
    write_export(path, ExportedNetwork({"a": torch.ones(2), "b": torch.ones(3)}, config, 3, raw=False))
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header, rest = json.loads(data[8 : 8 + length]), data[8 + length :]

    def expected(config):
        return {"a": torch.empty(2, device="meta"), "b": torch.empty(3, device="meta")}

    def write(text):
        path.write_bytes(len(text).to_bytes(8, "little") + text + rest)

    with invalid.limited_memory():
        for name, text in invalid.texts.items():
            write(text.encode("latin-1"))
            outcomes.add(name, path.name, read_export, path, expected)
        for name, document in invalid.fields(header):
            write(json.dumps(document).encode())
            outcomes.add(name, path.name, read_export, path, expected)
        for name, document in invalid.fields(json.loads(header["__metadata__"]["diffkit"])):
            write(json.dumps(header | {"__metadata__": {"diffkit": json.dumps(document)}}).encode())
            outcomes.add(name, path.name, read_export, path, expected)
        for name in invalid.special_files(path):
            outcomes.add(name, path.name, read_export, path, expected)
    assert outcomes.refused > 200


def test_an_empty_tensor_with_huge_sides_is_refused(tmp_path):
    path = tmp_path / "net.safetensors"
    sides = {"a": {"dtype": "F32", "shape": [0, *[10**6] * 7], "data_offsets": [0, 0]}}
    text = json.dumps(sides).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(10**6))
    with pytest.raises(RunError, match=r"net\.safetensors: 'a': expected a type, a shape and offsets"):
        read_export(path, lambda config: {})


def test_wrong_values_in_image_metadata(tmp_path, invalid):
    path, outcomes = tmp_path / "a.png", invalid.Outcomes(DataError)
    save_png(torch.zeros(1, 8, 8, dtype=torch.uint8), path, {"seed": 3, "size": [8, 8]})
    metadata = {"format": 1, "seed": 3, "size": [8, 8]}
    with Image.open(path) as image:
        assert json.loads(image.info[KEY]) == metadata

    def write(text):
        info = PngInfo()
        info.add_itxt(KEY, text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
        Image.new("L", (8, 8)).save(path, pnginfo=info)

    with invalid.limited_memory():
        for name, text in invalid.texts.items():
            write(text)
            outcomes.add(name, path.name, read_metadata, path)
        for name, document in invalid.fields(metadata):
            write(json.dumps(document))
            outcomes.add(name, path.name, read_metadata, path)
        for name in invalid.special_files(path):
            outcomes.add(name, path.name, read_metadata, path)
    assert outcomes.refused >= len(invalid.texts)


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFKIT_CACHE", str(tmp_path / "cache"))
    for i in range(4):
        (tmp_path / "data" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (i, 2, 3)).save(tmp_path / "data" / "ab"[i % 2] / f"{i}.png")
    (tmp_path / "data" / "a" / "bad.png").touch()
    return tmp_path / "data"


def test_wrong_values_in_the_index_of_a_pack(data, tmp_path, invalid):
    """An index that is accepted, with a matching checksum, gives the folder's pixels."""
    expected = open_images(data, 4, skip_bad=True)
    pack(data, 4, skip_bad=True)
    (path,) = tmp_path.glob("cache/packed/*/index.json")
    outcomes, index = invalid.Outcomes(RunError, DataError), json.loads(path.read_text())
    unsigned = {key: value for key, value in index.items() if key != "sha256"}

    def read():
        _, images = open_packed(path.parent, list_images(data), "data")
        assert torch.equal(images.pixels, expected.pixels)
        assert torch.equal(images.labels, expected.labels)
        assert len(images.statistics()[0]) == 3

    with invalid.limited_memory():
        for text in (*invalid.texts.values(), json.dumps(unsigned), json.dumps(index | {"mean": [0.1] * 3})):
            path.write_bytes(text.encode("latin-1"))
            outcomes.add(text, path.parent.name, read)
        assert outcomes.accepted == 0
        for name, other in invalid.fields(unsigned):
            path.write_text(json.dumps(with_checksum(other)))
            outcomes.add(name, path.parent.name, read)
        for name in invalid.special_files(path):
            outcomes.add(name, path.parent.name, read)
    assert outcomes.refused > 100


def test_wrong_values_in_a_pipeline_folder(tmp_path, invalid):
    network = {"_class_name": "UNet2DModel", "sample_size": 8, "block_out_channels": [8, 16]}
    scheduler = {"_class_name": "DDPMScheduler", "num_train_timesteps": 1000, "trained_betas": [0.1], "beta_start": 0.1}
    write_pipeline(tmp_path / "pipeline", Pipeline("DDPMPipeline", network, {"a": torch.ones(2)}, scheduler))
    outcomes = invalid.Outcomes(RunError)
    for name in ("model_index.json", "unet/config.json", "scheduler/scheduler_config.json"):
        path = tmp_path / "pipeline" / name
        try_every_value(invalid, path, outcomes, lambda: read_pipeline(tmp_path / "pipeline"), named="pipeline")
    assert outcomes.refused > 100


@pytest.mark.parametrize("betas", [{"num_train_timesteps": 10**9}, {"num_train_timesteps": 10**12}, {"trained_betas": "0.1"}])
def test_a_scheduler_beyond_any_memory_is_refused(tmp_path, betas, invalid):
    scheduler = {"_class_name": "DDPMScheduler"} | betas
    write_pipeline(tmp_path, Pipeline("DDPMPipeline", {"_class_name": "UNet2DModel"}, {"a": torch.ones(2)}, scheduler))
    message = r"scheduler_config\.json: (num_train_timesteps|trained_betas): expected"
    with invalid.limited_memory(), pytest.raises(RunError, match=message):
        read_pipeline(tmp_path)


def test_a_newer_format_is_refused(run, tmp_path, config, make_trainer):
    """Format 1 is written; files without a format are read as 1; later formats are refused."""
    for name in ("config.json", "checkpoints/1/config.json", "checkpoints/1/state.json", "checkpoints/1/manifest.json"):
        assert json.loads((run / name).read_text())["format"] == 1
    for name, read in (
        ("config.json", lambda: read_config(run)),
        ("checkpoints/1/state.json", lambda: resume(run, make_trainer())),
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
            write_manifest(run / "checkpoints" / "1")
            if refused:
                with pytest.raises(
                    RunError, match=rf"{name}: is written in format 2, this diffkit reads formats up to 1: upgrade"
                ):
                    read()
            else:
                read()
        path.write_text(json.dumps(document))
        write_manifest(run / "checkpoints" / "1")
    assert read_config(run) == config == load(run).config
    net = tmp_path / "net.safetensors"
    save_file({"a": torch.ones(2)}, net, {"diffkit": json.dumps({"format": 2, "config": {}, "step": 1, "raw": False})})
    with pytest.raises(RunError, match=r"net\.safetensors: is written in format 2"):
        read_export(net, lambda config: {"a": torch.empty(2)})
