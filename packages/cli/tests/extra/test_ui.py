"""The page of `diffkit ui` in headless Chromium: what it shows, that it lives on, that it asks no other host for anything."""

import base64
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from diffkit_trainer import append_log, read_metadata
from PIL import Image
from playwright.sync_api import expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MILLISECONDS = 60_000
HOST = "127.0.0.1"
UNNAMED = """() => {
    const named = each => [each.ariaLabel, ...[...(each.labels ?? [])].map(label => label.innerText), each.innerText, each.title];
    const kinds = 'button, input, select, textarea, a[href], [role=slider], [role=tab], [role=checkbox], [role=combobox]';
    const seen = each => each.checkVisibility({visibilityProperty: true}) && each.getBoundingClientRect().width > 0;
    const found = [...document.querySelectorAll(kinds)].filter(each => seen(each) && !named(each).join('').trim());
    return found.map(each => each.outerHTML.slice(0, 200));
}"""


@pytest.fixture(scope="session")
def runs(trained, with_classes, tmp_path_factory):
    """A folder with a run of six steps, one with classes, one that is damaged and one that grows."""
    folder = tmp_path_factory.mktemp("page") / "runs"
    for name in ("trained", "damaged", "growing"):
        shutil.copytree(trained, folder / name)
    shutil.copytree(with_classes, folder / "with classes")
    for weights in (folder / "damaged" / "checkpoints").glob("*/ema.safetensors"):
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
    return folder


