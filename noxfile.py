"""The project's checks, each in an environment with the built wheels it needs; nox reports the time of each.

nox                             every check but the long ones, the cheapest first
nox -s faults                   the long ones
nox -s "tests(samplers)"        one package with what it declares and nothing else
nox -s release_check -- samplers
                                the files of a release, and its tests with the lowest and highest siblings
"""

import os
import shutil
from pathlib import Path

import nox

PACKAGES = ("schedules", "samplers", "unet", "trainer", "cli")
SOURCES = tuple(f"packages/{package}/src" for package in PACKAGES)
TESTS = tuple(f"packages/{package}/tests" for package in PACKAGES)
SCRIPTS = (
    "noxfile.py",
    "conftest.py",
    "testing",
    "benchmarks",
    "docs",
    "examples",
    "release",
    "packages/trainer/scripts",
    "packages/cli/scripts",
)
DIST = Path("dist").resolve()
CONSTRAINTS = str(DIST / "constraints.txt")
PYTEST = ("pytest", "-n", "auto", "--dist", "worksteal", "--durations", "5")
SCHEMAS = {
    "vendor.github-workflows": ".github/workflows/*.yml",
    "custom.github-workflows-require-timeout": ".github/workflows/*.yml",
    "vendor.github-issue-forms": ".github/ISSUE_TEMPLATE/[!c]*.yml",
    "vendor.github-issue-config": ".github/ISSUE_TEMPLATE/config.yml",
    "vendor.dependabot": ".github/dependabot.yml",
    "vendor.citation-file-format": "CITATION.cff",
}
CHEAP = ("lint", "repository", "build", "install", "types", "tests(schedules)", "tests(samplers)", "lowest", "tests(unet)")
COSTLY = ("plugin", "examples", "onnx", "without_torch", "backends", "extras", "peers", "tests(trainer)", "tests(cli)")
RELEASE_TOOLS = ("build>=1.3", "hatchling", "twine>=6", "griffe>=2,<3", "packaging>=24")
SITE = (
    *("zensical>=0.0.70,<1", "mkdocstrings-python>=2,<3", "ruff>=0.14,<0.18", "codespell>=2.4"),
    *("diffusers>=0.35", "jax", "onnx", "onnxscript", "onnxruntime"),  # pages run code of these
)
PEERS = ("diffusers>=0.35", "accelerate", "matplotlib", "einops", "scipy", "tqdm", "trampoline")
TOOLS = ("pytest>=8", "pytest-xdist>=3.5", "hypothesis>=6.100", "sybil>=6", "deptry>=0.20")

nox.needs_version = ">=2025.10.16"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = [*CHEAP, *COSTLY]

for pips, uvs in {"PIP_FIND_LINKS": "UV_FIND_LINKS", "PIP_CERT": "SSL_CERT_FILE"}.items():
    if pips in os.environ:  # uv reads none of pip's settings
        os.environ.setdefault(uvs, os.environ[pips])
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the tests' networks are too small for threads
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each of the many processes would compile torch's modules again


def tests_of(package: str) -> tuple[str, ...]:
    """The tests of one package that are not long, the examples of its docstrings and of its README, for pytest."""
    paths = (f"packages/{package}/tests", f"packages/{package}/README.md", "--doctest-modules", "--pyargs", f"diffkit_{package}")
    return (*paths, "--ignore-glob=*/extra/*", "--ignore-glob=*/diffkit_cli/ui/*", "-m", "not long")


@nox.session
def lint(session: nox.Session) -> None:
    """Style and likely mistakes; who may import whom."""
    session.install("ruff>=0.14,<0.18", "import-linter>=2.7,<3")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", env={"PYTHONPATH": os.pathsep.join(SOURCES)})


@nox.session
def repository(session: nox.Session) -> None:
    """The schemas of workflows, forms and citation; what workflows may do; the tests of the scripts of releases and reports."""
    session.install("check-jsonschema>=0.36", "zizmor>=1.16", *RELEASE_TOOLS, "pytest>=8", "sybil>=6")
    for schema, files in SCHEMAS.items():
        session.run("check-jsonschema", "--builtin-schema", schema, *map(str, sorted(Path().glob(files))), silent=True)
    session.run("zizmor", "--offline", "--quiet", ".github", silent=True)
    session.run("pytest", "release", "benchmarks/report.py", "--doctest-modules", *session.posargs)


