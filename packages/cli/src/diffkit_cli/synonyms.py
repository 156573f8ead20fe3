"""What other tools call our options."""

from collections.abc import Mapping
from difflib import get_close_matches

__all__ = ["command_meant", "hint"]

MAX_NEAR = 3
EPOCH = ": an epoch is the number of images / the batch size, in steps; diffkit train --dry-run prints both"

SYNONYMS: dict[str, tuple[str, ...]] = {
    "out": (
        *("o", "output", "outdir", "outfile", "output_dir", "output_folder", "output_path", "save_dir", "save_path"),
        *("results_dir", "results_folder", "run", "run_dir", "log_dir", "logdir", "workdir"),
    ),
    "n": ("num", "count", "samples", "num_samples", "n_samples", "num_images", "n_images", "num_images_per_prompt", "images"),
    "guidance": ("cfg", "cfg_scale", "guidance_scale", "guidance_strength", "cond_scale", "w"),
    "steps": (
        *("epoch", "epochs", "num_epochs", "n_epochs", "max_epochs", "num_train_epochs", "train_epochs", "iter", "iters"),
        *("iterations", "max_iter", "max_iters", "num_steps", "n_steps", "max_steps", "total_steps", "train_steps", "kimg"),
        *("max_train_steps", "num_training_steps", "train_num_steps", "num_inference_steps", "inference_steps", "nfe"),
        *("sampling_steps", "sample_steps", "ddim_steps", "timesteps", "num_timesteps"),
    ),
    "time": ("duration", "max_time", "hours", "minutes", "train_time", "time_limit"),
    "batch_size": ("b", "bs", "batch", "batchsize", "batch_gpu", "train_batch_size", "eval_batch_size", "max_batch_size"),
    "size": ("image_size", "img_size", "imgsz", "image_resolution", "img_resolution", "resolution", "res", "height", "width"),
    "lr": ("learning_rate", "learningrate", "lr_rate", "train_lr", "base_lr", "max_lr", "init_lr", "initial_lr"),
    "ema": ("ema_decay", "ema_rate", "ema_beta", "ema_halflife", "use_ema"),
    "seed": ("seeds", "random_seed", "manual_seed", "rng_seed", "random_state"),
    "device": ("gpu", "gpus", "cuda", "cpu", "accelerator", "devices"),
    "resume": (
        *("resume_from", "resume_from_checkpoint", "resume_checkpoint", "continue", "restore", "checkpoint", "checkpoint_path"),
        *("ckpt", "ckpt_path", "load"),
    ),
    "from": ("pretrained", "from_pretrained", "finetune", "fine_tune", "init_from", "init_weights", "load_weights"),
    "run": (
        *("checkpoint", "checkpoint_path", "checkpoint_dir", "ckpt", "ckpt_path", "model", "model_path", "model_dir", "network"),
        "weights",
    ),
    "data": (
        *("dataset", "dataset_dir", "dataset_name", "dataset_path", "data_dir", "data_path", "train_data", "train_data_dir"),
        *("image_folder", "image_dir", "images", "folder", "input", "path"),
    ),
    "step": ("milestone", "checkpoint_step", "ckpt_step"),
    "force": ("overwrite", "exist_ok", "yes", "y"),
    "classes": ("class_cond", "conditional"),
    "preset": ("arch", "architecture", "model", "model_type", "network", "net"),
    "schedule": ("noise_schedule", "beta_schedule", "noise_scheduler", "scheduler", "betas"),
    "prediction": ("prediction_type", "pred_type", "objective", "parameterization"),
    "sampler": ("method", "scheduler", "solver", "sampling_method", "sampler_name"),
    "spacing": ("timestep_spacing", "discretization"),
    "eta": ("ddim_eta", "ddim_sampling_eta"),
    "class": ("classes", "label", "labels", "class_label", "class_labels", "class_id", "class_idx"),
    "strength": ("denoising_strength", "noise_strength"),
    "init": ("init_image", "init_img", "input_image", "image"),
    "config": ("cfg", "conf", "config_file", "config_path"),
    "accumulate": ("gradient_accumulation_steps", "gradient_accumulate_every", "accumulation_steps", "grad_accum"),
    "precision": ("mixed_precision", "amp", "fp16", "bf16", "half", "dtype"),
    "flip": ("mirror", "hflip", "random_flip", "horizontal_flip", "augment_horizontal_flip", "augment"),
    "loss": ("loss_type", "loss_fn", "criterion"),
    "weighting": ("loss_weight", "loss_weighting", "snr_weighting"),
    "gamma": ("snr_gamma", "min_snr_gamma"),
    "lr_schedule": ("lr_scheduler", "lr_decay", "lr_policy"),
    "warmup": ("warmup_steps", "lr_warmup", "lr_warmup_steps", "num_warmup_steps"),
    "clip_grad_norm": ("clip_grad", "grad_clip", "gradient_clip", "gradient_clip_val", "max_grad_norm"),
    "class_dropout": ("cond_drop_prob", "uncond_prob", "p_uncond", "label_dropout"),
    "save_every": ("save_interval", "save_steps", "save_and_sample_every", "checkpointing_steps", "checkpoint_every"),
    "sample_every": ("sample_interval", "preview_every", "validation_steps"),
    "log_every": ("log_interval", "logging_steps"),
    "keep": ("checkpoints_total_limit", "save_total_limit", "max_checkpoints"),
    "log_to": ("report_to", "logger", "wandb", "tensorboard"),
    "compile": ("torch_compile", "use_compile"),
    "shard": ("fsdp", "use_fsdp"),
    "weight_decay": ("wd", "adam_weight_decay"),
}
"""Our name: theirs, with underscores. Of a name with two meanings, the first that a command has is meant."""


