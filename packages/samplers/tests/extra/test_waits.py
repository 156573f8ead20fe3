"""No sampler makes the host wait for the device: no value of the state is read between the first step and the last."""

import diffkit_samplers as dk
import diffkit_schedules as ds
import pytest
import torch
from diffkit_samplers.testing import GaussianOracle
from torch.utils._python_dispatch import TorchDispatchMode

WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal", "_unique2")
SCHEDULE = ds.linear_betas()
SHAPE = (2, 3, 4, 4)


class NoWaits(TorchDispatchMode):
    """Refuses every operation for which the host waits: reading a value, indexing with a mask, a blocking copy."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        indices = args[1] if name.startswith("index") and len(args) > 1 else ()
        masked = isinstance(indices, list | tuple) and any(getattr(each, "dtype", None) == torch.bool for each in indices)
        to_host = any(isinstance(each, torch.Tensor) and each.device.type != "cpu" for each in args) and (
            str(kwargs.get("device", "")) == "cpu" or (name == "copy_" and args[0].device.type == "cpu")
        )
        blocking = name == "_to_copy" and args[0].device.type == "cpu" and not kwargs.get("non_blocking")
        to_device = blocking and str(kwargs.get("device") or "cpu") != "cpu"
        if name in WAITS or masked or to_host or to_device:
            raise AssertionError(f"{func} makes the host wait")
        return func(*args, **kwargs)


def network(x, condition, labels=None):
    return 0.1 * x


def learned(x, condition):
    return torch.concat([0.1 * x, 0 * x], dim=1)


def plain(x):
    return dk.denoiser(network, SCHEDULE, "v", "index")


def labelled(x, label):
    return dk.denoiser(network, SCHEDULE, "v", "sigma", labels=torch.full((2,), label, device=x.device))


WRAPPERS = {
    "denoiser": plain,
    "denoiser of half precision": lambda x: dk.denoiser(network, SCHEDULE, "v", "log_snr", dtype=torch.bfloat16),
    "denoiser of a learned variance": lambda x: dk.denoiser(learned, SCHEDULE, "v", learned_range=True),
    "oracle": lambda x: GaussianOracle(SCHEDULE),
    "clip": lambda x: dk.clip(plain(x)),
    "clip, eps kept": lambda x: dk.clip(plain(x), keep_eps=SCHEDULE),
    "dynamic_threshold": lambda x: dk.dynamic_threshold(plain(x)),
    "guide": lambda x: dk.guide(plain(x), GaussianOracle(SCHEDULE), 3.0, rescale=0.7),
    "guide, several, projected": lambda x: dk.guide(
        [plain(x), plain(x)], GaussianOracle(SCHEDULE), [dk.interval(3.0, 0.2, 0.7), -1.0], transform=dk.apg(max_norm=1.0)
    ),
    "guide, joined": lambda x: dk.guide(labelled(x, 1), labelled(x, 0), 3.0),
    "guide, one scale per sample": lambda x: dk.guide(labelled(x, 1), labelled(x, 0), torch.ones(2, device=x.device)),
    "inpaint": lambda x: dk.inpaint(plain(x), torch.ones(SHAPE, device=x.device), torch.ones(SHAPE, device=x.device) > 0),
    "fixed_large": lambda x: dk.fixed_large(plain(x)),
}
METHODS = {**{name: name for name in dk.METHODS}, "resample": dk.resample("heun", 3)}
DEVICES = ["cpu", "meta"]
"""The meta device has no values: reading one fails."""


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("method", METHODS)
def test_no_step_waits(method, eta, device):
    x = torch.ones(SHAPE, device=device)
    for name, wrap in WRAPPERS.items():
        source = dk.seeded([1, 2], like=x) if device == "cpu" else None
        states = dk.trajectory(wrap(x), SCHEDULE, x, method=METHODS[method], steps=3, eta=eta, noise=source)
        with NoWaits():
            for _ in range(3):
                state = next(states)
        assert (state.t, state.x0.device.type) == (0.0, device), name
        assert next(states, None) is None, name


@pytest.mark.parametrize("device", DEVICES)
def test_slerp_and_encode_do_not_wait(device):
    x = torch.ones(SHAPE, device=device)
    with NoWaits():
        dk.slerp(x, -x, 0.5)
        dk.slerp(x, 2 * x, [0.0, 0.5])
        dk.encode(plain(x), SCHEDULE, x, steps=3)


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: float(x.sum()),
        lambda x: bool((x > 0).any()),
        lambda x: x[x > 0],
        lambda x: x.clone().index_put_((x > 0,), torch.zeros(())),
        lambda x: torch.where(x > 0),
    ],
)
def test_a_wait_is_noticed(wait):
    with pytest.raises(AssertionError, match="makes the host wait"), NoWaits():
        wait(torch.ones(3))


def test_the_host_waits_once_at_the_end():
    class Count(TorchDispatchMode):
        waits = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.waits += func.overloadpacket.__name__ == "_local_scalar_dense"
            return func(*args, **(kwargs or {}))

    with Count() as count:
        dk.ddim(GaussianOracle(SCHEDULE), SCHEDULE, torch.ones(SHAPE), steps=5)
    assert count.waits == 1


def test_noise_is_copied_to_the_device_without_a_wait():
    noise = dk.seeded(range(2), like=torch.zeros(1, device="meta"))
    with NoWaits():
        assert noise((2, 3)).device.type == "meta"
        with pytest.raises(AssertionError, match="makes the host wait"):
            torch.ones(2).to("meta")
