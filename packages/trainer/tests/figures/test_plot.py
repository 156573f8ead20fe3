"""Plots, by the pixels of their curves and legend."""

from diffkit_trainer import Panel, save_plot
from PIL import Image, ImageChops


def test_a_curve_passes_through_its_values(tmp_path):
    save_plot([Panel("p", {"up": [(0, 0), (1, 1)], "flat": [(0, 0.25), (1, 0.25)]}, 0, 1)], tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as plot:
        x = 44 + round(0.75 * (420 - 16 - 44))
        blue, red = (0x44, 0x77, 0xAA), (0xEE, 0x66, 0x77)
        rows = {colour: [y for y in range(320) if plot.getpixel((x, y)) == colour] for colour in (blue, red)}
    up, flat = (276 - fraction * (276 - 44) for fraction in (0.75, 0.25))
    assert any(abs(y - up) <= 2 for y in rows[blue])
    assert any(abs(y - flat) <= 2 for y in rows[red])


def test_one_legend_for_all_panels(tmp_path):
    one, other = {f"curve {i}": [(0, 0), (1, 1)] for i in range(3)}, {"other": [(0, 1), (1, 0)]}
    save_plot([Panel("p", one, 0, 1), Panel("q", one | other, 0, 1)], tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as plot:
        legend = ImageChops.invert(plot.convert("L").crop((0, 320, *plot.size)))
    left, _, right, bottom = legend.getbbox()
    assert abs((left + right) / 2 - 420) <= 2, "centred"
    assert bottom <= 18, "four short names on one line"
    used = [legend.crop((x, 0, x + 1, 18)).getbbox() is not None for x in range(left, right)]
    assert "0" * 32 not in "".join("01"[each] for each in used), "without gaps between names"


def test_other_ranges_and_a_logarithmic_axis(tmp_path):
    panel = Panel(
        "p", {"fall": [(100, 1.0), (200, 0.01)], "edge": [(150, 5.0), (200, 0.001)]}, 0.01, 1, 100, 200, "step", log=True
    )
    assert (panel.across(150), panel.up(0.1), panel.up(5.0), panel.up(0.001)) == (0.5, 0.5, 1, 0)
    assert (panel.value(0), panel.value(0.5), panel.value(1)) == (0.01, 0.1, 1)
    save_plot([panel], tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as plot:
        x = 44 + round(0.5 * (420 - 16 - 44))
        rows = [y for y in range(320) if plot.getpixel((x, y)) == (0x44, 0x77, 0xAA)]
    assert any(abs(y - (276 - 0.5 * (276 - 44))) <= 2 for y in rows), "a straight line where y falls by a constant factor"


def test_a_curve_of_one_point_is_a_dot(tmp_path):
    save_plot([Panel("p", {"one": [(0.5, 0.5)]}, 0, 1)], tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as plot:
        assert plot.getpixel((44 + 180, 44 + 116)) == (0x44, 0x77, 0xAA)
