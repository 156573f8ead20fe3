"""Trains a denoiser on a folder of images: data, loss, EMA, loop, safe checkpoints."""

from diffkit_trainer.auto_batch import auto_batch_size
from diffkit_trainer.data.images import Images
from diffkit_trainer.data.inspect import DatasetReport, ImageReport, inspect_images
from diffkit_trainer.data.normalisation import NORMALISATIONS, Normalisation
from diffkit_trainer.data.packed.cache import cache_folder
from diffkit_trainer.data.packed.pack import pack
from diffkit_trainer.data.single_image import read_image, read_mask
from diffkit_trainer.data.sources import ImageFolder, open_images
from diffkit_trainer.device import pick_device, seed_weights
from diffkit_trainer.distributed.processes import World, process_group
from diffkit_trainer.errors import DataError, DivergedError, LockedError, RunError
from diffkit_trainer.evaluation.evaluate import Evaluation, Split, evaluate, split_dataset
from diffkit_trainer.evaluation.feature_file import FeatureNetwork, load_feature_network
from diffkit_trainer.evaluation.metrics import Scores
from diffkit_trainer.export.diffusers import Pipeline, read_pipeline, write_pipeline
from diffkit_trainer.export.onnx import write_onnx
from diffkit_trainer.export.single_file import ExportedNetwork, read_export, write_export
from diffkit_trainer.figures.animation import ANIMATION_FORMATS, save_animation
from diffkit_trainer.figures.captions import labelled_grid, side_by_side
from diffkit_trainer.figures.grid import grid
from diffkit_trainer.figures.metadata import read_metadata
from diffkit_trainer.figures.plot import Panel, save_plot
from diffkit_trainer.figures.png import save_images, save_png
from diffkit_trainer.files.lock import locked
from diffkit_trainer.files.schedule import read_schedule
from diffkit_trainer.files.tensors import require_matching_tensors
from diffkit_trainer.run.background import Saver
from diffkit_trainer.run.checkpoint import Loaded, load, resume, save
from diffkit_trainer.run.folder import is_run_folder, read_config, require_writable, write_config
from diffkit_trainer.run.log import append_log, read_log, truncate_log
from diffkit_trainer.run.tensorboard import TensorBoardLogger
from diffkit_trainer.run.verify import checkpoints, has_checkpoint
from diffkit_trainer.run.weights_hash import weights_hash
from diffkit_trainer.training.ema import EMA
from diffkit_trainer.training.estimate import CostEstimate, estimate_cost
from diffkit_trainer.training.losses import LOSSES, loss, losses
from diffkit_trainer.training.optimiser import LEARNING_RATES
from diffkit_trainer.training.timesteps import TIMES
from diffkit_trainer.training.trainer import Trainer, TrainStep
from diffkit_trainer.training.validate import PRECISIONS

__all__ = [
    "ANIMATION_FORMATS",
    "EMA",
    "LEARNING_RATES",
    "LOSSES",
    "NORMALISATIONS",
    "PRECISIONS",
    "TIMES",
    "CostEstimate",
    "DataError",
    "DatasetReport",
    "DivergedError",
    "Evaluation",
    "ExportedNetwork",
    "FeatureNetwork",
    "ImageFolder",
    "ImageReport",
    "Images",
    "Loaded",
    "LockedError",
    "Normalisation",
    "Panel",
    "Pipeline",
    "RunError",
    "Saver",
    "Scores",
    "Split",
    "TensorBoardLogger",
    "TrainStep",
    "Trainer",
    "World",
    "append_log",
    "auto_batch_size",
    "cache_folder",
    "checkpoints",
    "estimate_cost",
    "evaluate",
    "grid",
    "has_checkpoint",
    "inspect_images",
    "is_run_folder",
    "labelled_grid",
    "load",
    "load_feature_network",
    "locked",
    "loss",
    "losses",
    "open_images",
    "pack",
    "pick_device",
    "process_group",
    "read_config",
    "read_export",
    "read_image",
    "read_log",
    "read_mask",
    "read_metadata",
    "read_pipeline",
    "read_schedule",
    "require_matching_tensors",
    "require_writable",
    "resume",
    "save",
    "save_animation",
    "save_images",
    "save_plot",
    "save_png",
    "seed_weights",
    "side_by_side",
    "split_dataset",
    "truncate_log",
    "weights_hash",
    "write_config",
    "write_export",
    "write_onnx",
    "write_pipeline",
]
