"""Networks exported to ONNX and run by onnxruntime: equal outputs, any batch size, sampling with NumPy only."""

import numpy as np
import onnxruntime
import pytest
import torch
from diffkit_unet import LinearPreconditioner, UNet, gaussian_statistics, preset

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of torch's exporter and of onnxscript

DDPM = {"norms": 2, "norm": "group", "level": "scale_shift", "down": "strided_same", "up": "nearest", "dropout": 0.1}


def networks(name):
    torch.manual_seed(0)
    if name == "tutorial":
        unet = preset("tutorial")
    elif name == "patches":
        unet = UNet(3, (16, 32), 1, 16, patch=2, skips="add", norm="layer", level="add", up="nearest", ends="ddpm")
    else:
        unet = UNet(3, (16, 32), 1, 16, layout="ddpm", groups=8, attention=(1,), middle_attention=True, head_channels=8, **DDPM)
    torch.nn.init.normal_(unet.out.weight, std=0.05)
    return unet.eval()


@pytest.fixture(scope="module", params=["tutorial", "ddpm", "patches"])
def exported(request, tmp_path_factory):
    unet, path = networks(request.param), tmp_path_factory.mktemp("onnx") / "unet.onnx"
    x, level = torch.randn(2, 3, 16, 20), torch.rand(2)
    batch = {0: torch.export.Dim("batch", min=1, max=1024)}
    torch.onnx.export(unet, (x, level), path, input_names=["x", "level"], dynamic_shapes=(batch, batch), dynamo=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(x, level):
        feed = zip((each.name for each in session.get_inputs()), (x.astype(np.float32), level.astype(np.float32)), strict=True)
        return session.run(None, dict(feed))[0]

    return unet, run


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_outputs_equal_those_of_torch(exported, batch):
    unet, run = exported
    x, level = torch.randn(batch, 3, 16, 20), torch.rand(batch)
    with torch.no_grad():
        expected = unet(x, level).numpy()
    assert expected.std() > 0.1
    assert np.abs(run(x.numpy(), level.numpy()) - expected).max() < 1e-4


def test_sampling_with_numpy_only(exported):
    samplers = pytest.importorskip("diffkit_samplers")
    schedules = pytest.importorskip("diffkit_schedules")
    unet, run = exported
    schedule, x = schedules.offset_cosine(), np.random.default_rng(0).standard_normal((2, 3, 16, 20)).astype(np.float32)
    got = samplers.ddim(samplers.denoiser(run, schedule), schedule, x, steps=4)
    assert type(got) is np.ndarray
    with torch.no_grad():
        expected = samplers.ddim(samplers.denoiser(unet, schedule), schedule, torch.from_numpy(x), steps=4)
    assert np.abs(got - expected.numpy()).max() < 1e-4 * np.abs(got).max()


def test_linear_preconditioner_at_any_size(tmp_path):
    torch.manual_seed(0)
    network = UNet(6, (16, 32), 1, 16, out_channels=3, patch=2, skips="add", norm="layer", level="add")
    torch.nn.init.normal_(network.out.weight, std=0.05)
    images = torch.randn(40, 3, 16, 16) @ torch.randn(16, 16)
    model, path = LinearPreconditioner(network, *gaussian_statistics([images])).eval(), tmp_path / "linear.onnx"
    batch, auto = torch.export.Dim("batch"), torch.export.Dim.DYNAMIC
    example, shapes = (torch.randn(2, 3, 16, 16), torch.zeros(2)), ({0: batch, 2: auto, 3: auto}, {0: batch})
    torch.onnx.export(model, example, path, input_names=["x", "level"], dynamic_shapes=shapes, dynamo=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for size in ((2, 3, 16, 16), (1, 3, 20, 13), (3, 3, 5, 32)):
        x, level = torch.randn(size), torch.linspace(-9, 9, size[0])
        with torch.no_grad():
            expected = model(x, level).numpy()
        assert np.abs(session.run(None, {"x": x.numpy(), "level": level.numpy()})[0] - expected).max() < 1e-4
