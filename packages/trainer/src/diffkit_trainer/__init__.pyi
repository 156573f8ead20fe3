from .acceleration.capabilities import Capabilities, capabilities_of, compiles, described, fastest_precision, with_defaults
from .acceleration.compiled import Compiled, keep_compiled
from .acceleration.cuda_graph import CudaGraph
from .acceleration.evaluator import Evaluator
from .acceleration.kernels import fast_kernels
from .acceleration.precision import PRECISIONS, autocast
from .auto_batch import Activations, activations, auto_batch_size
from .available_memory import free_memory
from .data.held_out import held_out
from .data.images import Images
from .data.inspect import DatasetReport, ImageReport, inspect_images
from .data.normalisation import NORMALISATIONS, Normalisation
from .data.packed.cache import cache_folder
from .data.packed.pack import pack
from .data.single_image import decode_image, read_image, read_mask
from .data.sources import ImageFolder, open_images
from .device import pick_device, seed_weights
from .distributed.processes import World, process_group
from .errors import DataError, DivergedError, LockedError, RunError
from .evaluation.damages import DAMAGES
from .evaluation.distances import kernel_distance, nearest_images
from .evaluation.evaluate import Evaluation, Split, evaluate, learned_features, split_dataset
from .evaluation.feature_file import FeatureNetwork, load_feature_network
from .evaluation.metrics import Comparison, Scores
from .export.description import ExportDescription, describe_export
from .export.diffusers import PIPELINE_FILES, Pipeline, read_pipeline, write_pipeline
from .export.onnx import write_onnx
from .export.own_files import is_own_export
from .export.single_file import ExportedNetwork, read_export, write_export
from .figures.animation import ANIMATION_FORMATS, animation_size, save_animation
from .figures.captions import labelled_grid, side_by_side
from .figures.grid import grid, grid_size
from .figures.metadata import read_metadata
from .figures.plot import Panel, save_plot
from .figures.png import save_images, save_png
from .figures.samples import as_pixels, pixels_shape, save_arrays
from .files.atomic import require_creatable
from .files.lock import locked
from .files.noise_schedule import read_schedule
from .files.tensors import require_matching_tensors
from .options import Option, OptionError, Options
from .run.background import Saver
from .run.folder import is_run_folder, read_config, remove_unused_run, require_writable, write_config
from .run.history import append_start, read_history
from .run.log import append_log, read_log, truncate_log
from .run.loggers import LOGGERS, Logger, open_loggers
from .run.save import Loaded, load, resume, save
from .run.tensorboard import TensorBoardLogger
from .run.verify import Checkpoint, checkpoints, has_checkpoint, latest_checkpoint
from .run.weights_hash import weights_hash
from .training.cost_estimate import CostEstimate, estimate_cost
from .training.ema import EMA
from .training.freeze import freeze
from .training.losses import LOSSES, loss, losses
from .training.network_check import check_network
from .training.optimisation.lr_schedules import LR_SCHEDULES
from .training.teacher import Teacher
from .training.timesteps import TIMES
from .training.trainer import Trainer, TrainStep

__all__ = [
    "ANIMATION_FORMATS",
    "DAMAGES",
    "EMA",
    "LOGGERS",
    "LOSSES",
    "LR_SCHEDULES",
    "NORMALISATIONS",
    "PIPELINE_FILES",
    "PRECISIONS",
    "TIMES",
    "Activations",
    "Capabilities",
    "Checkpoint",
    "Comparison",
    "Compiled",
    "CostEstimate",
    "CudaGraph",
    "DataError",
    "DatasetReport",
    "DivergedError",
    "Evaluation",
    "Evaluator",
    "ExportDescription",
    "ExportedNetwork",
    "FeatureNetwork",
    "ImageFolder",
    "ImageReport",
    "Images",
    "Loaded",
    "LockedError",
    "Logger",
    "Normalisation",
    "Option",
    "OptionError",
    "Options",
    "Panel",
    "Pipeline",
    "RunError",
    "Saver",
    "Scores",
    "Split",
    "Teacher",
    "TensorBoardLogger",
    "TrainStep",
    "Trainer",
    "World",
    "activations",
    "animation_size",
    "append_log",
    "append_start",
    "as_pixels",
    "auto_batch_size",
    "autocast",
    "cache_folder",
    "capabilities_of",
    "check_network",
    "checkpoints",
    "compiles",
    "decode_image",
    "describe_export",
    "described",
    "estimate_cost",
    "evaluate",
    "fast_kernels",
    "fastest_precision",
    "free_memory",
    "freeze",
    "grid",
    "grid_size",
    "has_checkpoint",
    "held_out",
    "inspect_images",
    "is_own_export",
    "is_run_folder",
    "keep_compiled",
    "kernel_distance",
    "labelled_grid",
    "latest_checkpoint",
    "learned_features",
    "load",
    "load_feature_network",
    "locked",
    "loss",
    "losses",
    "nearest_images",
    "open_images",
    "open_loggers",
    "pack",
    "pick_device",
    "pixels_shape",
    "process_group",
    "read_config",
    "read_export",
    "read_history",
    "read_image",
    "read_log",
    "read_mask",
    "read_metadata",
    "read_pipeline",
    "read_schedule",
    "remove_unused_run",
    "require_creatable",
    "require_matching_tensors",
    "require_writable",
    "resume",
    "save",
    "save_animation",
    "save_arrays",
    "save_images",
    "save_plot",
    "save_png",
    "seed_weights",
    "side_by_side",
    "split_dataset",
    "truncate_log",
    "weights_hash",
    "with_defaults",
    "write_config",
    "write_export",
    "write_onnx",
    "write_pipeline",
]
