"""Networks imported from diffusers and exported to it, compared with its pipelines on the same noise."""

import json

import numpy as np
import pytest
import torch
from diffkit_samplers import seeded
from diffkit_trainer import read_metadata
from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, DDPMScheduler, DiffusionPipeline, UNet2DModel

from ..helpers import near, one_line, pixels

pytestmark = pytest.mark.filterwarnings("ignore")  # diffusers' own, of what will change

STEPS, SEEDS = 5, range(3)


def network(channels=3, **changes):
    """A network for comparison: diffusers' own layers, every weight random."""
    torch.manual_seed(0)
    kinds = {"down_block_types": ("DownBlock2D", "AttnDownBlock2D"), "up_block_types": ("AttnUpBlock2D", "UpBlock2D")}
    sizes = {"sample_size": 8, "in_channels": channels, "out_channels": channels, "block_out_channels": (16, 32)}
    return UNet2DModel(**(sizes | kinds | {"norm_num_groups": 8, "layers_per_block": 1} | changes))


SCHEDULERS = {
    "as they come": DDIMScheduler(),  # clips
    "without clipping": DDIMScheduler(clip_sample=False, beta_schedule="scaled_linear", beta_end=0.03),
    "v on a cosine": DDIMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", clip_sample_range=2.0),
    "zero terminal SNR": DDIMScheduler(
        rescale_betas_zero_snr=True, prediction_type="v_prediction", timestep_spacing="trailing", clip_sample=False
    ),
    "a table": DDIMScheduler(trained_betas=list(np.linspace(0.001, 0.03, 500)), num_train_timesteps=500),
}


def drawn_by(pipeline, monkeypatch, steps=STEPS):
    """The bytes of each image of diffusers' DDIM pipeline, begun where diffkit begins: at sigma z, sigma of the first time."""
    pipeline.scheduler.set_timesteps(steps)
    sigma = (1 - pipeline.scheduler.alphas_cumprod[pipeline.scheduler.timesteps[0]]) ** 0.5

    def noise(shape, **kind):
        return seeded(SEEDS, like=torch.zeros(1))(tuple(shape)) * sigma

    monkeypatch.setattr("diffusers.pipelines.ddim.pipeline_ddim.randn_tensor", noise)
    pipeline.set_progress_bar_config(disable=True)
    images = pipeline(batch_size=len(SEEDS), num_inference_steps=steps, output_type="np").images
    return [list(image.tobytes()) for image in (images * 255).round().astype(np.uint8)]


def sampled(diffkit, run, out, *options):
    code, _, said = diffkit("sample", run, "-n", len(SEEDS), "--steps", STEPS, "--out", out, *options)
    assert code == 0, said
    return pixels(out)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_an_exported_and_imported_network_gives_the_same_images(name, tmp_path, monkeypatch, diffkit):
    scheduler, spacing = SCHEDULERS[name], ("--spacing", SCHEDULERS[name].config.timestep_spacing)
    DDIMPipeline(network(), scheduler).save_pretrained(tmp_path / "theirs")
    code, _, said = diffkit("import", tmp_path / "theirs", "--out", tmp_path / "run")
    assert code == 0, said
    ours = sampled(diffkit, tmp_path / "run", tmp_path / "images", *spacing)
    theirs = drawn_by(DDIMPipeline.from_pretrained(tmp_path / "theirs"), monkeypatch)
    assert len({tuple(image) for image in theirs}) == len(SEEDS)
    assert near(ours, theirs), "the same images as the pipeline's"

    code, _, said = diffkit("export", tmp_path / "run", "--out", tmp_path / "back", "--format", "diffusers")
    assert code == 0, said
    trailing = sampled(diffkit, tmp_path / "run", tmp_path / "trailing")
    assert near(drawn_by(DDIMPipeline.from_pretrained(tmp_path / "back"), monkeypatch), trailing), "the spacing is the command's"
    assert isinstance(DiffusionPipeline.from_pretrained(tmp_path / "back"), DDIMPipeline)
    assert diffkit("import", tmp_path / "back", "--out", tmp_path / "again.safetensors")[0] == 0
    assert sampled(diffkit, tmp_path / "again.safetensors", tmp_path / "same") == trailing


