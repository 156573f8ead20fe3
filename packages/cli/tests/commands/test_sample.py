"""diffkit sample: samplers, sizes, classes, animations, reproducing a PNG."""

import json
from importlib.metadata import version

import pytest
import torch
from diffkit_cli import open_run
from diffkit_cli.terminal import progress
from diffkit_samplers import METHODS, ddim, guide, seeded
from diffkit_trainer import grid, load, read_metadata, weights_hash
from PIL import Image

from ..helpers import frames, near, one_line, pixels, size_of


@pytest.mark.parametrize("sampler", ["heun", "dpmpp-3m-sde", "dpmpp_2s_ancestral", "unipc_2", "euler_ancestral", "ddim"])
def test_every_sampler_gives_images_that_depend_on_their_seed_only(trained, tmp_path, diffkit, sampler):
    for name, options in {"all": ["-n", 3], "by2": ["-n", 3, "--batch-size", 2], "from2": ["-n", 1, "--seed", 2]}.items():
        drawn = ["--sampler", sampler, "--steps", 3, "--out", tmp_path / name, *options]
        assert diffkit("sample", trained, *drawn)[0] == 0
    whole = pixels(tmp_path / "all")
    assert near(whole, pixels(tmp_path / "by2"))
    assert near(whole[2:], pixels(tmp_path / "from2"))


def test_batch_size_and_file_format_do_not_change_the_images(mapped, tmp_path, diffkit):
    back, again = tmp_path / "back", tmp_path / "again.safetensors"
    assert diffkit("export", mapped, "--out", tmp_path / "net.safetensors")[0] == 0
    assert diffkit("export", mapped, "--out", back, "--format", "diffusers")[0] == 0
    assert diffkit("import", back, "--out", again)[0] == 0
    drawn = {}
    for name, run, batch in (("1", mapped, 1), ("3", mapped, 3), ("16", mapped, 16), ("all", mapped, None)):
        options = [] if batch is None else ["--batch-size", batch]
        assert diffkit("sample", run, "-n", 16, "--steps", 4, "--eta", 0.5, *options, "--out", tmp_path / name)[0] == 0
        drawn[name] = pixels(tmp_path / name)
    assert len({tuple(image) for image in drawn["all"]}) == 16
    assert all(near(drawn["all"], images) for images in drawn.values())
    for run in (tmp_path / "net.safetensors", again):
        same = tmp_path / f"same {run.stem}"
        assert diffkit("sample", run, "-n", 16, "--steps", 4, "--eta", 0.5, "--out", same)[0] == 0
        assert pixels(same) == drawn["all"]


def test_ddpm_is_ddim_with_eta_1(trained, tmp_path, diffkit):
    for name, options in {"a": ["--sampler", "euler_ancestral"], "b": ["--eta", 1], "c": ["--sampler", "ddpm"]}.items():
        assert diffkit("sample", trained, "-n", 2, "--steps", 4, "--out", tmp_path / name, *options)[0] == 0
    assert pixels(tmp_path / "a") == pixels(tmp_path / "b") == pixels(tmp_path / "c")


def test_spacing_changes_the_images(trained, tmp_path, diffkit):
    for spacing in ("uniform", "log-snr"):
        assert diffkit("sample", trained, "-n", 1, "--steps", 3, "--spacing", spacing, "--out", tmp_path / spacing)[0] == 0
    assert not near(pixels(tmp_path / "uniform"), pixels(tmp_path / "log-snr"))


def test_size_is_height_by_width(trained, tmp_path, diffkit):
    for size, expected in {"6x10": (10, 6), "5": (5, 5)}.items():
        assert diffkit("sample", trained, "-n", 1, "--steps", 1, "--size", size, "--out", tmp_path / size)[0] == 0
        assert size_of(tmp_path / size / "00000.png") == expected


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_an_animation_has_one_frame_per_step_and_ends_with_the_sample(trained, tmp_path, diffkit, suffix):
    film, still = tmp_path / f"film{suffix}", tmp_path / "still.png"
    assert diffkit("sample", trained, "-n", 3, "--steps", 5, "--batch-size", 2, "--out", still, f"--{suffix[1:]}", film)[0] == 0
    shown = frames(film)
    assert len(shown) == 5
    assert near([shown[-1]], pixels(still), levels=0)
    assert not near([shown[0]], [shown[-1]])
    with Image.open(film) as animation:
        assert animation.info["loop"] == 0


