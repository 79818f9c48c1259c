"""Pictures to send, put together from those that come with the packages."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from vision.decoding import encode_jpeg
from vision.demo import Story, build_demo_recording, package_picture
from vision.recording import RecordedFrame, open_recording

QUALITY = 80
STORY_S = 240.0
STORY: Story = (("present", 0.45), ("two_people", 0.05), ("empty", 0.05), ("present", 0.45))
"""What a candidate does in four minutes: works alone, with two incidents of twelve seconds each."""


def write_story(folder: Path) -> Path:
    """Write four minutes of a candidate as JPEGs of 640×480, one for each second; returns the folder."""
    folder.mkdir()
    with TemporaryDirectory() as made:
        recording = Path(made) / "story.mp4"
        build_demo_recording(recording, seconds=STORY_S, fps=2, story=STORY)
        with open_recording(recording) as story:
            pictures = [item.rgb for item in story.frames(1.0) if isinstance(item, RecordedFrame)]
    for number, rgb in enumerate(pictures):
        (folder / f"{number:04d}.jpg").write_bytes(encode_jpeg(rgb, QUALITY))
    return folder


def write_sized(folder: Path, size: int) -> Path:
    """Write one JPEG of exactly so many bytes, since behind its end there is room for anything; returns the folder."""
    folder.mkdir()
    picture = package_picture("zidane.jpg")[30:630, 440:1240]
    data = next(data for quality in range(95, 5, -5) if len(data := encode_jpeg(picture, quality)) <= size)
    (folder / "0.jpg").write_bytes(data.ljust(size, b"\0"))
    return folder