def test_a_ddpm_pipeline_of_grey_images(tmp_path, monkeypatch, diffkit):
    DDPMPipeline(network(channels=1), DDPMScheduler()).save_pretrained(tmp_path / "theirs")
    code, _, said = diffkit("import", tmp_path / "theirs", "--out", tmp_path / "run.safetensors")
    assert (code, said.count("\n")) == (0, 1), said
    assert "DDPMPipeline, DDPMScheduler of diffusers: " in said
    ours = sampled(diffkit, tmp_path / "run.safetensors", tmp_path / "images", "--spacing", "leading")
    pipeline = DDIMPipeline.from_pretrained(tmp_path / "theirs")  # with a DDIM scheduler made of the other's config
    assert near(ours, drawn_by(pipeline, monkeypatch))
    assert diffkit("export", tmp_path / "run.safetensors", "--out", tmp_path / "back", "--format", "diffusers")[0] == 0
    loaded = DDPMPipeline.from_pretrained(tmp_path / "back")
    loaded.set_progress_bar_config(disable=True)
    assert loaded(num_inference_steps=2, output_type="np").images.shape == (1, 8, 8, 1)


def test_the_posterior_of_ddpm_step_by_step(tmp_path, diffkit):
    """ddpm with the scheduler's own step at every index: clipped x0, and diffkit's noise."""
    unet, scheduler = network(), DDPMScheduler(num_train_timesteps=12, beta_end=0.5)
    DDPMPipeline(unet, scheduler).save_pretrained(tmp_path / "theirs")
    assert diffkit("import", tmp_path / "theirs", "--out", tmp_path / "run")[0] == 0
    assert diffkit("sample", tmp_path / "run", "-n", len(SEEDS), "--sampler", "ddpm", "--out", tmp_path / "images")[0] == 0
    source = seeded(SEEDS, like=torch.zeros(1))
    x = source((len(SEEDS), 3, 8, 8)) * (1 - scheduler.alphas_cumprod[-1]) ** 0.5
    unet.eval()
    for index in range(11, -1, -1):
        with torch.no_grad():
            out = unet(x, torch.full((len(SEEDS),), index)).sample
        found = scheduler.step(out, index, x, generator=torch.Generator())
        mean = scheduler.step(out, index, x, generator=torch.Generator().manual_seed(0)).prev_sample
        spread = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)) if index else torch.zeros_like(x)
        scale = scheduler._get_variance(index) ** 0.5
        x = mean - scale * spread + scale * source.of_step(tuple(x.shape)) if index else found.pred_original_sample
    theirs = ((x / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    assert near(pixels(tmp_path / "images"), [image.flatten().tolist() for image in theirs])


def test_classes_are_imported(tmp_path, monkeypatch, diffkit):
    monkeypatch.chdir(tmp_path)
    DDIMPipeline(network(num_class_embeds=4), DDIMScheduler()).save_pretrained("theirs")
    assert diffkit("import", "theirs", "--out", "run")[0] == 0
    code, _, said = diffkit("sample", "run", "--class", "none", "--out", "a.png")
    assert (code, "a null class, which this run does not have: give a class by --class" in one_line(said)) == (2, True)
    code, _, said = diffkit("sample", "run", "--class", 1, "--guidance", 2, "--out", "a.png")
    assert (code, "--guidance needs a null class" in one_line(said)) == (2, True)
    assert diffkit("sample", "run", "-n", 3, "--out", "a.png")[0] == 0
    assert read_metadata("a.png")["classes"] == ["0", "1", "2"]
    one, other = (sampled(diffkit, "run", tmp_path / f"{k}", "--class", k) for k in (0, 3))
    assert not near(one, other)
    code, _, said = diffkit("export", "run", "--out", "back", "--format", "diffusers")
    assert (code, "have no classes, this run has classes" in one_line(said)) == (2, True)


def test_what_is_ignored_in_a_scheduler_is_named(tmp_path, monkeypatch, diffkit):
    monkeypatch.chdir(tmp_path)
    scheduler = DDPMScheduler(variance_type="fixed_large", thresholding=True)
    DDPMPipeline(network(), scheduler).save_pretrained("theirs")
    code, _, said = diffkit("import", "theirs", "--out", "run")
    assert code == 0
    assert "warning: ignored in its scheduler: " in said
    assert "variance_type='fixed_large'" in said
    assert "thresholding=True" in said
    assert diffkit("info", "run")[0] == 0
    code, _, said = diffkit("evaluate", "run")
    assert (code, "run does not name its training data: give DATA" in one_line(said)) == (2, True)


def changed(path, **keys):
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


def pickled(folder):
    UNet2DModel.from_pretrained(folder / "unet").save_pretrained(folder / "unet", safe_serialization=False)
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()


def cut(folder):
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def not_finite(folder):
    unet = UNet2DModel.from_pretrained(folder / "unet")
    torch.nn.init.constant_(unet.conv_out.bias, torch.nan)
    unet.save_pretrained(folder / "unet")


FLOW_MATCHING = {"_class_name": "FlowMatchEulerDiscreteScheduler"}
FLOW_SIGMAS = {"_class_name": "DPMSolverMultistepScheduler", "use_flow_sigmas": True}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "model_index.json").unlink(), "expected a pipeline folder of diffusers"),
        (lambda folder: (folder / "model_index.json").write_text("{"), "invalid JSON"),
        (lambda folder: changed(folder / "model_index.json", vae=["diffusers", "VQModel"]), "found vae"),
        (lambda folder: changed(folder / "model_index.json", scheduler=[None, None]), "found no scheduler"),
        (lambda folder: changed(folder / "unet/config.json", sample_size=None), "sample_size must be"),
        (lambda folder: changed(folder / "unet/config.json", act_fn="gelu"), "act_fn must be 'silu' or 'swish'"),
        (lambda folder: changed(folder / "unet/config.json", block_out_channels=[16, 64]), "must be (64,"),
        (lambda folder: changed(folder / "unet/config.json", in_channels=6), "a learned variance is not supported"),
        (lambda folder: changed(folder / "unet/config.json", block_out_channels=[2**20, 2**20]), "parameters, the maximum is"),
        (lambda folder: (folder / "unet/config.json").unlink(), "config.json: cannot be read"),
        (lambda folder: changed(folder / "scheduler/scheduler_config.json", beta_schedule="odd"), "got 'odd'"),
        (
            lambda folder: changed(folder / "scheduler/scheduler_config.json", prediction_type="flow_prediction"),
            "use_flow_sigmas",
        ),
        (lambda folder: changed(folder / "scheduler/scheduler_config.json", **FLOW_MATCHING), "1000 sigma"),
        (lambda folder: changed(folder / "scheduler/scheduler_config.json", **FLOW_SIGMAS), "1000 sigma"),
        (
            lambda folder: changed(folder / "scheduler/scheduler_config.json", clip_sample_range=-1.0),
            "clip_sample_range must be a number above 0, got -1.0",
        ),
        (pickled, "is a pickle, which can run code; if you trust it, convert it with diffusers: UNet2DModel.from_pretrained("),
        (cut, "diffusion_pytorch_model.safetensors: "),
        (not_finite, "'conv_out.bias' is not finite"),
    ],
)
def test_a_damaged_folder_is_refused_in_one_line(damage, message, tmp_path, monkeypatch, capfd, diffkit):
    monkeypatch.chdir(tmp_path)
    DDIMPipeline(network(), DDIMScheduler()).save_pretrained("theirs")
    damage(tmp_path / "theirs")
    capfd.readouterr()  # what diffusers said
    code, _, said = diffkit("import", "theirs", "--out", "run")
    assert message in one_line(said)
    assert code == 4
    assert not (tmp_path / "run").exists()


def test_links_of_a_cache_are_followed(tmp_path, diffkit):
    """As a download lies in its cache: every file a link to where its contents are."""
    DDIMPipeline(network(), DDIMScheduler()).save_pretrained(tmp_path / "theirs")
    for path in [path for path in (tmp_path / "theirs").rglob("*") if path.is_file()]:
        blob = tmp_path / f"blob{len(list(tmp_path.iterdir()))}"
        path.rename(blob)
        path.symlink_to(blob)
    assert diffkit("import", tmp_path / "theirs", "--out", tmp_path / "run")[0] == 0
