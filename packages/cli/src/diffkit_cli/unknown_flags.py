"""Flags that a command does not have, answered by the one that is meant."""

from typing import Any

from typer.core import TyperCommand

from diffkit_cli.errors import UsageError
from diffkit_cli.synonyms import hint
from diffkit_cli.training.options import OPTIONS

__all__ = ["Command"]


class Command(TyperCommand):
    """A command that answers an unknown flag by the right one, see `synonyms.hint`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except Exception as error:  # click's, or typer's copy of it
            if not hasattr(error, "possibilities"):
                raise
            flag = str(error.option_name)  # type: ignore[attr-defined]
            way_out = hint(flag, self._forms(ctx.command_path))
            raise UsageError(f"no option {flag}{f': {way_out}' if way_out else f'; see {ctx.command_path} --help'}") from None

    def _forms(self, command: str) -> dict[str, str]:
        """How each option is given, by its name: a flag, an argument, or a key of --set."""
        forms = {key: f"--set {key}=VALUE" for key in OPTIONS} if any("--set" in each.opts for each in self.params) else {}
        for each in self.params:
            if each.param_type_name == "argument":
                forms[str(each.name)] = f"{command} {each.metavar}"
            else:
                forms |= {flag.lstrip("-").replace("-", "_"): flag for flag in (*each.opts, *each.secondary_opts)}
        return forms
