"""diffkit tune: what it keeps in the run, and who takes it."""

import json
import shutil

import pytest
from diffkit_cli import open_run
from diffkit_cli.reports.tuning import Kid, preferred
from diffkit_cli.sampling import few_steps
from diffkit_cli.sampling.few_steps import FewSteps
from diffkit_trainer import read_metadata

from ..helpers import one_line

ENTRY = {"sampler": "unipc_2", "eta": 0.0, "spacing": "1,0.5,0.25,0", "guidance": 1.0, "step": 0, "weights": "x"}


@pytest.fixture
def tuned_run(with_classes, tmp_path):
    """A run with an entry for three steps."""
    run = tmp_path / "tuned"
    shutil.copytree(with_classes, run)
    (run / "tuned.json").write_text(json.dumps({"format": 1, "tuned": [ENTRY]}))
    return run


def test_tune_keeps_a_sampler_that_sample_takes(with_classes, tmp_path, diffkit, monkeypatch):
    monkeypatch.setattr(few_steps, "VALUES", 0)  # 32 noises, in place of 256 for such small images
    run, image = tmp_path / "run", tmp_path / "a.png"
    shutil.copytree(with_classes, run)
    code, table, said = diffkit("tune", run, "--steps", 2, "-n", 40)
    assert code == 0, said
    assert table.splitlines()[0] == f"{run}@0, 2 steps"
    assert [line.split()[0] for line in table.splitlines()[2:]] == ["uniform", "best", "tuned", "tuned,", "tuned,"]
    (entry,) = json.loads((run / "tuned.json").read_text())["tuned"]
    assert (entry["spacing"].count(","), entry["step"], entry["guidance"]) == (2, 0, 1.0)
    assert entry["kid"] > 0
    _, _, said = diffkit("sample", run, "-n", 2, "--steps", 2, "--out", image)
    assert f"2 steps of {entry['sampler']}, eta {entry['eta']:g}, times {entry['spacing']} (diffkit tune)" in said
    assert read_metadata(image)["spacing"] == entry["spacing"]


def test_the_tuned_times_are_those_of_sample_with_these_times(tuned_run, tmp_path, diffkit):
    for name, options in {
        "tuned": ["--steps", 3],
        "given": ["--sampler", "unipc_2", "--spacing", "1,0.5,0.25,0"],
        "like": ["--like", tmp_path / "tuned.png"],
    }.items():
        assert diffkit("sample", tuned_run, "-n", 2, *options, "--out", tmp_path / f"{name}.png")[0] == 0
    assert (tmp_path / "tuned.png").read_bytes() == (tmp_path / "given.png").read_bytes() == (tmp_path / "like.png").read_bytes()
    assert "3 steps of unipc_2" in repr(open_run(tuned_run, device="cpu").sample(1, steps=3))


@pytest.mark.parametrize("options", [["--sampler", "ddim"], ["--spacing", "uniform"], ["--eta", "0"]])
def test_a_given_sampler_spacing_or_eta_overrides_the_tuned_ones(tuned_run, tmp_path, diffkit, options):
    _, _, said = diffkit("sample", tuned_run, "-n", 2, "--steps", 3, *options, "--out", tmp_path / "a.png")
    assert ", 3 steps of ddim, eta 0, seed 0: " in said


def test_like_with_another_number_of_steps_leaves_the_times(tuned_run, tmp_path, diffkit):
    diffkit("sample", tuned_run, "-n", 2, "--steps", 3, "--out", tmp_path / "a.png")
    _, _, said = diffkit("sample", tuned_run, "--like", tmp_path / "a.png", "--steps", 4, "--out", tmp_path / "b.png")
    assert ", 4 steps of unipc_2, eta 0, seed 0: " in said


