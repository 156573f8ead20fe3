"""Sampling that starts from an image: inpainting and SDEdit."""

import hashlib

import pytest
from diffkit_cli import open_run
from diffkit_trainer import read_metadata
from PIL import Image

from ..helpers import frames, near, one_line, pixels, size_of


@pytest.fixture
def picture(tmp_path):
    """A gradient of the digits' size, and a mask of its right half."""
    image, mask = Image.new("L", (8, 8)), Image.new("L", (8, 8))
    image.putdata([4 * i for i in range(64)])
    image.save(tmp_path / "image.png")
    mask.paste(255, (4, 0, 8, 8))
    mask.save(tmp_path / "mask.png")
    return tmp_path / "image.png", tmp_path / "mask.png"


def halves(image):
    rows = [image[8 * y : 8 * y + 8] for y in range(8)]
    return [row[:4] for row in rows], [row[4:] for row in rows]


def test_inpainting_keeps_the_known_part_and_generates_the_rest(trained, picture, tmp_path, diffkit):
    image, mask = picture
    arguments = ["--mask", mask, "-n", 2, "--steps", 4, "--out", tmp_path / "two", "--gif", tmp_path / "two.gif"]
    code, _, said = diffkit("inpaint", trained, image, *arguments)
    assert code == 0
    assert f"2 images from {trained}@6, 50% generated, 4 steps of ddim, eta 1, 5 rounds each" in said
    kept, free = halves(pixels(image)[0])
    drawn = [halves(each) for each in pixels(tmp_path / "two")]
    assert [known for known, _ in drawn] == [kept, kept]
    assert drawn[0][1] != drawn[1][1] != free
    assert len(frames(tmp_path / "two.gif")) == 4
    note = read_metadata(tmp_path / "two" / "00001.png")
    assert (note["seed"], note["rounds"]) == (1, 5)
    hashes = {key: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for key, path in (("image", image), ("mask", mask))}
    assert hashes.items() <= note.items()
    assert note["names"] == {"run": "run", "image": "image.png", "mask": "mask.png"}
    shown = " ".join(diffkit("info", tmp_path / "two" / "00001.png")[1].split())
    assert f" run run weights {note['weights']} " in shown
    assert f" image image.png, sha256 {hashes['image']}... mask mask.png, sha256 {hashes['mask']}..." in shown
    code, _, said = diffkit("sample", trained, "--like", tmp_path / "two" / "00001.png")
    assert "repeat diffkit inpaint RUN image.png --mask mask.png, with the options that diffkit info " in one_line(said)
    assert diffkit("inpaint", trained, image, *arguments, "--rounds", 1, "--force")[0] == 0
    once = [halves(each) for each in pixels(tmp_path / "two")]
    assert [known for known, _ in once] == [kept, kept]
    assert once[0][1] != drawn[0][1]


def test_a_mask_of_everything_gives_samples_of_the_classes(with_classes, picture, tmp_path, diffkit):
    image, mask = picture
    Image.new("L", (8, 8), 255).save(mask)
    options = ["-n", 3, "--steps", 3, "--eta", 0, "--class", "digit3", "--class", "5", "--guidance", 2]
    inpainting = ["inpaint", with_classes, image, "--mask", mask, "--rounds", 1]
    for name, command in (("inpainted", inpainting), ("sampled", ["sample", with_classes])):
        assert diffkit(*command, *options, "--out", tmp_path / name)[0] == 0
    assert near(pixels(tmp_path / "inpainted"), pixels(tmp_path / "sampled"))
    assert read_metadata(tmp_path / "inpainted" / "00001.png")["classes"] == ["5"]


@pytest.mark.parametrize(("grey", "word"), [(0, "black"), (255, "white")])
def test_a_mask_of_one_colour_gets_a_warning(trained, picture, tmp_path, diffkit, grey, word):
    image, mask = picture
    Image.new("L", (8, 8), grey).save(mask)
    code, _, said = diffkit("inpaint", trained, image, "--mask", mask, "-n", 1, "--steps", 2, "--out", tmp_path / "one")
    assert code == 0
    assert f"is all {word}" in said
    assert (pixels(tmp_path / "one") == pixels(image)) == (grey == 0)


def test_an_image_of_another_size_is_resized_to_the_runs(trained, tmp_path, diffkit):
    for name in ("image.jpg", "mask.png"):
        Image.new("RGB", (40, 20), "white").save(tmp_path / name)
    arguments = ["--mask", tmp_path / "mask.png", "-n", 1, "--steps", 1, "--out", tmp_path / "one"]
    assert diffkit("inpaint", trained, tmp_path / "image.jpg", *arguments)[0] == 0
    assert size_of(tmp_path / "one" / "00000.png") == (8, 8)


