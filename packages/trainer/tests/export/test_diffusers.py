"""Pipeline folders of diffusers: the round trip, and folders that are refused."""

import json

import pytest
import torch
from diffkit_trainer import Pipeline, RunError, read_pipeline, write_pipeline

PIPELINE = Pipeline(
    "DDPMPipeline",
    {"_class_name": "UNet2DModel", "sample_size": 8},
    {"a": torch.ones(2)},
    {"_class_name": "DDPMScheduler", "num_train_timesteps": 1000},
)


def test_a_pipeline_round_trips(tmp_path):
    write_pipeline(tmp_path, PIPELINE)
    name, network, weights, scheduler = read_pipeline(tmp_path)
    assert (name, network, scheduler) == (PIPELINE.name, PIPELINE.network, PIPELINE.scheduler)
    assert torch.equal(weights["a"], torch.ones(2))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"vae": ["diffusers", "AutoencoderKL"]}, "found vae"),
        ({"unet": None, "scheduler": None}, "found no scheduler and no unet"),
    ],
)
def test_other_components_are_refused(tmp_path, change, found):
    write_pipeline(tmp_path, PIPELINE)
    index = json.loads((tmp_path / "model_index.json").read_text())
    (tmp_path / "model_index.json").write_text(json.dumps(index | change))
    with pytest.raises(RunError, match=rf"model_index\.json: expected a network \(unet\) and a scheduler only, {found}$"):
        read_pipeline(tmp_path)


def test_a_pickle_is_refused_with_the_command_that_converts_it(tmp_path):
    write_pipeline(tmp_path, PIPELINE)
    (tmp_path / "unet" / "diffusion_pytorch_model.safetensors").rename(tmp_path / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(RunError, match=r"model\.bin: is a pickle, which can run code; .*from_pretrained\(.*save_pretrained\("):
        read_pipeline(tmp_path)


def test_other_folders_are_refused(tmp_path):
    (tmp_path / "file").touch()
    for name, found in (("missing", "found nothing"), ("file", "found a file"), (".", r"found no model_index\.json in it")):
        with pytest.raises(RunError, match=f"expected a pipeline folder of diffusers, {found}"):
            read_pipeline(tmp_path / name)
