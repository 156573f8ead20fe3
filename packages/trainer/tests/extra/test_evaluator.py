"""A network's evaluations while sampling: compiled once for all steps, recorded once, and the same samples."""

import diffkit_samplers as samplers
import pytest
import torch
from diffkit_schedules import cosine
from diffkit_trainer import Evaluator
from diffkit_trainer.acceleration import evaluator as evaluator_module
from diffkit_unet import UNet
from torch._dynamo.testing import CompileCounter

from .recorded import RecordedOnCpu

METHODS = ["ddim", "ddpm", "heun", "dpmpp_2m", "dpmpp_2m_sde", "euler_ancestral", "unipc_2", "deis"]


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = UNet(1, (4, 8), 1, 4, num_classes=3, condition="time", norm="group").eval()
    torch.nn.init.normal_(network.out.weight)
    return network


def sample(evaluate, method, x, steps=6):
    """With classifier-free guidance, whose two evaluations are one call of the network."""
    labels = [torch.full((2,), label) for label in (1, 3)]
    both = [samplers.denoiser(evaluate, cosine(), "v", "time", class_labels=each) for each in labels]
    noise = samplers.seeded([5, 6], like=x)
    return list(samplers.trajectory(samplers.guide(*both, 2.0), cosine(), x, method=method, steps=steps, noise=noise))[-1].x0


X = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.filterwarnings("ignore")  # of torch in torch.compile itself
def test_a_network_is_compiled_once_for_all_steps_of_all_samplers(network):
    torch._dynamo.reset()
    counter = CompileCounter()
    evaluate = Evaluator(network, compiled=True, backend=counter)
    for method in METHODS:
        torch.testing.assert_close(sample(evaluate, method, X), sample(network, method, X))
    assert counter.frame_count == 1


@pytest.mark.parametrize("method", METHODS)
def test_a_recorded_evaluation_gives_the_same_samples(method, network, monkeypatch):
    monkeypatch.setattr(evaluator_module, "CudaGraph", RecordedOnCpu)
    monkeypatch.setattr(RecordedOnCpu, "made", ())
    assert torch.equal(sample(Evaluator(network), method, X), sample(network, method, X))
    (graph,) = RecordedOnCpu.made
    assert graph.made >= 2


def test_the_network_multiplies_in_bfloat16_and_the_state_stays_in_float32(network):
    exact, rounded = sample(network, "dpmpp_2m", X), sample(Evaluator(network, "bf16"), "dpmpp_2m", X)
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    assert (rounded - exact).norm() < 0.05 * exact.norm()


@pytest.mark.filterwarnings("ignore")
def test_gradients_flow_through_an_evaluation(network):
    x = X.clone().requires_grad_()
    labels = torch.tensor([0, 1])
    (found,) = torch.autograd.grad(Evaluator(network, compiled=True)(x, torch.tensor([0.3, 0.6]), class_labels=labels).sum(), x)
    (wanted,) = torch.autograd.grad(network(x, torch.tensor([0.3, 0.6]), class_labels=labels).sum(), x)
    assert torch.equal(found, wanted)
