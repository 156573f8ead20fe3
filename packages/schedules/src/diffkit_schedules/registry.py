"""Registries: the parts of one kind by name, those of this project and those of other installed distributions."""

import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import ContextDecorator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Registry"]


class Registry(Mapping[str, Any]):
    """A read-only mapping from a name to an object that is imported when it is first asked for.

    group: the entry-point group in which other distributions register theirs, such as "diffkit.schedules". builtin: our own
    names, each with the "module:attribute" where its object is. Iterating, `len` and `in` import none of the objects.
    Raises ValueError for a name that is not registered, and for one that two distributions register; ImportError where another
    distribution's object cannot be imported. Each names the distributions.

    >>> registry = Registry("diffkit.numbers", {"pi": "math:pi", "tau": "math:tau"})
    >>> list(registry), round(registry["pi"], 2)
    (['pi', 'tau'], 3.14)
    """

    def __init__(self, group: str, builtin: Mapping[str, str]) -> None:
        self.group = group
        self.kind = group.rpartition(".")[2].removesuffix("s")
        self._builtin = dict(builtin)
        self._installed: dict[str, list[EntryPoint]] | None = None
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """The object of this name."""
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._builtin
        yield from sorted(self._others().keys() - self._builtin.keys())

    def __len__(self) -> int:
        return len(self._builtin.keys() | self._others().keys())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self._builtin or name in self._others())

    def get(self, name: str, default: Any = None) -> Any:
        """The object of this name, or the default where no distribution registers it."""
        return super().get(name, default) if name in self else default

    def origin(self, name: str) -> tuple[str, str]:
        """The distribution that registers this name, and its version. Raises ValueError as `registry[name]` does.

        >>> Registry("diffkit.schedules", {"cosine": "diffkit_schedules.continuous:cosine"}).origin("cosine")[0]
        'diffkit-schedules'
        """
        return self._registered(name)[0]

    def name_of(self, part: Any) -> str | None:
        """The name under which this object is registered, or None; imports only what has the object's own name.

        >>> import math
        >>> Registry("diffkit.numbers", {"root": "math:sqrt"}).name_of(math.sqrt)
        'root'
        """
        attribute = getattr(part, "__qualname__", None)
        return next((name for name in self if self._is_called(name, attribute) and self[name] is part), None)

    def naming(self, name: str) -> "_Noting":
        """A context, or a decorator, in which an error of another distribution's object gets a note that names it.

        >>> with Registry("diffkit.numbers", {"pi": "math:pi"}).naming("pi"):
        ...     pass  # an error in here is of our own, and passes as it is
        """
        if name in self._builtin:
            return _Noting(None)
        distribution, version = self.origin(name)
        return _Noting(f"raised by {self.kind} {name!r} of {distribution} {version}")

    def _load(self, name: str) -> Any:
        (distribution, version), value = self._registered(name)
        if name in self._builtin:
            return pkgutil.resolve_name(value)
        try:
            return pkgutil.resolve_name(value)
        except Exception as error:
            raise ImportError(
                f"{self.kind} {name!r} of {distribution} {version} cannot be imported from {value!r}:"
                f" {type(error).__name__}: {error}"
            ) from error

    def _registered(self, name: str) -> tuple[tuple[str, str], str]:
        """(distribution, version) and "module:attribute" of a name."""
        if name not in self:
            raise ValueError(f"{self.kind} must be one of {', '.join(self)}; got {name!r:.60}{self._hint(name)}")
        found = [(_distribution_of(entry), entry.value) for entry in self._others().get(name, [])]
        if name in self._builtin:
            value = self._builtin[name]
            found.insert(0, (_distribution_of_module(value.partition(":")[0]), value))
        if len(found) > 1:
            owners = " and ".join(" ".join(origin) for origin, _ in found)
            raise ValueError(f"{self.kind} {name!r} is registered by {owners}: uninstall all of these but one")
        return found[0]

    def _is_called(self, name: str, attribute: str | None) -> bool:
        values = [entry.value for entry in self._others().get(name, [])] + [self._builtin.get(name, "")]
        return any(value.partition(":")[2] == attribute for value in values)

    def _hint(self, name: object) -> str:
        import difflib  # here, as importlib.metadata below: importing a registry takes no time

        nearest = difflib.get_close_matches(str(name), self, n=1)
        return f", did you mean {nearest[0]!r}?" if nearest else ""

    def _others(self) -> "Mapping[str, list[EntryPoint]]":
        """The entry points of other distributions by name, more than one where they disagree."""
        if self._installed is None:
            from importlib.metadata import entry_points

            found: dict[str, list[EntryPoint]] = {}
            for entry in entry_points(group=self.group):
                found.setdefault(entry.name, []).append(entry)
            self._installed = found
        return self._installed


class _Noting(ContextDecorator):
    """Adds a note to every exception that leaves the context."""

    def __init__(self, note: str | None) -> None:
        self.note = note

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self.note is not None and isinstance(error, Exception) and self.note not in getattr(error, "__notes__", ()):
            error.add_note(self.note)


def _distribution_of(entry: "EntryPoint") -> tuple[str, str]:
    return (entry.dist.name, entry.dist.version) if entry.dist is not None else ("an unknown distribution", "?")


def _distribution_of_module(module: str) -> tuple[str, str]:
    """Ours are named as their package is imported."""
    from importlib.metadata import PackageNotFoundError, version

    distribution = module.partition(".")[0].replace("_", "-")
    try:
        return distribution, version(distribution)
    except PackageNotFoundError:
        return distribution, "(not installed)"