@pytest.fixture(scope="session")
def address(runs):
    """The page of the folder, in a process of its own."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "diffkit_cli", "ui", "runs", "--port", str(port), "--device", "cpu"]
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}  # NiceGUI reads it
    with subprocess.Popen(command, cwd=runs.parent, env=env, stderr=subprocess.PIPE, text=True) as server:
        assert f"http://{HOST}:{port}" in server.stderr.readline()
        yield f"http://{HOST}:{port}/"
        server.terminate()
        assert server.wait(30) == 143
        assert server.stderr.read() == "diffkit: terminated\n"


@pytest.fixture(scope="session")
def chromium():
    assert CHROMIUM, "no Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, address):
    """Opens the page; at the end of the test no tab had an error, or asked another host for anything."""
    contexts, errors = [], []

    def heard(message):
        if message.type in ("error", "warning"):
            errors.append(message.text)

    def asked(request):
        if not re.match(rf"(http|ws)://{HOST}[:/]|data:|blob:", request.url):
            errors.append(f"asked for {request.url}")

    def open_(**options):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.set_default_timeout(MILLISECONDS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", asked)
        page.goto(address)
        return page

    expect.set_options(timeout=MILLISECONDS)
    yield open_
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def play(open_page):
    """Opens the page at the tab "Play", with a run."""

    def open_(run="trained", panel="Samples", **options):
        page = open_page(**options)
        page.get_by_role("tab", name="Play", exact=True).click()
        choose(page, "Run", run)
        page.get_by_role("tab", name=panel, exact=True).click()
        return page

    return open_


def choose(page, label, word):
    """Choose a word of a select."""
    page.get_by_role("combobox", name=label, exact=True).click()
    page.get_by_role("option", name=word, exact=True).click()


def type_number(page, label, value):
    page.get_by_label(label, exact=True).and_(page.get_by_role("spinbutton")).fill(str(value))


def finished(page, steps):
    """Until the samples are finished."""
    expect(page.get_by_role("status").filter(visible=True).first).to_contain_text(f"step {steps} of {steps}")
    expect(page.get_by_role("slider", name="Sampling step shown")).to_be_visible()


def shown(page):
    """The grey levels of the images that are visible."""
    sources = page.locator("img.pixels").filter(visible=True).evaluate_all("images => images.map(image => image.src)")
    return [levels(base64.b64decode(source.partition(",")[2])) for source in sources]


def levels(png):
    with Image.open(io.BytesIO(png)) as image:
        return image.size, list(image.convert("L").tobytes())


def saved(page, name):
    """The file that a button saves."""
    with page.expect_download() as download:
        page.get_by_role("button", name=name, exact=True).click()
    return download.value.path().read_bytes()


def test_the_same_seed_gives_the_file_of_the_command_and_the_copied_command_makes_it(play, runs, diffkit, monkeypatch, tmp_path):
    page = play()
    type_number(page, "Steps", 7)
    type_number(page, "Seed", 5)
    expect(page.get_by_text("seed 8", exact=True)).to_be_visible()
    finished(page, 7)
    page.get_by_role("button", name="Copy the command of seed 8").click()
    words = page.evaluate("navigator.clipboard.readText()").split()
    assert words == ["diffkit", "sample", "runs/trained", "-n", "1", "--seed", "8", "--steps", "7", "--out", "samples"]
    monkeypatch.chdir(runs.parent)
    assert diffkit(*words[1:-1], tmp_path / "samples")[0] == 0
    written = (tmp_path / "samples" / "00000.png").read_bytes()
    assert saved(page, "Save seed 8") == written
    assert shown(page)[3] == levels(written)


def test_the_scrubber_moves_over_the_estimates_of_the_steps(play):
    page = play("with classes")
    type_number(page, "Steps", 5)
    finished(page, 5)
    last = shown(page)
    page.get_by_role("slider", name="Sampling step shown").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("status").filter(visible=True).first).to_contain_text("step 4 of 5")
    assert shown(page) != last
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("status").filter(visible=True).first).to_contain_text("step 5 of 5")
    assert shown(page) == last


def test_slerp_begins_and_ends_with_the_samples_of_its_seeds(play, runs, diffkit, tmp_path):
    page = play("with classes", "Two seeds")
    choose(page, "Class", "digit3")
    type_number(page, "To the seed", 7)
    type_number(page, "Steps", 4)
    expect(page.get_by_role("button", name="Save 1.0", exact=True)).to_be_visible()
    options = ["--steps", 4, "--class", "digit3", "--seed", 0, "--to-seed", 7, "--rows", 1, "--columns", 11]
    assert diffkit("interpolate", runs / "with classes", *options, "--out", tmp_path / "row")[0] == 0
    slider = page.get_by_role("slider", name="Position between the seeds")
    slider.focus()
    page.keyboard.press("Home")
    expect(page.get_by_text("slerp at 0.0")).to_be_visible()
    first, *row = shown(page)
    assert first == row[0]
    page.keyboard.press("End")
    expect(page.get_by_text("slerp at 1.0")).to_be_visible()
    assert shown(page)[0] == row[10] != first
    assert row == [levels((tmp_path / "row" / f"{i:05d}.png").read_bytes()) for i in range(11)]
    assert saved(page, "Save 0.3") == (tmp_path / "row" / "00003.png").read_bytes()


def test_more_steps_begin_from_the_same_noise(play, runs, diffkit, tmp_path):
    page = play("trained", "Numbers of steps")
    type_number(page, "Images", 2)
    page.get_by_label("Numbers of steps").and_(page.get_by_role("textbox")).fill("1, 4")
    expect(page.get_by_text(re.compile("^4 steps, .* m?s$"))).to_be_visible()
    assert diffkit("sample", runs / "trained", "-n", 2, "--steps", 4, "--out", tmp_path / "four")[0] == 0
    assert shown(page)[2:] == [levels((tmp_path / "four" / f"{i:05d}.png").read_bytes()) for i in range(2)]


def test_a_drawn_mask_keeps_the_rest_of_an_image(play, tmp_path):
    page = play("trained", "Your image")
    Image.linear_gradient("L").resize((8, 8)).save(tmp_path / "ramp.png")
    page.locator("input[type=file]").set_input_files(tmp_path / "ramp.png")
    page.get_by_role("button", name="Inpaint", exact=True).click()
    choose(page, "Generate", "nothing")
    page.get_by_role("slider", name="Width of the brush, in percent").focus()
    page.keyboard.press("End")
    box = page.locator(".canvas").bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 2, steps=5)
    page.mouse.up()
    expect(page.get_by_text(re.compile("^[1-9][0-9]% of the image is generated"))).to_be_visible()
    expect(page.get_by_role("button", name="Save seed 0", exact=True)).to_be_visible()
    _, mask = levels(saved(page, "Save the mask"))
    white = mask.count(255)
    assert mask == [255] * white + [0] * (64 - white)
    assert white in (16, 24)  # half of the height, its upper half outside of the image
    image = saved(page, "Save seed 0")
    before, after = levels((tmp_path / "ramp.png").read_bytes())[1], levels(image)[1]
    assert after[white:] == before[white:]
    assert after[:white] != before[:white]
    (tmp_path / "image.png").write_bytes(image)
    assert read_metadata(tmp_path / "image.png")["command"] == "inpaint"


def test_an_image_is_noised_and_encoded(play, runs, diffkit, tmp_path):
    page = play("trained", "Your image")
    Image.linear_gradient("L").resize((8, 8)).save(tmp_path / "ramp.png")
    page.locator("input[type=file]").set_input_files(tmp_path / "ramp.png")
    type_number(page, "t", 0.3)
    expect(page.get_by_text("noised to t = 0.25")).to_be_visible()
    expect(page.get_by_role("button", name="Save seed 2", exact=True)).to_be_visible()
    options = ["-n", 4, "--init", tmp_path / "ramp.png", "--strength", 0.3]
    assert diffkit("sample", runs / "trained", *options, "--out", tmp_path / "varied")[0] == 0
    assert saved(page, "Save seed 2") == (tmp_path / "varied" / "00002.png").read_bytes()
    page.get_by_role("button", name="Encode and decode", exact=True).click()
    expect(page.get_by_text(re.compile("differs by [0-9.]+ grey levels"))).to_be_visible()
    assert shown(page)[0] == levels((tmp_path / "ramp.png").read_bytes())


def test_a_file_that_is_no_image_is_refused_in_one_line(play, tmp_path):
    page = play("trained", "Your image")
    (tmp_path / "notes.png").write_text("no image")
    page.locator("input[type=file]").set_input_files(tmp_path / "notes.png")
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text("notes.png: not an image")


def test_the_nearest_training_images_stand_below_the_samples(play):
    page = play("trained")
    page.get_by_role("checkbox", name="Nearest training images").click()
    expect(page.get_by_text(re.compile("^[0-9.]+ grey levels away$"))).to_have_count(4)


def test_the_forward_process_ends_in_noise(play):
    page = play("trained", "Explain")
    expect(page.get_by_text("t = 1", exact=True)).to_be_visible()
    before = shown(page)
    page.get_by_role("slider", name="t", exact=True).focus()
    page.keyboard.press("Home")
    expect(page.get_by_text(re.compile("^t = 0.00: alpha"))).to_be_visible()
    assert shown(page)[0] == before[1] != before[0]


def test_a_damaged_run_shows_its_error_and_the_page_lives_on(play):
    page = play("damaged")
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text("sha256 mismatch")
    choose(page, "Run", "trained")
    finished(page, 20)
    expect(page.get_by_role("alert").filter(visible=True)).to_have_count(0)


def test_a_value_out_of_its_range_is_refused_in_one_line(play):
    page = play()
    type_number(page, "Eta", 3)
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text("--eta must be")
    type_number(page, "Eta", 0.5)
    finished(page, 20)


def test_the_curve_of_a_run_grows_while_it_trains(open_page, runs):
    page = open_page()
    page.get_by_role("combobox", name="Runs").click()
    page.get_by_role("option", name="growing", exact=True).click()
    page.keyboard.press("Escape")
    status = page.get_by_role("status").filter(has_text="growing: finished, 6 steps")
    expect(status).to_be_visible()
    config = json.loads((runs / "growing" / "config.json").read_text())
    config["training"]["steps"] = 100
    (runs / "growing" / "config.json").write_text(json.dumps(config))
    append_log(runs / "growing", {"step": 8, "loss": 0.5, "lr": 1e-3, "images_per_second": 50.0, "seconds": 1e4})
    append_log(runs / "growing", {"step": 10, "loss": 0.25, "lr": 1e-3, "images_per_second": 50.0, "seconds": 1e4 + 20})
    expect(page.get_by_text(re.compile("growing: step 10 of 100, .* left"))).to_be_visible()
    points = """() => [...document.querySelectorAll('.chart')].map(
        chart => getElement(chart.id.slice(1)).chart.getOption().series.map(each => each.data.at(-1)))"""
    page.wait_for_function(f"({points})()[0].some(point => point[0] === 10)")


def test_two_tabs_do_not_disturb_each_other(play):
    one, other = play("with classes"), play("trained")
    type_number(one, "Steps", 60)
    type_number(other, "Seed", 30)
    type_number(other, "Steps", 3)
    finished(other, 3)
    finished(one, 60)
    expect(one.get_by_text("seed 0, class digit0")).to_be_visible()
    expect(other.get_by_text("seed 30", exact=True)).to_be_visible()
    assert len(shown(one)) == len(shown(other)) == 4


def test_a_control_stops_what_was_computed(play):
    page = play("with classes")
    type_number(page, "Steps", 100_000)
    expect(page.get_by_text(re.compile("step .* of 100000"))).to_be_visible()
    type_number(page, "Steps", 2)
    finished(page, 2)


def test_a_narrow_window_is_usable(play):
    page = play(viewport={"width": 360, "height": 740})
    finished(page, 20)
    for panel in ("Samples", "Two seeds", "Numbers of steps", "Your image", "Explain"):
        page.get_by_role("tab", name=panel, exact=True).click()
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, panel


@pytest.mark.parametrize("panel", ["Samples", "Two seeds", "Numbers of steps", "Your image", "Explain"])
def test_every_control_has_a_name_and_the_keyboard_reaches_it(play, panel):
    page = play("with classes", panel)
    expect(page.locator(".pixels").filter(visible=True).first).to_be_visible()
    unnamed = page.evaluate(UNNAMED)
    assert unnamed == []
    sliders = page.locator("[role=slider]").filter(visible=True)
    assert sliders.evaluate_all("all => all.every(each => each.tabIndex === 0 || each.querySelector('[tabindex=\"0\"]'))")


def test_another_host_name_is_refused(address):
    request = urllib.request.Request(address, headers={"Host": "example.org"})
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request)
