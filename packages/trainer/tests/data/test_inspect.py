"""The report on a data set."""

from diffkit_trainer import inspect_images


def test_a_report_lists_every_image_and_bad_file(tmp_path, write_image):
    write_image(tmp_path / "rose" / "a.png", 7, "L")
    write_image(tmp_path / "daisy" / "b.png", (7, 7, 7))
    write_image(tmp_path / "daisy" / "c.png", (1, 2, 3, 0), "RGBA", (6, 4))
    (tmp_path / "daisy" / "d.png").touch()
    calls = []
    report = inspect_images(tmp_path, on_progress=lambda *call: calls.append(call))
    found = [(each.name, each.size, each.mode, each.label, each.grey, each.transparent) for each in report.images]
    assert found == [
        ("daisy/b.png", (4, 4), "RGB", "daisy", False, False),
        ("daisy/c.png", (6, 4), "RGBA", "daisy", False, True),
        ("rose/a.png", (4, 4), "L", "rose", True, False),
    ]
    assert report.bad == [("daisy/d.png", "empty")]
    assert report.duplicates() == [["daisy/b.png", "rose/a.png"]], "a grey image equals the same image in RGB"
    assert calls[-1] == (4, 4)