def test_a_weaker_edit_stays_nearer_to_its_image(trained, picture, tmp_path, diffkit):
    image, _ = picture
    original = pixels(image)[0]
    distances = []
    for strength in (0.1, 0.4, 0.9):
        out = tmp_path / str(strength)
        options = ["-n", 2, "--steps", 20, "--init", image, "--strength", strength, "--out", out]
        assert diffkit("sample", trained, *options)[0] == 0
        distances.append(sum(abs(a - b) for each in pixels(out) for a, b in zip(each, original, strict=True)))
    assert distances == sorted(distances)
    assert distances[0] < distances[2] / 2


def test_an_edit_is_reproduced_from_the_same_image_only(trained, picture, tmp_path, diffkit):
    image, mask = picture
    first, again = tmp_path / "first.png", tmp_path / "again.png"
    assert diffkit("sample", trained, "-n", 2, "--steps", 5, "--init", image, "--strength", 0.4, "--out", first)[0] == 0
    digest = hashlib.sha256(image.read_bytes()).hexdigest()[:16]
    assert read_metadata(first)["names"] == {"run": "run", "init": "image.png"}
    assert (read_metadata(first)["init"], read_metadata(first)["strength"]) == (digest, 0.4)
    assert diffkit("sample", trained, "--like", first, "--init", image, "--out", again)[0] == 0
    assert near(pixels(first), pixels(again))
    for options, message in (
        ([], f"from image.png with sha256 {digest}...: give it by --init"),
        (["--init", mask], "was generated from another image"),
    ):
        code, _, said = diffkit("sample", trained, "--like", first, *options, "--out", again)
        assert message in one_line(said)
        assert code == 2


def test_an_edit_has_no_class_unless_one_is_given(with_classes, picture, tmp_path, diffkit):
    options = ["--init", picture[0], "-n", 2, "--steps", 3, "--strength", 0.9]
    for name, more in {"default": [], "none": ["--class", "none"], "given": ["--class", "3", "--class", "digit5"]}.items():
        code, _, said = diffkit("sample", with_classes, *options, *more, "--out", tmp_path / name)
        classes = "digit3 and digit5" if name == "given" else "none"
        assert (code, f", init {picture[0]}, strength 0.9, class {classes}, 3 steps of" in said) == (0, True)
    assert pixels(tmp_path / "default") == pixels(tmp_path / "none") != pixels(tmp_path / "given")
    assert "strength 0.6, class none, 3 steps of ddim" in repr(open_run(with_classes).sample(1, steps=3, init=picture[0]))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["inpaint", "run", "nowhere.png", "--mask", "mask.png"], 3, "nowhere.png: no such file"),
        (["inpaint", "run", "image.png", "--mask", "text.png"], 3, "text.png: not an image"),
        (["inpaint", "run", "image.png", "--mask", "small.png"], 3, "a mask must have its image's size: small.png is 4 x 8"),
        (["inpaint", "run", "image.png"], 2, "--mask"),
        (["inpaint", "run", "image.png", "--mask", "mask.png", "-n", 0], 2, "-n must be an integer from 1"),
        (["inpaint", "run", "image.png", "--mask", "mask.png", "--gif", "a.png"], 2, "--gif must end in .gif, got a.png"),
        (["inpaint", "run", "image.png", "--mask", "mask.png", "--out", "a.tif"], 2, "--out must end in .png, for one grid"),
        (["sample", "run", "--init", "image.png", "--strength", 0], 2, "--strength must be a number in (0, 1], got 0.0"),
        (["sample", "run", "--init", "image.png", "--strength", 1.5], 2, "--strength must be a number in (0, 1], got 1.5"),
        (["sample", "run", "--init", "image.png", "--strength", 0.01], 2, "leaves none of 20 steps: use at least 0.05"),
        (["sample", "run", "--init", "text.png"], 3, "text.png: not an image"),
    ],
)
def test_an_invalid_command_is_refused_in_one_line(picture, tmp_path, diffkit_beside_run, arguments, code, message):
    (tmp_path / "text.png").write_text("no image")
    Image.new("L", (4, 8)).save("small.png")
    ended, _, said = diffkit_beside_run(*arguments)
    assert message in one_line(said)
    assert ended == code
