"""Trains a denoiser on a folder of images: data, loss, EMA, loop, safe checkpoints."""

from diffkit_trainer.boards import Board
from diffkit_trainer.checkpoint import Loaded, checkpoints, has_checkpoint, load, resume, save
from diffkit_trainer.devices import pick_device, seed_weights
from diffkit_trainer.ema import EMA
from diffkit_trainer.errors import DataError, DivergedError, LockedError, RunError
from diffkit_trainer.images import ImageFolder, Images, open_images
from diffkit_trainer.losses import LOSSES, loss, losses
from diffkit_trainer.normalisation import Normalisation
from diffkit_trainer.optimiser import LEARNING_RATES
from diffkit_trainer.pack import cache_folder, pack
from diffkit_trainer.pictures import grid, save_images, to_png
from diffkit_trainer.possible import PRECISIONS
from diffkit_trainer.processes import World, processes
from diffkit_trainer.run import (
    append_log,
    holds_run,
    locked,
    read_config,
    read_log,
    require_writable,
    truncate_log,
    write_config,
)
from diffkit_trainer.saver import Saver
from diffkit_trainer.tensors import same_tensors
from diffkit_trainer.times import TIMES
from diffkit_trainer.trainer import Trainer, TrainStep

__all__ = [
    "EMA",
    "LEARNING_RATES",
    "LOSSES",
    "PRECISIONS",
    "TIMES",
    "Board",
    "DataError",
    "DivergedError",
    "ImageFolder",
    "Images",
    "Loaded",
    "LockedError",
    "Normalisation",
    "RunError",
    "Saver",
    "TrainStep",
    "Trainer",
    "World",
    "append_log",
    "cache_folder",
    "checkpoints",
    "grid",
    "has_checkpoint",
    "holds_run",
    "load",
    "locked",
    "loss",
    "losses",
    "open_images",
    "pack",
    "pick_device",
    "processes",
    "read_config",
    "read_log",
    "require_writable",
    "resume",
    "same_tensors",
    "save",
    "save_images",
    "seed_weights",
    "to_png",
    "truncate_log",
    "write_config",
]