@nox.session
def changelog(session: nox.Session) -> None:
    """Whether each package that changed has a line in its changelog: `nox -s changelog -- origin/main`; not by default."""
    session.install("packaging>=24")
    session.run("python", "-m", "release.changelog", *(session.posargs or ["origin/main"]))


@nox.session(requires=["build"])
def types(session: nox.Session) -> None:
    """mypy: strict on every package at once; on tests and scripts what annotations they have."""
    session.install(
        *("-c", CONSTRAINTS, "mypy>=1.18,<3", "nox", *TOOLS, *RELEASE_TOOLS, *(f"diffkit-{package}" for package in PACKAGES)),
        *("diffkit-cli[ui]", "playwright"),
    )
    session.run("mypy", *SOURCES)
    session.run("mypy", "--explicit-package-bases", *SCRIPTS, *TESTS)


@nox.session
def build(session: nox.Session) -> None:
    """Every wheel, and a constraints file with the path of each and the version of torch."""
    session.install("build", "hatchling")
    for package in PACKAGES:
        session.run("python", "-m", "build", "--wheel", "--no-isolation", "--outdir", DIST, f"packages/{package}", silent=True)
    wheels = {package: max(DIST.glob(f"diffkit_{package}-*.whl"), key=os.path.getmtime) for package in PACKAGES}
    siblings = [f"diffkit-{package} @ {wheel.as_uri()}\n" for package, wheel in wheels.items()]
    Path(CONSTRAINTS).write_text("".join(siblings) + Path("constraints.txt").read_text())


@nox.session
@nox.parametrize(
    ("document", "options"),
    [("README.md", "--help"), ("CONTRIBUTING.md", "--collect-only -qq")],
    ids=("README", "CONTRIBUTING"),
)
def install(session: nox.Session, document: str, options: str) -> None:
    """The first `pip install` line of a document, as a shell runs it; then the line after it, with options that end it early."""
    lines = [line.partition(" #")[0] for line in Path(document).read_text("utf-8").splitlines()]
    pip = next(k for k, line in enumerate(lines) if line.startswith("    pip install "))
    session.run("bash", "-ec", f"uv {lines[pip]}" if session.venv_backend == "uv" else lines[pip], external=True)
    session.run("bash", "-ec", f"{lines[pip + 1]} {options}", external=True, silent=True)


@nox.session(requires=["build"])
@nox.parametrize("package", PACKAGES, ids=PACKAGES)
def tests(session: nox.Session, package: str) -> None:
    """One package with what it declares and nothing else: its imports, its tests, the examples of docstrings and README."""
    session.install("-c", CONSTRAINTS, f"diffkit-{package}", *TOOLS)
    with session.chdir(f"packages/{package}"):
        session.run("deptry", "src", silent=True)
    session.run(*PYTEST, *tests_of(package), *session.posargs)


@nox.session(requires=["build"])
def faults(session: nox.Session) -> None:
    """The long tests of the trainer and the command: kills at every stage, several processes, a million files."""
    session.install("-c", CONSTRAINTS, "diffkit-cli", *TOOLS)
    session.run(
        *PYTEST, "packages/trainer/tests", "packages/cli/tests", "--ignore-glob=*/extra/*", "-m", "long", *session.posargs
    )


@nox.session(requires=["build"])
def windows(session: nox.Session) -> None:
    """Locks, packed images and the command on Windows, or on Linux made like it; not by default: `tests` has them."""
    session.install("-c", CONSTRAINTS, "diffkit-cli", *TOOLS)
    session.run("pytest", "packages/trainer/tests/test_windows.py", "packages/cli/tests/test_windows.py", *session.posargs)


@nox.session(requires=["build"])
def plugin(session: nox.Session) -> None:
    """The command with a sampler, a schedule, a network and a logger of another distribution; then without that distribution."""
    session.install("-c", CONSTRAINTS, "diffkit-cli", "./examples/plugin", *TOOLS)
    session.run("pytest", "examples/plugin/tests/test_installed.py", *session.posargs)
    uninstall = ("uv", "pip", "uninstall") if session.venv_backend == "uv" else ("python", "-m", "pip", "uninstall", "--yes")
    session.run(*uninstall, "diffkit-example-plugin", external=True)
    session.run("pytest", "examples/plugin/tests/test_not_installed.py", *session.posargs)


