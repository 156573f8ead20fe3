"""Writes the pages of the site into build/docs, see `zensical.toml`.

Usage: python -m docs.assemble

They are docs/*.md; READMEs and documents of the repository, whose links then lead to pages, or to files of the repository on
the web; and a page for each package with all its public names. A line `{{ examples/dps.py }}` becomes the content of that file.
"""

import ast
import posixpath
import re
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
OUT = REPOSITORY / "build" / "docs"
WEB = "https://github.com/diffkit/diffkit/blob/main"
PACKAGES = ("schedules", "samplers", "unet", "trainer", "cli")
PUBLIC_MODULES = {"samplers": ("testing",)}
"""Modules below a package whose names are public too, and not among those of the package."""
DOCUMENTS = {
    **{f"packages/{package}/README.md": f"{package}.md" for package in PACKAGES},
    "benchmarks/README.md": "benchmarks.md",
    "CONTRIBUTING.md": "contributing.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
    "SECURITY.md": "security.md",
    "README.md": "index.md",
}
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(#[^)\s]*)?\)")


def main() -> None:
    """Replace build/docs."""
    shutil.rmtree(OUT, ignore_errors=True)
    (OUT / "reference").mkdir(parents=True)
    documents = [path for path in DOCUMENTS if path != "README.md"]  # the front page stands in its place
    for path in [*documents, *(f"docs/{page.name}" for page in sorted((REPOSITORY / "docs").glob("*.md")))]:
        (OUT / page_of(path)).write_text(page(path), "utf-8")
    for image in (REPOSITORY / "docs").rglob("*.png"):
        copy = OUT / image.relative_to(REPOSITORY / "docs")
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(image, copy)
    shutil.copy(REPOSITORY / "docs" / "style.css", OUT)
    for package in PACKAGES:
        (OUT / "reference" / f"{package}.md").write_text("\n".join(reference(package)), "utf-8")


def page_of(path: str) -> str:
    """The page that a document of the repository becomes, or "" for any other file."""
    folder, name = posixpath.split(path)
    return DOCUMENTS.get(path, name if folder == "docs" and name.endswith(".md") else "")


def page(path: str) -> str:
    """The document with its links and `{{ FILE }}` replaced. Raises ValueError for a link to a file that does not exist."""
    lines: list[str] = []
    code = False
    for line in (REPOSITORY / path).read_text("utf-8").splitlines():
        code ^= line.lstrip().startswith("```")
        if line.startswith("{{ "):
            lines += example(line.strip("{} "))
        else:
            lines.append(line if code or line.startswith("    ") else LINK.sub(lambda link: rewritten(link, path), line))
    return "\n".join(lines) + "\n"


def rewritten(link: re.Match[str], path: str) -> str:
    """A link of the document `path`, for the page that it becomes."""
    target, fragment = link[1], link[2] or ""
    file = posixpath.normpath(posixpath.join(posixpath.dirname(path), target)) if target else path
    if not (REPOSITORY / file).exists():
        if path.startswith("docs/") and target.startswith("reference/"):
            return link[0]
        raise ValueError(f"{path} links to {target}, which does not exist: correct the link")
    if (REPOSITORY / file / "README.md").is_file() and page_of(f"{file}/README.md"):
        file = f"{file}/README.md"
    if file.startswith("docs/") and not file.endswith(".md"):
        return f"]({file.removeprefix('docs/')})"
    return f"]({page_of(file) or f'{WEB}/{file}'}{fragment})"


def example(path: str) -> Iterator[str]:
    """The file's content, folded below its name."""
    yield f'??? example "{path}"'
    yield "    ```python"
    yield from (f"    {line}".rstrip() for line in (REPOSITORY / path).read_text("utf-8").splitlines())
    yield "    ```"


def reference(package: str) -> Iterator[str]:
    """A page with a directive for each public name, below the file that defines it."""
    yield f"# diffkit_{package}\n"
    yield f"{summary(f'diffkit_{package}')}\n"
    for module, names in public_names(package).items():
        yield f"## {module}\n"
        yield f"{summary(f'diffkit_{package}.{module}')}\n"
        for name in names:
            yield f"::: {path_of(f'diffkit_{package}', name)}\n"


def path_of(package: str, name: str) -> str:
    """Where the public name is found; by its own file, if the file has the same name."""
    return f"{package}.{name}.{name}" if find_spec(f"{package}.{name}") else f"{package}.{name}"


def public_names(package: str) -> dict[str, list[str]]:
    """{module or folder: public names that it defines, with their module where they are public by it alone}."""
    names: dict[str, list[str]] = {}
    for node in ast.parse(file_of(f"diffkit_{package}").with_suffix(".pyi").read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            names.setdefault(str(node.module).partition(".")[0], []).extend(alias.name for alias in node.names)
    for module in PUBLIC_MODULES.get(package, ()):
        tree = ast.parse(file_of(f"diffkit_{package}.{module}").read_text("utf-8"))
        exported = next(node for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
        names[module] = [f"{module}.{name}" for name in ast.literal_eval(exported.value)]
    return names


def summary(module: str) -> str:
    """The first paragraph of a module's docstring."""
    text = ast.get_docstring(ast.parse(file_of(module).read_text("utf-8"))) or ""
    return text.partition("\n\n")[0]


def file_of(module: str) -> Path:
    """The file of an installed module, which is not imported."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ValueError(f"{module} is not installed: pip install -e its package")
    return Path(spec.origin)


if __name__ == "__main__":
    main()