def test_png_metadata_holds_the_options(trained, tmp_path, diffkit):
    options = ["-n", 3, "--steps", 2, "--seed", 4, "--eta", 0.5, "--spacing", "trailing"]
    assert diffkit("sample", trained, *options, "--out", tmp_path / "all")[0] == 0
    expected = {
        **{"command": "sample", "names": {"run": "run"}, "weights": weights_hash(load(trained).weights), "step": 6, "raw": False},
        **{"sampler": "ddim", "steps": 2, "eta": 0.5, "spacing": "trailing", "guidance": 1.0, "start": "noise", "size": [8, 8]},
        "precision": "fp32",
        **{"seed": 5, "n": 1, "grid": False, "classes": [], "versions": {"diffkit-samplers": version("diffkit-samplers")}},
    }
    code, out, _ = diffkit("info", tmp_path / "all" / "00001.png", "--json")
    assert (code, json.loads(out)) == (0, expected)
    assert diffkit("sample", trained, *options, "--raw", "--out", tmp_path / "all.png")[0] == 0
    code, out, _ = diffkit("info", tmp_path / "all.png")
    assert code == 0
    for line in (("seed", "4"), ("n", "3"), ("raw", "true"), ("sampler", "ddim"), ("grid", "true")):
        assert list(line) in [row.split() for row in out.splitlines()]
    assert read_metadata(tmp_path / "all.png")["weights"] == weights_hash(load(trained, "model").weights) != expected["weights"]


def test_a_run_at_a_step_is_given_as_every_report_names_it(trained, tmp_path, diffkit):
    code, _, said = diffkit("sample", f"{trained}@4", "-n", 1, "--steps", 1, "--out", tmp_path / "a.png")
    assert (code, read_metadata(tmp_path / "a.png")["step"]) == (0, 4)
    assert f"1 image from {trained}@4, " in said
    assert open_run(f"{trained}@4").step == 4


def test_like_reproduces_a_png(trained, tmp_path, diffkit):
    options = ["--sampler", "dpmpp_2m_sde", "--steps", 3, "--seed", 7, "--size", "6x9", "--raw", "-n", 3]
    for out in ("grid.png", "folder"):
        assert diffkit("sample", trained, *options, "--out", tmp_path / out)[0] == 0
    for first, again in (("grid.png", "grid again.png"), ("folder/00002.png", "one again.png"), ("folder/00002.png", "one")):
        code, _, said = diffkit("sample", trained, "--like", tmp_path / first, "--out", tmp_path / again)
        assert (code, "warning" in said) == (0, False)
        assert near(pixels(tmp_path / first), pixels(tmp_path / again))
    assert read_metadata(tmp_path / "grid again.png") == read_metadata(tmp_path / "grid.png")
    assert read_metadata(tmp_path / "one again.png") == read_metadata(tmp_path / "folder" / "00002.png")


def test_given_options_override_those_of_like(trained, tmp_path, diffkit):
    assert diffkit("sample", trained, "-n", 2, "--steps", 3, "--raw", "--out", tmp_path / "a.png")[0] == 0
    changed = ["--like", tmp_path / "a.png", "--ema", "-n", 1, "--sampler", "euler_ancestral", "--out", tmp_path / "b.png"]
    code, _, said = diffkit("sample", trained, *changed)
    assert code == 0
    assert "warning: " in said, "the average is not the raw network"
    note = read_metadata(tmp_path / "b.png")
    assert (note["n"], note["steps"], note["raw"], note["sampler"], note["eta"]) == (1, 3, False, "euler_ancestral", 1.0)


def test_like_warns_of_other_weights(trained, with_classes, tmp_path, diffkit):
    assert diffkit("sample", trained, "-n", 1, "--steps", 1, "--out", tmp_path / "a.png")[0] == 0
    code, _, said = diffkit("sample", with_classes, "--like", tmp_path / "a.png", "--out", tmp_path / "b.png")
    assert code == 0
    assert "was generated with other weights" in said


def test_classes_alternate_and_guidance_1_is_off(with_classes, tmp_path, diffkit):
    runs = {
        "turns": ["--class", "digit3", "--class", "5", "-n", 3],
        "three": ["--class", "digit3", "-n", 3],
        "none": ["-n", 3, "--class", "none"],
        "default": ["-n", 12],
        "guided": ["--class", "digit3", "-n", 3, "--guidance", 4],
    }
    for name, options in runs.items():
        assert diffkit("sample", with_classes, "--steps", 3, "--out", tmp_path / name, *options)[0] == 0
    turns, three, none, default, guided = (pixels(tmp_path / name) for name in runs)
    assert near([turns[0], turns[2]], [three[0], three[2]])
    assert not near(turns[1:2], three[1:2])
    assert not near(three, none)
    assert not near(three, guided)
    for seed, name in ((3, "digit3"), (11, "digit1")):
        alone = ["--class", name, "--seed", seed, "-n", 1, "--steps", 3, "--out", tmp_path / name]
        assert diffkit("sample", with_classes, *alone)[0] == 0
        assert near(default[seed : seed + 1], pixels(tmp_path / name)), "every class in turn"
    note = read_metadata(tmp_path / "turns" / "00001.png")
    assert (note["classes"], note["seed"]) == (["5"], 1)
    again = ["--like", tmp_path / "turns" / "00001.png", "--out", tmp_path / "again.png"]
    assert diffkit("sample", with_classes, *again)[0] == 0
    assert near([turns[1]], pixels(tmp_path / "again.png"))


