"""diffkit export: a run's network in one file."""

import json
from pathlib import Path

from diffkit_trainer import Exported, RunError, write_export, write_onnx

from diffkit_cli.config import UsageError
from diffkit_cli.console import console
from diffkit_cli.sample import opened

__all__ = ["export"]


def export(run: Path, out: Path, *, raw: bool) -> None:
    """Write the run's network to `out`: FILE.safetensors with its config, which every command takes as a RUN; FILE.onnx; or a
    folder of model.safetensors and config.json.

    raw: the network as trained, not its average. Raises UsageError for another suffix, and where ONNX's packages are missing.
    """
    kind = out.suffix.lower()
    if kind not in ("", ".safetensors", ".onnx"):
        raise UsageError(f"--out must be a folder, or end in .safetensors or .onnx, got {out}")
    if out.is_dir() != (kind == "") and out.exists():
        raise RunError(f"{out}: is {'a folder' if out.is_dir() else 'a file'}, give another name")
    source = opened(run, raw, "cpu", {})
    network, config = source.sampler.network, source.sampler.config
    if kind == ".onnx":
        with console.status("writing ONNX"):
            write_onnx(out, network, config)
    else:
        path = out if kind else out / "model.safetensors"
        write_export(path, Exported(network.state_dict(), config, source.step, source.raw))
        if not kind:
            (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    which = "the network as trained" if source.raw else "the moving average"
    use = "" if kind == ".onnx" else f". Sample with: diffkit sample {path}"
    console.print(f"{which}, step {source.step}, weights {source.weights}: {out}{use}")
