"""An update never makes the host wait for the device, and needs few launches.

The proof needs no accelerator: every operation is checked before it is called, and a copy to the host from the device "meta",
whose tensors have no values, is an error.
"""

from collections import Counter

import pytest
import torch
from diffkit_schedules import cosine, linear_betas, offset_cosine
from diffkit_trainer import EMA, Trainer, losses, open_images
from diffkit_trainer.training.buffers import Buffers
from diffkit_trainer.training.optimisation.optimiser import Optimiser, _moments_at_0
from diffkit_trainer.training.running_metrics import RunningMetrics
from diffkit_unet import UNet
from torch import nn

from .no_waiting import NoWaiting, on

SEVERAL = {"clip_grad_norm": 1.0, "warmup": 3, "lr_schedule": "cosine", "decay_steps": 10, "ema": (0.9, 0.999)}
MUON = SEVERAL | {"optimiser": "muon", "channels_last": True}


@pytest.mark.parametrize("schedule", [offset_cosine(), linear_betas()], ids=["continuous", "table"])
@pytest.mark.parametrize("options", [{}, SEVERAL, MUON, {"precision": "fp16"}, {"times": "stratified", "accumulate": 2}])
def test_an_update_does_not_wait_for_the_device(options, schedule, train_to):
    torch.manual_seed(0)
    network = UNet(1, (4, 8), 1, 4, num_classes=10)
    trainer = Trainer(network, open_images("digits"), schedule, batch_size=4, class_dropout=0.5, flip=True, **options)
    train_to(trainer, 1)  # the first update allocates the moments
    with NoWaiting() as checked:
        for step in trainer.run(3):
            assert step.loss.shape == ()
    assert {"_foreach_copy_", "_foreach_lerp_", "_fused_adamw_"} <= checked.seen


@pytest.mark.parametrize("schedule", [cosine(), offset_cosine(), linear_betas()], ids=["cosine", "offset", "table"])
def test_the_loss_and_its_gradient_are_computed_on_the_images_device(schedule):
    """On "meta", which holds nothing that could be copied to the host."""
    network = on("meta", UNet(1, (4, 8), 1, 4))
    x0, eps = (torch.empty(4, 1, 8, 8, device="meta") for _ in range(2))
    optimiser = Optimiser(nn.Linear(1, 1).parameters())
    for weighting in ("uniform", "min_snr"):
        with NoWaiting():
            errors = losses(network, schedule, x0, t=x0[:, :, :1, :1], eps=eps, prediction="v", weighting=weighting)
            optimiser.backward(errors.sum())
    assert {parameter.grad.device.type for parameter in network.parameters()} == {"meta"}


def moved(optimiser, parameters):
    """The optimiser, made for other parameters, with these and all else that it keeps where they are; on "meta" none is made."""
    optimiser.parameters = optimiser.adamw.param_groups[0]["params"] = list(parameters)
    for name, value in vars(optimiser).items():
        if isinstance(value, torch.Tensor):
            setattr(optimiser, name, torch.empty_like(value, device="meta"))
    optimiser.adamw.param_groups[0]["lr"] = optimiser.lr
    optimiser.adamw.state.update({each: _moments_at_0(each) for each in optimiser.parameters})
    optimiser.adamw._need_device_dtype_check_for_fused = False
    return optimiser


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_update_is_computed_on_the_network_s_device(precision):
    """Clipping, the optimiser, the averages, the buffers and the log's sums."""
    network = UNet(1, (4, 8), 1, 4)
    options = {"warmup": 2, "clip_grad_norm": 1.0, "precision": precision, "lr_schedule": "cosine", "decay_steps": 9}
    optimiser, ema = Optimiser(network.parameters(), **options), EMA(network, (0.9, 0.999), warmup=True)
    for each in (network, *ema.models):
        on("meta", each)
    moved(optimiser, network.parameters())
    ema.updates = optimiser.updates.clone()
    buffers, metrics = Buffers(network), RunningMetrics(torch.device("meta"))
    errors, t = torch.empty(4, device="meta"), torch.empty(4, 1, 1, 1, device="meta")
    with NoWaiting() as checked:
        for _ in range(2):
            for parameter in network.parameters():
                parameter.grad = torch.empty_like(parameter)
            kept = buffers.values()
            good, norm = optimiser.apply()
            buffers.restore(kept, unless=good)
            ema.update(network, good)
            metrics.add(errors, t, norm, good)
    assert (good.device.type, norm.device.type) == ("meta", "meta")
    assert {"_fused_adamw_", "_foreach_sub", "_foreach_mul_", "_foreach_add_", "_foreach_copy_"} <= checked.seen


def test_every_way_to_wait_is_detected():
    """The proof itself: each way to wait that it names."""
    for wait in (
        lambda: torch.ones(1).item(),
        lambda: bool(torch.ones(1) > 0),
        lambda: torch.ones(2).nonzero(),
        lambda: torch.ones(2)[torch.tensor([True, False])],
        lambda: torch._foreach_add_([torch.ones(1), torch.ones(1, dtype=torch.float64)], 1.0),
    ):
        with pytest.raises(AssertionError), NoWaiting():
            wait()
    with pytest.raises((AssertionError, NotImplementedError), match=r"copies to the host|no data"), NoWaiting():
        torch.empty(2, device="meta").cpu()


def test_an_average_is_updated_by_one_call_for_each_type(make_trainer, tiny_network):
    """The buffers are float32, and the table of the embedding is float64: a mixed list would need one launch for each tensor."""

    class Calls(NoWaiting):
        def __torch_dispatch__(self, function, types, arguments=(), named=None):
            counts[function.overloadpacket.__name__] += 1
            return super().__torch_dispatch__(function, types, arguments, named)

    model = UNet(1, (4, 8), 2, 4)
    ema, counts = EMA(model), Counter[str]()
    with Calls():
        ema.update(model)
    assert (counts["_foreach_lerp_"], counts["_foreach_copy_"]) == (2, 1)
    assert sum(count for name, count in counts.items() if not name.startswith("_foreach_")) < 10, counts
    assert make_trainer(network=tiny_network).ema.infinite == frozenset()