@nox.session(requires=["build"])
def examples(session: nox.Session) -> None:
    """The examples that need no other library, with trainings of a few steps; those of the plug-in and of ONNX have their own."""
    session.install("-c", CONSTRAINTS, "diffkit-cli", *TOOLS)
    tests = (f"examples/test_{name}.py" for name in ("examples", "bring_your_own", "inverse_problems"))
    session.run(*PYTEST, *tests, *session.posargs)


@nox.session(requires=["build"])
def docs(session: nox.Session) -> None:
    """The site, built strictly into build/site: spelling, links, all public names, every code block. `-- serve` shows it."""
    session.install("-c", CONSTRAINTS, "diffkit-cli", *SITE, *TOOLS)
    here = {"PYTHONPATH": "."}  # for docs/docstrings.py, which the build imports
    session.run("python", "-m", "docs.assemble")
    session.run("zensical", "build", "--strict", env=here)
    if session.posargs == ["serve"]:
        session.run("python", "-m", "http.server", "--directory", "build/site")
        return
    pages = [*Path().glob("*.md"), *Path().glob("packages/*/*.md")]
    session.run("codespell", "docs", "examples", "benchmarks", *map(str, pages), *SOURCES)
    tests = ("docs", "--doctest-modules", "--ignore", "docs/figures")
    session.run(*PYTEST, "--dist", "loadfile", *tests, *session.posargs)  # the blocks of a page share its folder


@nox.session(requires=["build"])
def lowest(session: nox.Session) -> None:
    """The schedules and samplers on the oldest versions they declare; the slow conformance of each method is in `tests`."""
    session.install("-c", CONSTRAINTS, "diffkit-samplers", "numpy==1.26.0", "array-api-compat==1.14", "lazy-loader==0.6", *TOOLS)
    ignored = ("--ignore-glob=*/extra/*", "--ignore-glob=*/tests/testing/*")
    session.run(*PYTEST, "packages/schedules", "packages/samplers", *ignored, *session.posargs)


@nox.session(requires=["build"])
def backends(session: nox.Session) -> None:
    """The schedules and samplers on torch, JAX and array-api-strict too; device waits on the oldest array-api-compat."""
    session.install("-c", CONSTRAINTS, "diffkit-samplers", "torch", "jax", "array-api-strict>=2.3", *TOOLS)
    either = ("packages/schedules/tests/extra/test_tracing.py", "packages/samplers/tests/extra/test_waits.py")
    newest = (
        f"packages/samplers/tests/extra/test_{name}.py" for name in ("backends", "inverse_problems", "likelihood", "tracing")
    )
    session.run(*PYTEST, *either, *newest, *session.posargs)
    session.install("array-api-compat==1.14")
    session.run(*PYTEST, *either, "-k", "not no_step_waits or unipc_3 or dpmpp_3m_sde", *session.posargs)


@nox.session(requires=["build"])
def peers(session: nox.Session) -> None:
    """Scheduler classes, samplers, the U-Net and pipelines against diffusers: rates, steps, outputs and images."""
    session.install("-c", CONSTRAINTS, "diffkit-cli", "diffusers>=0.35", "torchsde", *TOOLS)  # its schedulers need SciPy too
    tests = (f"packages/{package}/tests/extra/test_diffusers.py" for package in ("schedules", "samplers", "unet", "cli"))
    session.run(*PYTEST, *tests, *session.posargs)


@nox.session(requires=["build"])
def onnx(session: nox.Session) -> None:
    """A network exported to ONNX, run by onnxruntime, sampled from with NumPy; writes a file for `without_torch`."""
    session.install("-c", CONSTRAINTS, "diffkit-cli", "onnx", "onnxscript", "onnxruntime", *TOOLS)
    paths = (f"packages/{package}/tests/extra/test_onnx.py" for package in ("unet", "cli"))
    session.run(*PYTEST, "--dist", "loadfile", *paths, *session.posargs)  # the tests of a file share its exports
    session.run("diffkit", "export", "digits", "--out", DIST / "onnx" / "digits.onnx")
    session.run("diffkit", "sample", "digits", "-n", "9", "--out", DIST / "onnx" / "images")


