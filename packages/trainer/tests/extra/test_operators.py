"""A step has few operators, each of them a launch on an accelerator, and torch.compile sees all of it as one graph.

The operators are counted on "meta", where a network takes the path of an accelerator, not that of a CPU.
"""

from collections import Counter
from contextlib import nullcontext

import pytest
import torch
from diffkit_schedules import cosine, linear_betas, offset_cosine
from diffkit_trainer import Images, Trainer, open_images
from diffkit_trainer.training import ema, trainer
from diffkit_trainer.training.batch import random_batch
from diffkit_trainer.training.optimisation.optimiser import _moments_at_0
from diffkit_unet import LinearPreconditioner, UNet, gaussian_statistics, preset
from diffkit_unet.layers import GroupNorm
from torch import nn
from torch.nn import functional

from .no_waiting import NoWaiting, on

VIEWS = {
    *("view", "_unsafe_view", "_reshape_alias", "expand", "permute", "transpose", "t", "slice", "select", "unsqueeze", "squeeze"),
    *("detach", "alias", "split", "split_with_sizes", "as_strided", "unbind", "unfold", "lift_fresh", "promote_types"),
    *("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"),
    "linalg_vector_norm",
}
"""Without a kernel; and the norm of each gradient, which CUDA computes in one foreach call."""


class Kernels(NoWaiting):
    """Counts the operators that have a kernel, and refuses those that wait."""

    def __init__(self):
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        name = function.overloadpacket.__name__
        self.counts[name] += name not in VIEWS
        return super().__torch_dispatch__(function, types, arguments, named)


class Nothing(nn.Module):
    """A network of one number: what is left is the trainer's own."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, x, level):
        return self.factor * x


def images_32():
    return LinearPreconditioner(
        preset("images-32", in_channels=6, out_channels=3), *gaussian_statistics([torch.randn(16, 3, 32, 32)])
    )


SCHEDULES = {"prediction": "v", "loss": "mse", "lr_schedule": "cosine", "warmup": 200, "decay_steps": 5000, "clip_grad_norm": 1.0}
CASES = {
    "tutorial": (lambda: preset("tutorial"), offset_cosine(), {}, 330),
    "images-32": (images_32, cosine(), SCHEDULES | {"optimiser": "muon", "condition": "log_snr"}, 840),
    "ddpm": (
        lambda: preset("ddpm-cifar10", widths=(32, 32, 32, 32)),
        linear_betas(),
        {"loss": "mse", "condition": "index", "warmup": 5000, "clip_grad_norm": 1.0},
        970,
    ),
    "trainer alone": (Nothing, cosine(), SCHEDULES, 130),
}
"""The network, its schedule and options, and the operators that a step may have."""


@pytest.mark.parametrize("case", CASES)
def test_a_step_has_few_operators_and_waits_for_nothing(case, monkeypatch):
    build, schedule, options, most = CASES[case]
    # what a device that is not there would be asked
    monkeypatch.setattr(nn.Module, "to", lambda self, device, **kind: on(device, self))
    monkeypatch.setattr(ema, "_infinite_buffers", lambda model: [])
    monkeypatch.setattr(trainer, "autocast", lambda precision, device: nullcontext())
    data = Images(torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8))
    made = Trainer(build(), data, schedule, batch_size=4, device="meta", data_on_device=False, **options)
    adamw = made.optimiser.adamw
    adamw.state.update({each: _moments_at_0(each) for each in adamw.param_groups[0]["params"]})
    x0, eps = (torch.empty(4, 3, 32, 32, device="meta") for _ in range(2))
    t = torch.empty(4, 1, 1, 1, device="meta")
    with NoWaiting():
        made._train(x0, t, eps)
    with Kernels() as kernels:
        assert made._train(x0, t, eps).device.type == "meta"
    assert kernels.counts.total() <= most, kernels.counts.most_common(30)


@pytest.mark.filterwarnings("ignore")  # of torch in torch.compile itself
@pytest.mark.parametrize("options", [{"precision": "bf16", "optimiser": "muon", "ema": (0.9, 0.999)}])
def test_a_step_is_one_graph_for_torch_compile(options, monkeypatch, train_to):
    """The losses with their gradients, and all that follows the backward pass but torch's fused AdamW, which it never traces."""
    torch.manual_seed(0)
    network = UNet(1, (4, 8), 1, 4, num_classes=10)
    made = Trainer(network, open_images("digits"), cosine(), batch_size=4, class_dropout=0.5, **SCHEDULES | options)
    train_to(made, 1)
    inputs = made._inputs(random_batch(made.batch_spec, 1))
    errors = torch.compile(made._losses, fullgraph=True, backend="aot_eager")(inputs, made.model)
    torch.testing.assert_close(errors, made._losses(inputs, made.model), rtol=1e-2, atol=1e-3)
    made.optimiser.backward(errors.sum())
    monkeypatch.setattr(made.optimiser.adamw, "step", lambda: None)

    @torch.compile(fullgraph=True, backend="eager")
    def after_the_gradients(errors, t):
        kept = made._buffers.values()
        finite, norm = made.optimiser.apply()
        made._buffers.restore(kept, unless=finite)
        made.ema.update(made.model, finite)
        made.running_metrics.add(errors, t, norm, finite)
        return norm

    assert after_the_gradients(errors.detach(), inputs.t) > 0
    assert (int(made.optimiser.updates), int(made.ema.updates)) == (2, 2)


@pytest.mark.filterwarnings("ignore")
def test_group_norm_and_swish_are_one_kernel_when_compiled():
    from torch._inductor.utils import run_and_get_code

    norm, x = GroupNorm(32, 8), torch.randn(2, 32, 8, 8).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        compiled = torch.compile(lambda x: functional.silu(norm(x)), dynamic=False)
        out, (code,) = run_and_get_code(compiled, x)
        torch.testing.assert_close(out, functional.silu(norm(x)))
    assert out.is_contiguous(memory_format=torch.channels_last)
    body = code[code.index("def call(") :]
    assert (body.count("cpp_fused_native_group_norm_silu"), body.count("cpp_fused"), body.count("extern_kernels")) == (1, 1, 0)
