"""Trains a denoiser on a folder of images: data, loss, EMA, loop, safe checkpoints."""

from diffkit_trainer.animation import ANIMATIONS, save_animation
from diffkit_trainer.boards import Board
from diffkit_trainer.cache import cache_folder
from diffkit_trainer.checkpoint import Loaded, load, resume, save
from diffkit_trainer.devices import pick_device, seed_weights
from diffkit_trainer.ema import EMA
from diffkit_trainer.errors import DataError, DivergedError, LockedError, RunError
from diffkit_trainer.evaluation import Evaluation, Figures, Split, evaluate, split
from diffkit_trainer.examine import Examined, Found, examine
from diffkit_trainer.export import Exported, read_export, write_export
from diffkit_trainer.finding import checkpoints, has_checkpoint
from diffkit_trainer.fingerprint import weights_hash
from diffkit_trainer.fitting import batch_that_fits
from diffkit_trainer.given_features import GivenFeatures, read_features
from diffkit_trainer.images import Images
from diffkit_trainer.labels import beside, labelled, save_labelled
from diffkit_trainer.lock import locked
from diffkit_trainer.log import append_log, read_log, truncate_log
from diffkit_trainer.losses import LOSSES, loss, losses
from diffkit_trainer.normalisation import NORMALISATIONS, Normalisation
from diffkit_trainer.notes import read_note
from diffkit_trainer.onnx_file import write_onnx
from diffkit_trainer.optimiser import LEARNING_RATES
from diffkit_trainer.pack import pack
from diffkit_trainer.pictures import grid, save_images, to_png
from diffkit_trainer.pipelines import Pipeline, read_pipeline, write_pipeline
from diffkit_trainer.plots import Panel, save_plot
from diffkit_trainer.possible import PRECISIONS
from diffkit_trainer.processes import World, processes
from diffkit_trainer.reading import read_image, read_mask
from diffkit_trainer.run import holds_run, read_config, require_writable, write_config
from diffkit_trainer.saver import Saver
from diffkit_trainer.sources import ImageFolder, open_images
from diffkit_trainer.stored_schedule import read_schedule
from diffkit_trainer.tensors import same_tensors
from diffkit_trainer.times import TIMES
from diffkit_trainer.trainer import Trainer, TrainStep
from diffkit_trainer.trial import Trial, trial

__all__ = [
    "ANIMATIONS",
    "EMA",
    "LEARNING_RATES",
    "LOSSES",
    "NORMALISATIONS",
    "PRECISIONS",
    "TIMES",
    "Board",
    "DataError",
    "DivergedError",
    "Evaluation",
    "Examined",
    "Exported",
    "Figures",
    "Found",
    "GivenFeatures",
    "ImageFolder",
    "Images",
    "Loaded",
    "LockedError",
    "Normalisation",
    "Panel",
    "Pipeline",
    "RunError",
    "Saver",
    "Split",
    "TrainStep",
    "Trainer",
    "Trial",
    "World",
    "append_log",
    "batch_that_fits",
    "beside",
    "cache_folder",
    "checkpoints",
    "evaluate",
    "examine",
    "grid",
    "has_checkpoint",
    "holds_run",
    "labelled",
    "load",
    "locked",
    "loss",
    "losses",
    "open_images",
    "pack",
    "pick_device",
    "processes",
    "read_config",
    "read_export",
    "read_features",
    "read_image",
    "read_log",
    "read_mask",
    "read_note",
    "read_pipeline",
    "read_schedule",
    "require_writable",
    "resume",
    "same_tensors",
    "save",
    "save_animation",
    "save_images",
    "save_labelled",
    "save_plot",
    "seed_weights",
    "split",
    "to_png",
    "trial",
    "truncate_log",
    "weights_hash",
    "write_config",
    "write_export",
    "write_onnx",
    "write_pipeline",
]