def test_an_export_has_what_was_tuned(tuned_run, tmp_path, diffkit):
    file = tmp_path / "network.safetensors"
    assert diffkit("export", tuned_run, "--out", file)[0] == 0
    _, _, said = diffkit("sample", file, "-n", 1, "--steps", 3, "--out", tmp_path / "a.png")
    assert "3 steps of unipc_2, eta 0, times 1,0.5,0.25,0 (diffkit tune at step 0)" in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampler": "nope"}, "tuned[0]: sampler: expected one of ddim,"),
        ({"spacing": "uniform"}, "tuned[0]: spacing: expected a list of times, found 'uniform'"),
        ({"spacing": "1,2,0"}, "tuned[0]: spacing: expected times that decrease from at most 1 to 0, such as 1,0.7,0.3,0; found"),
        ({"spacing": "1,x,0"}, "tuned[0]: spacing: expected times that decrease"),
        ({"eta": 2}, "tuned[0].eta: expected float <= 1.0, found 2"),
        ({"weights": None}, "tuned[0].weights: expected str"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(tuned_run, diffkit, change, message):
    (tuned_run / "tuned.json").write_text(json.dumps({"tuned": [ENTRY | change]}))
    code, _, said = diffkit("sample", tuned_run, "-n", 1)
    assert (code, one_line(said).startswith(f"diffkit: {tuned_run / 'tuned.json'}: {message}")) == (4, True), said


@pytest.mark.parametrize("text", ["{", '{"tuned": 3}', '{"tuned": [], "more": 1}', '{"format": 9, "tuned": []}', "[]"])
def test_a_file_that_is_none_of_tune_is_refused(tuned_run, diffkit, text):
    (tuned_run / "tuned.json").write_text(text)
    code, _, said = diffkit("sample", tuned_run, "-n", 1)
    assert (code, one_line(said).startswith(f"diffkit: {tuned_run / 'tuned.json'}: ")) == (4, True), said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tune", "run", "--steps", "1"], "--steps must be an integer from 2 to 100, got 1"),
        (["tune", "run", "--steps", "101"], "--steps must be an integer from 2 to 100, got 101"),
        (["tune", "run/config.json"], "run/config.json is a file, and tune writes into a run folder: tune the run, then"),
        (
            ["sample", "run", "--spacing", "1,0.5"],
            "--spacing: expected times that decrease from at most 1 to 0, such as 1,0.7,0.3,0;",
        ),
        (["sample", "run", "--spacing", "1,nan,0"], "--spacing: expected times that decrease"),
        (
            ["sample", "run", "--spacing", "1,0.5,0", "--steps", "3"],
            "--steps 3: --spacing has the times of 2 steps: leave --steps out",
        ),
    ],
)
def test_wrong_options_are_refused_in_one_line(diffkit_beside_run, arguments, message):
    code, _, said = diffkit_beside_run(*arguments)
    assert code == 2
    assert message in one_line(said)


def test_times_tuned_for_another_guidance_say_so(tuned_run, tmp_path, diffkit):
    (tuned_run / "tuned.json").write_text(json.dumps({"tuned": [ENTRY | {"guidance": 5.0}]}))
    _, _, said = diffkit("sample", tuned_run, "-n", 2, "--steps", 3, "--out", tmp_path / "a.png")
    assert "times 1,0.5,0.25,0 (diffkit tune at step 0, guidance 5), seed 0" in said
    _, _, said = diffkit("sample", tuned_run, "-n", 2, "--steps", 3, "--guidance", 5, "--out", tmp_path / "a.png", "--force")
    assert "times 1,0.5,0.25,0, guidance 5 (diffkit tune at step 0), seed 0" in said


def test_evaluate_says_what_is_tuned(tuned_run, diffkit):
    code, table, said = diffkit("evaluate", tuned_run, "-n", 20, "--steps", 3)
    assert code == 0, said
    assert table.splitlines()[0] == f"{tuned_run}@0, 3 steps of unipc_2, eta 0, times 1,0.5,0.25,0 (diffkit tune at step 0)"


def test_steps_names_the_rows_that_are_tuned(tuned_run, tmp_path, diffkit):
    _, _, said = diffkit("steps", tuned_run, "--steps", "2,3", "-n", 2, "--out", tmp_path / "a.png")
    assert "of the same noise, ddim and unipc_2 (diffkit tune at step 0), seed 0: " in said
    assert "3 steps, tuned: " in said
    document = read_metadata(tmp_path / "a.png")
    assert [document[key] for key in ("sampler", "spacing", "counts")] == ["ddim", "uniform", [2, 3]]
    assert document["tuned"] == ["3 steps of unipc_2, eta 0, times 1,0.5,0.25,0"]
    diffkit("steps", tuned_run, "--steps", "3", "-n", 2, "--out", tmp_path / "b.png")
    document = read_metadata(tmp_path / "b.png")
    assert document["tuned"] == ["3 steps of unipc_2, eta 0, times 1,0.5,0.25,0"]
    assert not {"sampler", "eta", "spacing"} & document.keys()


def test_the_nearest_is_kept_unless_a_kid_is_surely_lower():
    ways = {"named": FewSteps("ddim", "uniform", error=0.2), "tuned": FewSteps("deis", "1,0.5,0", error=0.1)}
    tuned, chance, lower = Kid(0.3, [0.3, 0.2, 0.4]), Kid(0.2, [0.5, 0.1, 0.0]), Kid(0.1, [0.1, 0.0, 0.2])
    assert preferred(ways, {}) == "tuned"
    assert preferred(ways, {"named": chance, "tuned": tuned}) == "tuned"
    assert preferred(ways, {"named": lower, "tuned": tuned}) == "named"