@nox.session(requires=["onnx"])
def without_torch(session: nox.Session) -> None:
    """The example that samples from an ONNX file without torch: the same images as `diffkit sample` with torch."""
    session.install("-c", CONSTRAINTS, "diffkit-samplers", "onnxruntime", "pillow", *TOOLS)  # the test alone uses Pillow
    session.run("pytest", "examples/test_onnx_numpy.py", *session.posargs)


@nox.session(requires=["build"])
def extras(session: nox.Session) -> None:
    """The trainer with its optional parts: the U-Net, two trackers, HEIC, and a C++ compiler for torch.compile."""
    session.install(
        "-c", CONSTRAINTS, "diffkit-trainer[datasets,heif]", "diffkit-unet", "diffkit-samplers", "tensorboard", "wandb", *TOOLS
    )
    session.run(*PYTEST, "packages/trainer/tests/extra", *session.posargs)


@nox.session(requires=["build"])
def page(session: nox.Session) -> None:
    """The page of `diffkit ui` in headless Chromium, which must be installed; not by default."""
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        session.error("no Chromium: apt-get install chromium")
    session.install("-c", CONSTRAINTS, "diffkit-cli[ui]", "playwright>=1.50", *TOOLS)
    tests = ("--doctest-modules", "--pyargs", "diffkit_cli.ui", "packages/cli/tests/extra/test_ui.py")
    session.run("pytest", *tests, *session.posargs)  # examples first: Playwright's event loop stays


@nox.session(requires=["build"])
def gpu(session: nox.Session) -> None:
    """The proofs that need no GPU; where there is one also correctness and speed on it, in gpu.md; not by default.

    `nox -s gpu -- --recipe` times all of the tutorial's recipe too. The peers are compared where they can be installed.
    """
    session.install("-c", CONSTRAINTS, "diffkit-trainer", "diffkit-unet", "diffkit-samplers", *TOOLS)
    proofs = ("test_device_waits", "test_cuda_graph", "test_operators", "test_evaluator", "test_compile", "test_cuda")
    trainer = (f"packages/trainer/tests/extra/{name}.py" for name in proofs)
    session.run(*PYTEST, *trainer, "packages/trainer/tests/acceleration", "packages/samplers/tests/extra/test_waits.py")
    if session.run("python", "-c", "import torch; print(torch.cuda.is_available())", silent=True) == "True\n":
        session.install("diffusers", "accelerate", "denoising-diffusion-pytorch", success_codes=[0, 1, 2])
    session.run("python", "benchmarks/gpu.py", *session.posargs)


@nox.session(requires=["build"])
def mutation(session: nox.Session) -> None:
    """The fraction of a package's mutants that its fast tests kill: `nox -s mutation -- trainer [MODULE ...]`; not by default."""
    if not session.posargs:
        session.error("which package? nox -s mutation -- schedules, samplers, unet or trainer")
    session.install("-c", CONSTRAINTS, f"diffkit-{session.posargs[0]}", "torch", "jax", "mutmut==3.8.1", *TOOLS)
    session.run("python", "benchmarks/mutation_testing.py", *session.posargs)


@nox.session(requires=["build"])
def benchmarks(session: nox.Session) -> None:
    """Every table of the benchmarks, into build/benchmarks; `-- --quick` in minutes; see python -m benchmarks; not by default."""
    session.install("-c", CONSTRAINTS, "diffkit-cli", *PEERS, *TOOLS)
    session.install("--no-deps", "k-diffusion", "azula", "torchdiffeq", "torchsde")  # their requirements would replace torch
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def release_files(session: nox.Session) -> None:
    """The files of a release, built twice and checked; the version that its changes call for; wheels of its siblings."""
    session.install(*RELEASE_TOOLS)
    session.run("python", "-m", "release", *session.posargs)


@nox.session(requires=["release_files"])
@nox.parametrize("siblings", ["lowest", "highest"], ids=["lowest", "highest"])
def release_check(session: nox.Session, siblings: str) -> None:
    """The tests of a release's wheel with the lowest or highest siblings: `nox -s release_check -- samplers`, or its tag."""
    package = session.posargs[0].partition("-v")[0]
    constraints = {each: DIST / "siblings" / f"{each}.txt" for each in ("lowest", "highest")}
    if siblings == "lowest" and constraints["lowest"].read_text() == constraints["highest"].read_text():
        session.skip("the highest siblings are the lowest too")
    session.install("-c", str(constraints[siblings]), f"diffkit-{package}", *TOOLS)
    session.run(*PYTEST, *tests_of(package))
