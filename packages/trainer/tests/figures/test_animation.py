"""Animations, frame by frame."""

import pytest
from diffkit_trainer import animation_size, grid, read_metadata, save_animation
from PIL import Image, ImageSequence


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_frames_are_the_grids_in_order(tmp_path, suffix, numbered):
    frames = [numbered(4) * k for k in (1, 20, 60)]
    metadata = {"seed": 7, "classes": ["\u00e9"], "note": "x" * 1000}
    captions = ["a", "b", "c", "d"]
    save_animation(frames, tmp_path / f"a{suffix}", metadata, columns=2, captions=captions, seconds=0.3)
    assert read_metadata(tmp_path / f"a{suffix}") == metadata
    with Image.open(tmp_path / f"a{suffix}") as animation:
        durations = []
        for image, frame in zip(ImageSequence.Iterator(animation), frames, strict=True):
            assert image.convert("L").tobytes() == grid(frame, 2, captions=captions).tobytes()
            durations.append(image.info["duration"])
    assert durations == [100, 100, 1000]


def test_other_suffixes_and_no_frames_are_refused(tmp_path, numbered):
    with pytest.raises(ValueError, match=r"must end in \.gif or \.webp, got 'a\.png'"):
        save_animation([numbered(1)], tmp_path / "a.png")
    with pytest.raises(ValueError, match="at least one frame"):
        save_animation([], tmp_path / "a.gif")
    assert not any(tmp_path.iterdir())


def test_a_side_beyond_the_format_s_limit_is_refused():
    assert animation_size(1, (16379, 64), "a.webp") == (68, 16383)
    with pytest.raises(ValueError, match="make 68x16384 pixels, at most 16383 a side"):
        animation_size(1, (16380, 64), "a.webp")
    assert animation_size(1, (16380, 64), "a.gif") == (68, 16384)
