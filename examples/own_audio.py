"""Trains on tones of your own, sequences in memory, and writes new ones as .wav files.

    pip install diffkit-cli
    python own_audio.py runs/tones

Sequences in a file need no Python: `diffkit train tones.npy`, an array (N, L) or (N, C, L).
"""

import argparse
import wave
from pathlib import Path

import torch
from diffkit_cli import train
from diffkit_trainer import Images
from torch import Tensor

RATE, LENGTH = 4000, 512


def tones(count: int, seed: int = 0) -> Tensor:
    """Decaying tones of random pitch, with their octave, float32 (count, 1, LENGTH) in [-1, 1]."""
    random = torch.Generator().manual_seed(seed)
    pitch, decay, phase = (torch.rand(count, 1, generator=random) for _ in range(3))
    angle = 2 * torch.pi * ((100 + 300 * pitch) * torch.arange(LENGTH) / RATE + phase)
    waves = torch.exp(-40 * decay * torch.arange(LENGTH) / RATE) * (0.8 * angle.sin() + 0.2 * (2 * angle).sin())
    return waves[:, None]


def write(path: Path, sound: Tensor) -> None:
    """Write one sequence (L,) as a .wav file of 16 bits."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound.clamp(-1, 1) * 32767).short().numpy().tobytes())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--count", type=int, default=4000)
    chosen = parser.parse_args()
    run = train(Images(tones(chosen.count), name="tones"), chosen.out, steps=chosen.steps)
    made = run.sample(8, steps=30)
    made.save(chosen.out / "tones.png")  # plots
    for i, sound in enumerate(made.pixels[:, 0]):
        write(chosen.out / f"{i}.wav", sound)
