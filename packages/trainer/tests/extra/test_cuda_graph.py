"""A recorded step trains as a step does, bit for bit. The proof needs no GPU.

A CUDA graph repeats the kernels of one call on the same memory, whatever Python would do by then. So does `Recording`, with the
operations of a CPU: a number of the host that changes, or a tensor that is replaced instead of changed, makes another training.
"""

import warnings

import pytest
import torch
from diffkit_schedules import cosine
from diffkit_trainer import Trainer, open_images, resume, save
from diffkit_trainer.acceleration.cuda_graph import WARM_UP
from diffkit_trainer.training import trainer as trainer_module
from diffkit_unet import UNet

from .recorded import RecordedOnCpu


@pytest.fixture
def recorded(monkeypatch):
    monkeypatch.setattr(trainer_module, "CudaGraph", RecordedOnCpu)
    monkeypatch.setattr(RecordedOnCpu, "made", ())
    return RecordedOnCpu


def make(cuda_graph, **options):
    torch.manual_seed(0)
    network = UNet(1, (8, 16), 1, 4, num_classes=10, dropout=0.1)
    chosen = {"batch_size": 8, "class_dropout": 0.5, "flip": True, "prediction": "v", "cuda_graph": cuda_graph} | options
    return Trainer(network, open_images("digits"), cosine(), **chosen)


ADAMW = {"clip_grad_norm": 1.0, "warmup": 6, "lr_schedule": "cosine", "decay_steps": 20, "ema": (0.9, 0.999), "weight_decay": 0.1}
MUON = ADAMW | {"optimiser": "muon", "channels_last": True, "precision": "bf16"}


@pytest.mark.parametrize("options", [ADAMW, MUON, {"precision": "fp16", "times": "stratified"}, {"accumulate": 3}])
def test_a_recorded_step_is_the_step(options, recorded, train_to, state_of, assert_same_state):
    eager, replayed = make(False, **options), make(True, **options)
    assert train_to(replayed, WARM_UP + 6) == train_to(eager, WARM_UP + 6)
    assert_same_state(state_of(replayed), state_of(eager))
    assert replayed.metrics() == eager.metrics()
    (graph,) = recorded.made
    assert len(graph.operations) > 300


def test_a_divergence_is_found_in_a_recorded_step(recorded, train_to, state_of, assert_same_state):
    eager, replayed = make(False, precision="fp16"), make(True, precision="fp16")
    for trainer in (eager, replayed):
        train_to(trainer, WARM_UP + 2)
        trainer.optimiser.scale.fill_(1e30)  # it overflows, is halved, and overflows again
        train_to(trainer, WARM_UP + 5)
    assert replayed.optimiser.skipped == eager.optimiser.skipped == 3
    assert_same_state(state_of(replayed), state_of(eager))


def test_a_resumed_trainer_records_its_new_tensors(run, config, recorded, train_to, state_of, assert_same_state):
    trainer = make(True, **ADAMW)
    train_to(trainer, WARM_UP + 2)
    save(run, trainer, config)
    losses = train_to(trainer, WARM_UP + 7)
    wanted = state_of(trainer)
    assert resume(run, trainer) == []
    assert train_to(trainer, WARM_UP + 7) == losses
    assert_same_state(state_of(trainer), wanted)
    assert len(recorded.made) == 2


def test_each_call_gives_its_own_result_and_other_shapes_another_graph(recorded):
    double = recorded(lambda x, by: by * x)
    results = [double(torch.full((2,), float(k)), by=torch.tensor(2.0)) for k in range(6)]
    assert [each.tolist() for each in results] == [[2.0 * k] * 2 for k in range(6)]
    assert [double(torch.ones(n), by=torch.tensor(3.0)).tolist() for n in (3, 3, 3, 3, 2)] == [[3.0] * 3] * 4 + [[3.0] * 2]
    assert len(recorded.made) == 2


def test_what_cannot_be_recorded_is_called_without_a_graph_with_one_warning(recorded, monkeypatch):
    def refuse(self):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(recorded, "_recorder", refuse)
    double = recorded(lambda x: 2 * x)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert [double(torch.tensor(float(k))).item() for k in range(6)] == [2.0 * k for k in range(6)]
    assert [str(each.message) for each in caught] == [
        "training and sampling are slower, without a CUDA graph: operation not permitted when stream is capturing"
    ]
