"""Who may send what of a session."""

from __future__ import annotations

import base64
import io
import wave

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from monitoring.frame_store import Stream, frame_store
from monitoring.models import MonitoringLog, SessionMonitor
from proctoring.tests.permission_rows.row import Cell, Row


def picture() -> bytes:
    """Return a JPEG of coloured stripes."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((320, 240)).save(buffer, "JPEG")
    return buffer.getvalue()


def silence() -> bytes:
    """Return a tenth of a second of it, as WAV."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes(3_200))
    return buffer.getvalue()


def picture_form(_cell: Cell) -> dict[str, SimpleUploadedFile]:
    """A form with a picture; each call reads its own."""
    return {"file": SimpleUploadedFile("frame.jpg", picture(), "image/jpeg")}


def sound_form(_cell: Cell) -> dict[str, SimpleUploadedFile]:
    """A form with a chunk of sound."""
    return {"file": SimpleUploadedFile("chunk.wav", silence(), "audio/wav")}


def picture_and_event(_cell: Cell) -> dict[str, object]:
    """A picture and an event, as JSON."""
    return {"image": base64.b64encode(picture()).decode(), "events": [{"event_type": "PASTE"}]}


def waits(cell: Cell, stream: Stream) -> bool:
    """One thing was numbered by the place's active session alone, and waits there and nowhere else."""
    counted = SessionMonitor.objects.exclude(last_server_seq=0).values_list("session", flat=True)
    waiting = {session: frame_store().waiting(session, stream) for session in frame_store().sessions()}
    return list(counted) == [cell.place.active.pk] and waiting == {cell.place.active.pk: 1}


def reported(cell: Cell, event_type: str, source: str) -> bool:
    """The place's active session, and no other, has this in its log, from this source."""
    logs = MonitoringLog.objects.filter(event_type=event_type)
    return [(log.session, log.source) for log in logs] == [(cell.place.active, source)]


def source_of(cell: Cell) -> str:
    """As whom /analyze takes whoever calls."""
    return "browser" if "candidate" in cell.role else "proctor"


SEND_OWN, SEND_OTHERS = "401 202 404 403 403 403 403", "401 404 202 403 403 403 403"
ROWS = [
    Row(
        "POST /api/v1/sessions/{id}/frames",
        SEND_OWN,
        SEND_OTHERS,
        at={"id": "active"},
        query="?wait=1",  # nobody examines it meanwhile, so the answer is the usual one
        sends=picture_form,
        as_form=True,
        holds=lambda cell: waits(cell, "frame"),
    ),
    Row(
        "POST /api/v1/sessions/{id}/audio",
        SEND_OWN,
        SEND_OTHERS,
        at={"id": "active"},
        sends=sound_form,
        as_form=True,
        holds=lambda cell: waits(cell, "audio"),
    ),
    Row(
        "POST /api/v1/sessions/{id}/events",
        "401 201 404 403 403 403 403",
        "401 404 201 403 403 403 403",
        at={"id": "active"},
        sends={"event_type": "PASTE"},
        holds=lambda cell: reported(cell, "PASTE", "browser"),
    ),
    Row(
        "POST /api/v1/sessions/{id}/analyze",
        "401 200 404 200 404 200 200",
        "401 404 200 404 200 404 200",
        at={"id": "active"},
        sends=picture_and_event,
        holds=lambda cell: waits(cell, "frame")
        and reported(cell, "PASTE", source_of(cell))
        and reported(cell, "ANALYZE", "server"),
    ),
]
