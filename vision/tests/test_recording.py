"""Recordings as they are handed in: sound, turned, damaged, cut off, and things that are no recording."""

import os
import struct
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vision.recording import Gap, RecordedFrame, RecordingError, open_recording

MEDIA = Path(os.environ.get("PROCTORING_MEDIA", "/nonexistent"))
needs_media = pytest.mark.skipif(not MEDIA.is_dir(), reason="PROCTORING_MEDIA is not set")


def numbered_picture(number: int, width: int = 320, height: int = 240) -> np.ndarray:
    """A textured picture whose top left square tells its number by brightness, its top right one is white."""
    rgb = np.random.default_rng(number).integers(60, 120, (height // 8, width // 8, 3), dtype=np.uint8)
    rgb = rgb.repeat(8, 0).repeat(8, 1)
    rgb[:48, :48], rgb[:48, -48:] = 20 + 2 * (number % 100), 255
    return rgb


def number_of(rgb: np.ndarray) -> int:
    return round((float(rgb[12:36, 12:36].mean()) - 20) / 2)


def write_video(path: Path, *, pictures=100, fps=25, codec="libx264", gop=25, turned=0, options=None, size=(320, 240)):
    import av

    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=Fraction(fps))
        stream.width, stream.height = size
        stream.pix_fmt = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
        stream.codec_context.gop_size, stream.bit_rate = gop, 4_000_000
        if turned:
            stream.set_display_rotation(turned)
        container.start_encoding()
        pool = [
            av.VideoFrame.from_ndarray(numbered_picture(n, *size), format="rgb24") for n in range(min(pictures, 100))
        ]
        for number in range(pictures):
            frame = pool[number % 100]
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def read(path: Path, fps: float) -> tuple[list[RecordedFrame], list[Gap]]:
    with open_recording(path) as recording:
        items = list(recording.frames(fps))
    starts = [item.start_s if isinstance(item, Gap) else item.offset_s for item in items]
    assert starts == sorted(starts), "pictures and gaps come in order of time"
    return [i for i in items if isinstance(i, RecordedFrame)], [i for i in items if isinstance(i, Gap)]


def packets(path: Path) -> list[tuple[int, int, float, bool]]:
    """(position, size, seconds, is a key picture) of every packet, in the order of the file."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [
            (p.pos or 0, p.size, float((p.pts or 0) * p.time_base), p.is_keyframe)
            for p in container.demux(stream)
            if p.size
        ]


def damage(path: Path, start: int, length: int) -> None:
    data = bytearray(path.read_bytes())
    data[start : start + length] = np.random.default_rng(5).bytes(length)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mov", "libx264"),
        ("a.mkv", "libx264"),
        ("a.mp4", "mpeg4"),
        ("a.avi", "mpeg4"),
        ("a.avi", "mjpeg"),
        ("a.webm", "libvpx"),
        ("a.gif", "gif"),
    ],
)
def test_it_samples_every_container_by_its_timestamps(tmp_path, name, codec):
    path = write_video(tmp_path / name, codec=codec)
    with open_recording(path) as recording:
        assert (recording.name, recording.width, recording.height) == (name, 320, 240)
        assert recording.fps == pytest.approx(25, abs=0.5)
        assert recording.duration_s == pytest.approx(4.0, abs=0.1)
        assert recording.expected_frames(5) == 20
    frames, gaps = read(path, 5)
    assert gaps == []
    assert [f.offset_s for f in frames] == pytest.approx([n / 5 for n in range(20)], abs=0.011)
    assert all(
        abs(number_of(f.rgb) - round(f.offset_s * 25)) <= 1 for f in frames
    ), "each picture is the one of its time"
    assert frames[0].rgb.dtype == np.uint8 and frames[0].rgb.shape == (240, 320, 3)


@pytest.mark.parametrize("fps", [0.5, 1, 3, 7, 25, 60])
def test_it_yields_the_wanted_rate_or_all_there_is(tmp_path, fps):
    frames, _ = read(write_video(tmp_path / "a.mp4"), fps)
    assert len(frames) == round(4 * min(fps, 25))
    assert all(later.offset_s - earlier.offset_s > 0.5 / min(fps, 25) for earlier, later in pairwise(frames))


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_it_refuses_a_senseless_rate(tmp_path, fps):
    with open_recording(write_video(tmp_path / "a.mp4", pictures=5)) as recording, pytest.raises(RecordingError):
        recording.frames(fps)


def test_it_can_be_read_twice(tmp_path):
    with open_recording(write_video(tmp_path / "a.mp4")) as recording:
        next(recording.frames(5))  # broken off
        first, second = (list(recording.frames(1)) for _ in range(2))
    times = [[f.offset_s for f in frames if isinstance(f, RecordedFrame)] for frames in (first, second)]
    assert times == [[0, 1, 2, 3]] * 2


@pytest.mark.parametrize(("turned", "white"), [(90, "top left"), (-90, "bottom right"), (180, "bottom left")])
def test_it_honours_the_rotation_tag(tmp_path, turned, white):
    path = write_video(tmp_path / "a.mp4", pictures=10, turned=turned)
    with open_recording(path) as recording:
        frame = next(recording.frames(1))
        assert isinstance(frame, RecordedFrame)
        rgb = frame.rgb
        assert rgb.shape == (recording.height, recording.width, 3)
    assert rgb.shape[:2] == ((240, 320) if turned == 180 else (320, 240))
    rows = slice(12, 36) if white.startswith("top") else slice(-36, -12)
    columns = slice(12, 36) if white.endswith("left") else slice(-36, -12)
    assert rgb[rows, columns].mean() > 240


@needs_media
def test_it_turns_phone_videos_upright():
    for path in (MEDIA / "video").glob("*_eye_tracking_*.mp4"):
        frames, gaps = read(path, 1)
        assert frames[0].rgb.shape == (848, 480, 3) and gaps == []


@needs_media
def test_it_reads_every_labelled_video_without_a_gap():
    for path in [*(MEDIA / "video").iterdir(), *(MEDIA / "exams").glob("*.mp4")]:
        with open_recording(path) as recording:
            items = list(recording.frames(2))
            assert recording.expected_frames(2) == pytest.approx(len(items), abs=1), path.name
        assert all(isinstance(item, RecordedFrame) and item.rgb.shape[1] <= 1280 for item in items), path.name


def test_it_scales_large_pictures_down(tmp_path):
    path = write_video(tmp_path / "a.mp4", pictures=4, size=(1920, 1080))
    assert read(path, 1)[0][0].rgb.shape == (720, 1280, 3)


def test_it_loses_only_what_a_damage_spoils(tmp_path):
    path = write_video(tmp_path / "a.mp4")
    start = next(pos for pos, _, seconds, _ in packets(path) if seconds > 1.4)
    end = next(pos for pos, _, seconds, _ in packets(path) if seconds > 1.7)
    sound_again = next(seconds for pos, _, seconds, is_key in packets(path) if is_key and pos >= end)
    damage(path, start, end - start)
    frames, gaps = read(path, 25)
    assert len(gaps) == 1 and "damaged" in gaps[0].reason
    assert 1.0 < gaps[0].start_s < 1.45 and gaps[0].end_s == pytest.approx(sound_again)
    assert frames[-1].offset_s == pytest.approx(3.96)
    assert all(abs(number_of(f.rgb) - round(f.offset_s * 25)) <= 1 for f in frames), "no spoilt picture is shown"


def test_it_distrusts_pictures_after_damage_that_the_decoder_hides(tmp_path):
    path = write_video(tmp_path / "a.mp4")
    (position, size, spoilt, _), (_, _, sound_again, _) = [p for p in packets(path) if p[3] and p[2] > 1][:2]
    damage(path, position + size // 2, 30)
    frames, gaps = read(path, 25)
    assert len(gaps) == 1
    assert gaps[0].start_s == pytest.approx(spoilt, abs=0.13) and gaps[0].end_s == pytest.approx(sound_again)
    assert not [f for f in frames if spoilt <= f.offset_s < sound_again] and frames[-1].offset_s == pytest.approx(3.96)


@pytest.mark.parametrize("name", ["a.mkv", "a.avi"])
def test_it_goes_on_after_damage_to_the_container(tmp_path, name):
    path = write_video(tmp_path / name, codec="mpeg4")
    middle = path.stat().st_size // 2
    damage(path, middle, 4000)
    frames, gaps = read(path, 25)
    assert gaps and all(1.0 < gap.start_s < gap.end_s < 3.5 for gap in gaps)
    assert 3.7 < frames[-1].offset_s < 4.0


def test_it_counts_the_part_before_a_file_was_cut_off(tmp_path):
    path = write_video(tmp_path / "a.mp4", pictures=250, options={"movflags": "faststart"})
    os.truncate(path, path.stat().st_size // 2)
    frames, gaps = read(path, 1)
    assert 3 <= len(frames) <= 7
    assert gaps[-1].end_s == pytest.approx(10.0, abs=0.1) and gaps[-1].start_s > frames[-1].offset_s


def test_it_tells_of_a_pause_in_the_recording(tmp_path):
    import av

    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 320, 240, "yuv420p", Fraction(1, 25)
        for number in [*range(50), *range(300, 350)]:
            frame = av.VideoFrame.from_ndarray(numbered_picture(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames, gaps = read(path, 1)
    assert [f.offset_s for f in frames] == pytest.approx([0, 1, 12, 13])
    assert len(gaps) == 1 and (gaps[0].start_s, gaps[0].end_s) == pytest.approx((2, 12), abs=0.1)


def test_it_says_one_sentence_about_what_is_no_recording(tmp_path):
    whole = write_video(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("These are my notes, not a video.\n" * 100)
    (tmp_path / "list.mp4").write_text(f"#EXTM3U\n#EXTINF:4,\n{tmp_path}/whole.mp4\n#EXT-X-ENDLIST\n")
    (tmp_path / "notes.txt").write_text("notes " * 1000)
    (tmp_path / "noise.mkv").write_bytes(np.random.default_rng(1).bytes(50_000))
    Image.new("RGB", (640, 480)).save(tmp_path / "picture.mp4", format="JPEG")
    Image.new("RGB", (640, 480)).save(tmp_path / "picture.png")
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])  # the index is at the end
    (tmp_path / "head.mp4").write_bytes(whole[:24])
    for name in ("missing.mp4", "empty.mp4", "text.mp4", "list.mp4", "notes.txt", "noise.mkv", "picture.mp4"):
        with pytest.raises(RecordingError, match=rf"{name}.*\.$|{name}.*\)\.$"):
            open_recording(tmp_path / name)
    for name, sentence in {
        "missing.mp4": "There is no recording",
        "empty.mp4": "is empty",
        "text.mp4": "not a video",
        "picture.mp4": "is a picture",
        "picture.png": "is a picture",
        "cut.mp4": "cut off",
        "head.mp4": "cut off",
    }.items():
        with pytest.raises(RecordingError, match=sentence):
            open_recording(tmp_path / name)


def test_it_refuses_a_file_without_pictures(tmp_path):
    import av

    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(RecordingError, match="holds no video"):
        open_recording(tmp_path / "sound.mp4")
    path = write_video(tmp_path / "spoilt.mp4", pictures=20, gop=100)
    places = packets(path)
    damage(path, places[0][0], places[-1][0] + places[-1][1] - places[0][0])
    with pytest.raises(RecordingError, match="no picture of it can be decoded"):
        open_recording(path)


def test_it_refuses_a_video_of_no_length(tmp_path):
    path = write_video(tmp_path / "none.mp4", pictures=0)
    with pytest.raises(RecordingError, match=r"none\.mp4 (holds no|is cut off)"):
        open_recording(path)
    data = write_video(tmp_path / "one.mkv", pictures=1).read_bytes()
    (tmp_path / "none.mkv").write_bytes(data[: data.index(bytes.fromhex("1f43b675"))])  # before the first cluster
    with pytest.raises(RecordingError, match=r"none\.mkv is cut off"):
        open_recording(tmp_path / "none.mkv")


def test_its_memory_does_not_grow_with_the_length(tmp_path):
    path = write_video(tmp_path / "a.mp4", codec="mpeg4", pictures=1000, fps=10, size=(640, 480))
    with open_recording(path) as recording:
        seen = [resident_mb() for number, _ in enumerate(recording.frames(10)) if number % 100 == 99]
    assert seen[-1] - seen[2] < 8, seen


def save(folder: Path, names: list[str]) -> Path:
    folder.mkdir()
    for number, name in enumerate(names):
        Image.fromarray(numbered_picture(number)).save(folder / name)
    return folder


@pytest.mark.parametrize(
    ("names", "offsets"),
    [
        (["2026-01-31T10-15-02.jpg", "2026-01-31T10-15-03.jpg", "2026-01-31T10-16-02.jpg"], [0, 1, 60]),
        (["20260131_235959.png", "20260201_000001.png"], [0, 2]),
        (["2026-01-31 10.15.02.250.jpg", "2026-01-31 10.15.03.750.jpg"], [0, 1.5]),
        (["cam_2026-01-31T10:15:02Z.jpg", "cam_2026-01-31T10:15:04Z.jpg"], [0, 2]),
        (["IMG_20260131_101502123.jpg", "IMG_20260131_101503123.jpg"], [0, 1]),
        (["1769854502123.jpg", "1769854503623.jpg"], [0, 1.5]),
        (["shot-1769854502.jpg", "shot-1769854512.jpg"], [0, 10]),
        (["0.5.png", "2.0.png", "10.25.png"], [0, 1.5, 9.75]),
        (["frame_0007.jpg", "frame_0008.jpg", "frame_0010.jpg"], [0, 1, 3]),
        (["9.png", "10.png", "11.png"], [0, 1, 2]),
    ],
)
def test_it_reads_the_time_from_the_names_of_pictures(tmp_path, names, offsets):
    frames, _ = read(save(tmp_path / "pictures", names), 10)
    assert [f.offset_s for f in frames] == pytest.approx(offsets)
    assert [number_of(f.rgb) for f in frames] == pytest.approx(list(range(len(names))), abs=1)


def test_it_says_that_counting_names_are_taken_for_seconds(tmp_path):
    with open_recording(save(tmp_path / "counted", ["frame_0001.png", "frame_0002.png"])) as recording:
        assert "one picture a second" in recording.note and recording.fps == 1
    with open_recording(save(tmp_path / "dated", ["20260131_101502.png"])) as recording:
        assert recording.note == "" and recording.duration_s == 1 and recording.expected_frames(1) == 1


def test_it_samples_a_folder_by_time(tmp_path):
    start = datetime(2026, 1, 31, 10, 15).timestamp()  # noqa: DTZ001 - only differences matter
    folder = save(tmp_path / "pictures", [f"{round((start + n / 4) * 1000)}.png" for n in range(20)])
    with open_recording(folder) as recording:
        assert (recording.fps, recording.duration_s, recording.expected_frames(1)) == (4, 5, 5)
    frames, gaps = read(folder, 1)
    assert [f.offset_s for f in frames] == [0, 1, 2, 3, 4] and gaps == []


def test_a_bad_picture_in_a_folder_is_a_gap_with_its_reason(tmp_path):
    folder = save(tmp_path / "pictures", [f"frame_{n:04}.png" for n in range(6)])
    (folder / "frame_0002.png").write_bytes(b"not a picture")
    (folder / "frame_0004.png").write_bytes((folder / "frame_0004.png").read_bytes()[:300])
    (folder / "notes.txt").write_text("ignored")
    frames, gaps = read(folder, 1)
    assert [f.offset_s for f in frames] == [0, 1, 3, 5]
    assert [(g.start_s, g.end_s) for g in gaps] == [(2, 3), (4, 5)]
    assert "frame_0002.png" in gaps[0].reason and "frame_0004.png" in gaps[1].reason


def test_it_tells_of_missing_pictures_in_a_folder(tmp_path):
    names = [f"frame_{n:04}.png" for n in [*range(5), *range(30, 35)]]
    _, gaps = read(save(tmp_path / "pictures", names), 1)
    assert [(g.start_s, g.end_s) for g in gaps] == [(5, 30)]


def test_it_says_one_sentence_about_a_folder_that_is_no_recording(tmp_path):
    (tmp_path / "nothing").mkdir()
    save(tmp_path / "named", ["anna.png", "berta.png"])
    save(tmp_path / "mixed", ["20260131_101502.png", "berta_b.png"])
    bad = tmp_path / "bad"
    bad.mkdir()
    for number in range(3):
        (bad / f"frame_{number}.png").write_bytes(struct.pack(">I", number))
    for name, sentence in {
        "nothing": "nothing holds no pictures",
        "named": "anna.png .* has no time in its name",
        "mixed": "berta_b.png .* has no time in its name",
        "bad": r"No picture in the folder bad can be decoded \(frame_0.png",
    }.items():
        with pytest.raises(RecordingError, match=sentence):
            open_recording(tmp_path / name)


def test_it_gives_faces_their_true_proportions_where_pixels_are_not_square(tmp_path):
    import av

    path = tmp_path / "squeezed.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 320, 480, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)
        for _ in range(5):
            picture = av.VideoFrame.from_ndarray(np.full((480, 320, 3), 90, np.uint8), "rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    with open_recording(path) as recording:
        assert (recording.width, recording.height) == (640, 480)
        first = next(recording.frames(1))
        assert isinstance(first, RecordedFrame)
        assert first.rgb.shape == (480, 640, 3)


@pytest.mark.parametrize(
    "names",
    [
        ("0001-01-01T00-00-00.jpg", "9999-12-31T23-59-59.jpg"),
        ("1.5.jpg", "99999999999999999999.5.jpg"),
    ],
)
def test_it_refuses_a_folder_whose_times_lie_ages_apart(tmp_path, names):
    folder = save(tmp_path / "pictures", names)
    with pytest.raises(RecordingError, match="more than a month apart"):
        open_recording(folder)