COMMANDS: dict[str, tuple[str, ...]] = {
    "sample": ("generate", "gen", "create", "infer", "inference", "predict", "samples", "txt2img", "img2img"),
    "train": ("fit", "finetune", "fine_tune", "resume"),
    "evaluate": ("eval", "fid", "kid", "metrics", "score", "test"),
    "interpolate": ("slerp", "morph"),
    "inpaint": ("inpainting", "repaint", "fill"),
    "info": ("show", "describe", "inspect", "list", "ls", "status"),
    "doctor": ("check", "validate", "lint"),
    "export": ("convert", "onnx"),
}
"""Our command: theirs, with underscores."""


def command_meant(theirs: str) -> str:
    """The command that other tools call so; "" for none.

    >>> command_meant("generate"), command_meant("fine-tune"), command_meant("x")
    ('use sample', 'use train', '')
    """
    word = theirs.replace("-", "_").lower()
    return next((f"use {own}" for own, names in COMMANDS.items() if word in names), "")


def hint(theirs: str, forms: Mapping[str, str]) -> str:
    """The option that is meant by a name that is none of ours: what another tool calls so, or the nearest names.

    theirs: a flag or a key. forms: how each of our options is given, by its name. "" where no name is near.

    >>> forms = {"lr": "--lr", "n": "-n", "steps": "--steps"}
    >>> hint("--learning-rate", forms), hint("num_sample", forms), hint("-s", forms)
    ('use --lr', 'did you mean -n?', '')
    """
    word = theirs.lstrip("-").replace("-", "_").lower()
    theirs_to_ours = {name: own for own, names in reversed(SYNONYMS.items()) if own in forms for name in names}
    own = word if word in forms else theirs_to_ours.get(word)
    if own is not None:
        return f"use {forms[own]}{EPOCH if own == 'steps' and 'epoch' in word else ''}"
    if len(word) == 1:
        return ""  # it is near to all that is short
    near = get_close_matches(word, forms, MAX_NEAR) or get_close_matches(word, theirs_to_ours, MAX_NEAR)
    written = dict.fromkeys(forms[each if each in forms else theirs_to_ours[each]] for each in near)
    return f"did you mean {' or '.join(written)}?" if written else ""
