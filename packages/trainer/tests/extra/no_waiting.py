"""What the proofs about accelerators need in place of one: a mode that refuses to wait, and networks on "meta"."""

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

WAITING = {"_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "unique_dim", "_unique2", "item"}


class NoWaiting(TorchDispatchMode):
    """Fails at an operation whose result the host needs, at a copy to the host, and at a foreach call on several types."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        named = named or {}
        name = function.overloadpacket.__name__
        self.seen.add(name)
        assert name not in WAITING, f"{name} waits for the device"
        if name in ("index", "index_put", "index_put_"):
            masks = [each for each in arguments[1] if each is not None and each.dtype == torch.bool]
            assert not masks, f"{name} by a mask waits for the device"
        tensors = [each for each in (*arguments, *named.values()) if isinstance(each, torch.Tensor)]
        lists = [each for each in arguments if isinstance(each, list | tuple) and each and isinstance(each[0], torch.Tensor)]
        if name.startswith(("_foreach_", "_fused_")):
            kinds = {(each.dtype, each.device) for each in lists[0]}
            assert len(kinds) == 1, f"{name} on {kinds}"
        if name == "_fused_adamw_" and arguments[0][0].is_meta:
            return None  # an update in place, for which "meta" has no kernel
        result = function(*arguments, **named)
        to_host = isinstance(result, torch.Tensor) and result.device.type == "cpu"
        assert not (to_host and any(each.device.type != "cpu" for each in tensors)), f"{name} copies to the host"
        if name == "copy_" and arguments[0].device.type == "cpu":
            assert arguments[1].device.type == "cpu", "copy_ copies to the host"
        return result


def on(device, model):
    """The network, with its tensors replaced by empty ones on that device."""
    for module in model.modules():
        for own in (module._parameters, module._buffers):
            for name, tensor in own.items():
                if tensor is not None:
                    there = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device)
                    own[name] = nn.Parameter(there, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else there
    return model