def test_a_grid_of_several_classes_has_them_as_captions(with_classes, tmp_path, diffkit):
    options = ["--steps", 1, "-n", 3, "--class", "digit3", "--class", "5", "--out"]
    for out in ("grid.png", "folder", "film.png"):
        film = ["--gif", tmp_path / "film.gif"] if out == "film.png" else []
        assert diffkit("sample", with_classes, *options, tmp_path / out, *film)[0] == 0
    images = torch.tensor(pixels(tmp_path / "folder"), dtype=torch.uint8).view(3, 1, 8, 8)
    expected = list(grid(images, captions=["digit3", "digit5", "digit3"]).tobytes())
    assert pixels(tmp_path / "grid.png") == frames(tmp_path / "film.gif") == [expected]
    one = ["--steps", 1, "-n", 3, "--class", "digit3", "--out", tmp_path / "one.png"]
    assert diffkit("sample", with_classes, *one)[0] == 0
    assert size_of(tmp_path / "one.png") == grid(images).size, "no captions for one class"


def test_older_pngs_in_the_folder_are_counted(trained, tmp_path, diffkit):
    options = ["--steps", 1, "--out", tmp_path / "folder"]
    assert "warning" not in diffkit("sample", trained, "-n", 3, *options)[2]
    code, _, said = diffkit("sample", trained, "-n", 2, *options)
    assert (code, said.splitlines()[0]) == (0, f"warning: {tmp_path / 'folder'} also holds 1 older PNG")


def test_progress_counts_sampling_steps(trained, tmp_path, diffkit, monkeypatch):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    said = diffkit("sample", trained, "-n", 3, "--batch-size", 2, "--steps", 2, "--out", tmp_path / "a.png")[2]
    assert said.splitlines()[:-1] == [f"sampling steps: {k} of 4" for k in (1, 2, 3)]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--sampler", "ddin"], 2, ", ".join(METHODS)),
        (["--spacing", "even"], 2, "--spacing must be one of uniform, leading"),
        (["--size", "0"], 2, "--size must be N or HEIGHTxWIDTH, each from 1 to 4096, got '0'"),
        (["--size", "8x"], 2, "got '8x'"),
        (["--size", "5000"], 2, "got '5000'"),
        (["--gif", "film.png"], 2, "--gif must end in .gif, got film.png"),
        (["--webp", "film.gif"], 2, "--webp must end in .webp, got film.gif"),
        (["--out", "z.JPG"], 2, "--out must end in .png, for one grid, or be a folder, got z.JPG"),
        (["--batch-size", 0], 2, "--batch-size must be an integer from 1"),
        (["--class", "3"], 2, "--class needs a class-conditional network; this run's is not"),
        (["--guidance", 2], 2, "--guidance needs a class-conditional network"),
        (["--strength", 0.5], 2, "give one by --init"),
        (["--like", "nowhere.png"], 3, "nowhere.png: no such file"),
        (["--like", "plain.png"], 3, "plain.png: has no diffkit metadata"),
        (["--like", "text.png"], 3, "text.png: not an image"),
        (
            ["--like", "interpolated.png"],
            3,
            "was made by diffkit 'interpolate', and --like is for images of diffkit sample: repeat",
        ),
        (
            ["--like", "inpainted.png"],
            3,
            ": repeat diffkit inpaint RUN IMAGE --mask MASK, with the options that diffkit info ",
        ),
        (["--like", "odd.png"], 3, "odd.png: its metadata: steps: expected int, got str"),
        (["--like", "own.png", "--out", "own.png"], 2, "own.png would replace an image that this command reads"),
        (["--out", "text.png/a"], 4, "diffkit: text.png: a file is where a folder is needed; use another path"),
        (["--device", "bogus"], 2, "device must be auto, cpu, cuda, cuda:1, mps ...; got 'bogus'"),
        (["--device", "cuda:99"], 2, "device cuda:99 cannot be used here ("),
        (["--device", "meta"], 2, "device meta cannot be used here ("),
    ],
)
def test_wrong_options_are_refused_in_one_line(trained, tmp_path, monkeypatch, diffkit, options, code, message):
    monkeypatch.chdir(tmp_path)
    Image.new("L", (8, 8)).save("plain.png")
    (tmp_path / "text.png").write_text("no image")
    if "--like" in options:
        assert diffkit("sample", trained, "-n", 1, "--steps", 1, "--out", "own.png")[0] == 0
        note(tmp_path / "interpolated.png", {"command": "interpolate"})
        note(tmp_path / "inpainted.png", {"command": "inpaint", "names": 3})
        note(tmp_path / "odd.png", {**read_metadata("own.png"), "steps": "many"})
    ended, _, said = diffkit("sample", trained, "-n", 1, "--steps", 1, *options)
    assert message in one_line(said)
    assert ended == code


