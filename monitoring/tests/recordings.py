"""What a browser's camera and microphone are fed: stretches of real recordings, in the formats that Chromium reads."""

import json
import os
import shutil
from itertools import dropwhile, islice, takewhile
from pathlib import Path

import av
import cv2

from vision.demo import build_demo_recording
from vision.recording import RecordedFrame, open_recording
from vision.sound import wrap_pcm

FPS = 2
SIZE = (640, 480)
RATE = 16_000
SPOKEN_S = 30
EXAMPLE_SOUND = Path(__file__).resolve().parents[2] / "docs/examples/sound.wav"
DEMO_KINDS = {"present": "present", "two_people": "MULTIPLE_FACES", "empty": "NO_FACE"}


class Recordings:
    """Files for a camera and a microphone, from a labelled exam or, where there is none, from the demonstration."""

    def __init__(self, folder):
        self.folder = folder
        media = os.environ.get("PROCTORING_MEDIA")
        labelled = Path(media or "/nonexistent") / "exams/exam13.mp4"
        if labelled.is_file():
            self.video = self.sound = labelled
            rows = json.loads(labelled.with_suffix(".json").read_text())["timeline"]
            self.spans = {row["kind"]: (row["start_s"], row["end_s"]) for row in reversed(rows)}
        else:
            shown = build_demo_recording(folder / "demonstration.mp4", seconds=60)
            self.video, self.sound = shown.path, EXAMPLE_SOUND
            self.spans = {DEMO_KINDS[part.kind]: (part.start_s, part.end_s) for part in reversed(shown.parts)}

    def camera(self, story):
        """Return a file that shows each kind of the story for so many seconds, again and again."""
        path = self.folder / "camera.y4m"
        kinds = {kind: self._pictures(kind) for kind, _seconds in story}
        with path.open("wb") as file:
            file.write(f"YUV4MPEG2 W{SIZE[0]} H{SIZE[1]} F{FPS}:1 Ip A1:1 C420mpeg2\n".encode())
            for kind, seconds in story:
                for picture in islice(kinds[kind], seconds * FPS):
                    file.write(b"FRAME\n" + picture)
        return path

    def microphone(self):
        """Return a file with half a minute of the sound, at most, at half its level: the labelled one is overdriven."""
        path = self.folder / "microphone.wav"
        if self.sound == EXAMPLE_SOUND:
            shutil.copy(self.sound, path)
            return path
        resampler = av.AudioResampler("s16", "mono", RATE)
        samples = bytearray()
        with av.open(str(self.sound)) as container:
            for frame in container.decode(audio=0):
                samples += b"".join((part.to_ndarray() // 2).tobytes() for part in resampler.resample(frame))
                if len(samples) > 2 * RATE * SPOKEN_S:
                    break
        path.write_bytes(wrap_pcm(bytes(samples), rate=RATE, channels=1))
        return path

    def _pictures(self, kind):
        start, end = self.spans[kind]
        with open_recording(self.video) as recording:
            shown = (frame for frame in recording.frames(FPS) if isinstance(frame, RecordedFrame))
            wanted = takewhile(
                lambda frame: frame.offset_s < end, dropwhile(lambda frame: frame.offset_s < start, shown)
            )
            return [cv2.cvtColor(cv2.resize(frame.rgb, SIZE), cv2.COLOR_RGB2YUV_I420).tobytes() for frame in wanted]