def note(path, content):
    from diffkit_trainer.figures.metadata import png_info

    Image.new("L", (8, 8)).save(path, pnginfo=png_info(content))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--class", "rose"], "no class 'rose': the classes are digit0, digit1"),
        (["--class", "digit3, 5"], "--class takes one class, got 'digit3, 5': repeat --class for several"),
        (["--class", "digit30"], "no class 'digit30': did you mean 'digit3' or "),
        (["--class", "rose"], "the classes are digit0, digit1"),
        (["--class", "none", "--guidance", 2], "--guidance 2 needs a class: give one by --class"),
        (["--class", "3", "--guidance", "nan"], "--guidance must be a number from -1e+30 to 1e+30, got nan"),
    ],
)
def test_wrong_classes_are_refused(with_classes, tmp_path, monkeypatch, diffkit, options, message):
    monkeypatch.chdir(tmp_path)
    code, _, said = diffkit("sample", with_classes, "-n", 1, "--steps", 1, *options)
    assert message in one_line(said)
    assert code == 2


def test_info_of_a_run_is_printed_as_json(trained, diffkit):
    code, out, _ = diffkit("info", trained, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["checkpoints"], found["last"]["step"], found["warnings"]) == ([6, 4], 6, [])
    assert found["config"]["image"] == {"channels": 1, "height": 8, "width": 8}


def test_a_worse_network_guides_the_samples(trained, blank, tmp_path, diffkit):
    given = ["-n", 2, "--steps", 3, "--guidance", 3]
    assert diffkit("sample", trained, *given, "--guide-by", f"{trained}@4", "--out", tmp_path / "a")[0] == 0
    run, worse = open_run(trained), open_run(trained, step=4)
    guided = guide(run.denoiser(), worse.denoiser(), 3.0)
    x = run.schedule(1.0).sigma * seeded(range(2), like=next(run.network.parameters()))((2, *run.shape))
    expected = run.normalisation.to_pixels(ddim(guided, run.schedule, x, steps=3))
    assert near(pixels(tmp_path / "a"), expected.flatten(1).tolist())
    assert (run.sample(2, steps=3, guidance=3, guide_by=f"{trained}@4").pixels == expected).all()
    assert (run.sample(2, steps=3).pixels != expected).any()
    like = ["--like", tmp_path / "a" / "00001.png"]
    assert diffkit("sample", trained, *like, "--guide-by", f"{trained}@4", "--out", tmp_path / "b")[0] == 0
    assert pixels(tmp_path / "b") == pixels(tmp_path / "a")[1:]
    code, _, said = diffkit("sample", trained, *like)
    assert code == 2
    assert "the image of --like was guided by run@4: give it by --guide-by" in one_line(said)
    code, _, said = diffkit("sample", trained, *like, "--guide-by", blank)
    assert code == 2
    assert "the image of --like was guided by another network, with weights" in one_line(said)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--guide-by", "RUN@4"], 2, "--guide-by needs a scale: give one above 1 by --guidance"),
        (["--guide-by", "RUN", "--guidance", 2], 2, "is the network to guide itself: give an earlier checkpoint"),
        (["--guide-by", "RUN@5", "--guidance", 2], 4, "5"),
        (["--guide-by", "nowhere", "--guidance", 2], 4, "nowhere"),
        (["--guide-by", "CLASSES", "--guidance", 2], 2, "it needs the data, schedule and classes of"),
    ],
)
def test_a_network_that_cannot_guide_is_refused(trained, with_classes, tmp_path, diffkit, options, code, message):
    named = [str(each).replace("RUN", str(trained)).replace("CLASSES", str(with_classes)) for each in options]
    ended, _, said = diffkit("sample", trained, "-n", 1, "--steps", 1, "--out", tmp_path / "a.png", *named)
    assert message in one_line(said)
    assert ended == code
