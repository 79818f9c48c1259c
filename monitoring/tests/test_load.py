"""Simulated candidates against real servers, in numbers too small to measure anything by."""

from __future__ import annotations

import asyncio
import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from websockets.asyncio.server import serve

from exams.models import ExamSession
from exams.policy import parse_policy
from monitoring.load import intake_benchmark, pipeline_benchmark, rows
from monitoring.load.deployment import Deployment, DeploymentError, deployed
from monitoring.load.generator import Order, Report
from monitoring.load.pictures import write_sized
from monitoring.load.pipeline_benchmark import Level, PipelineBench, find_level
from monitoring.load.reckoning import Reckoning, reckon
from monitoring.load.soak import drift_of
from monitoring.load.socket_client import SocketClient
from monitoring.models import Observation, SessionMonitor
from monitoring.tests.factories import make_session


def run(*options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command("benchmark", *map(str, options), "--json", stdout=out)
    figures: dict[str, Any] = json.loads(out.getvalue())
    return figures


@pytest.fixture
def _shortly(monkeypatch):
    """Wait for less than a measurement would."""
    monkeypatch.setattr(intake_benchmark, "ROUNDS", 1)
    monkeypatch.setattr(intake_benchmark, "WARM_S", 0.2)
    monkeypatch.setattr(pipeline_benchmark, "WARM_S", 0.5)
    monkeypatch.setattr(pipeline_benchmark, "TRIES", 1)


@pytest.mark.slow
@pytest.mark.usefixtures("_shortly")
def test_the_intake_is_measured_beside_a_bare_consumer():
    figures = run("intake", "--sockets", 2, "--seconds", 1, "--halls", 3)

    assert figures["ratio_to_bare"] == pytest.approx(
        figures["frames_per_second"] / figures["bare_frames_per_second"], rel=0.1
    )
    assert figures["frames_per_second"] > 0
    assert 0 < figures["ack_p50_ms"] <= figures["ack_p99_ms"]
    [hall] = figures["halls"]
    assert (hall["candidates"], hall["unanswered"]) == (3, 0)
    assert hall["memory_mb"] > 10


@pytest.mark.slow
@pytest.mark.usefixtures("_shortly")
def test_the_pipeline_is_measured_up_to_the_reviewers_socket():
    figures = run("pipeline", "--shape", "zero", "--candidates", 2, "--most", 3, "--seconds", 14)

    level = figures["level"]
    assert level["candidates"] == 2
    assert level["analysed"] == level["acked"] >= 20
    assert (level["missing"], level["unanswered"], figures["skipped"]) == (0, 0, 0)
    assert level["activities"] > 0
    assert figures["push_p95_ms"] > 0
    assert figures["candidates_per_core"] in (0, 2)  # by how busy this machine is
    assert figures["above"]["candidates"] == 3
    assert level["server_cpu_ms_once_connected"] > 0
    assert figures["stages_ms"]["senses"] > 0
    assert "bare look" not in figures["stages_ms"] and "bare_look_ms" in figures
    assert figures["stages_ms"]["whole"] >= figures["stages_ms"]["senses"] + figures["stages_ms"]["recording"]


@pytest.mark.slow
def test_a_soak_counts_what_became_of_everything():
    figures = run("soak", "--shape", "zero", "--candidates", 3, "--fps", 2, "--minutes", 0.2)

    assert figures["acked"] == figures["sent"] == figures["analysed"] > 20
    assert [figures[name] for name in ("missing", "doubled", "unanswered", "lost_lines", "refused")] == [0, 0, 0, 0, {}]
    assert figures["memory_mb"]["server"]["at_the_end"] > 10


@pytest.mark.parametrize("options", [("--sockets", "0"), ("--shape", "half"), ("--halls", "many")])
def test_the_command_refuses_what_cannot_be_measured(options):
    with pytest.raises(CommandError):
        call_command("benchmark", "intake", *options)


def test_a_server_that_does_not_start_says_why(tmp_path):
    deployment = Deployment(tmp_path, SECRET_KEY="short")
    try:
        with pytest.raises(DeploymentError, match="SECRET_KEY"):
            deployment.serve()
    finally:
        deployment.end()


@pytest.mark.slow
def test_what_a_bare_server_acknowledges_lies_in_its_folder():
    with deployed("zero") as deployment:
        folder = deployment.environ["BARE_FOLDER"] = str(deployment.folder / "bare")
        write_sized(deployment.folder / "pictures", 70_000)
        server = deployment.serve(intake_benchmark.BARE)
        pictures = str(deployment.folder / "pictures")
        order = Order(deployment.port, ["/a", "/b"], pictures, seconds=1.0, warm_s=0.2, window=3, server=server.pid)

        report = deployment.send(order)

        written = [path.stat().st_size for path in deployment.folder.glob("bare/*/*")]
    assert folder
    assert len(written) == report.sent == sum(map(len, report.taken)) > 10
    assert set(written) == {70_000 + 20}
    assert report.unanswered == report.lost_lines == 0
    assert report.server_mb > 10


# --- the client -------------------------------------------------------------------------------------------------------


class Ears(SocketClient):
    """Keeps what it hears."""

    def __init__(self, port: int) -> None:
        super().__init__(f"127.0.0.1:{port}", "/")
        self.heard: list[Any] = []
        self.lost = asyncio.Event()

    def on_message(self, message: Any) -> None:
        self.heard.append(message)

    def on_lost(self) -> None:
        self.lost.set()


@pytest.mark.parametrize("length", [1, 125 - 20, 126 - 20, 65535 - 20, 65536 - 20, 200_000])
def test_the_client_speaks_with_a_server_of_another_making(length):
    """Every way to write a length, both ways; a ping of the server is answered."""
    received = []

    async def answer(socket):
        received.append(await socket.recv())
        await (await socket.ping(b"there?"))
        for text in ("", "x" * 200, "y" * 70_000):
            await socket.send(json.dumps({"text": text}))

    async def talk():
        async with serve(answer, "127.0.0.1", 0, compression=None) as server:
            port = server.sockets[0].getsockname()[1]
            _transport, ears = await asyncio.get_running_loop().create_connection(lambda: Ears(port), "127.0.0.1", port)
            await ears.opened
            ears.send_item(7, 1_700_000_000_000, b"p" * length)
            await asyncio.wait_for(ears.lost.wait(), 20)
        return ears.heard

    assert [len(message["text"]) for message in asyncio.run(talk())] == [0, 200, 70_000]
    assert received == [
        bytes((1, 0, 0, 0)) + (7).to_bytes(8, "big") + (1_700_000_000_000).to_bytes(8, "big") + b"p" * length
    ]


def test_a_refused_socket_is_told_as_such():
    async def refuse(_connection, request):
        return _connection.respond(404, "no")

    async def talk():
        async with serve(lambda socket: socket.wait_closed(), "127.0.0.1", 0, process_request=refuse) as server:
            port = server.sockets[0].getsockname()[1]
            _transport, ears = await asyncio.get_running_loop().create_connection(lambda: Ears(port), "127.0.0.1", port)
            await ears.opened

    with pytest.raises(ConnectionError, match="404"):
        asyncio.run(talk())


# --- figures ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def spool(settings, tmp_path):
    settings.FRAME_SPOOL = tmp_path / "spool"


@pytest.mark.django_db
@pytest.mark.usefixtures("spool")
def test_what_was_acknowledged_and_is_nowhere_is_missing():
    session = make_session()
    rows_of = [Observation(session=session, seq=seq, captured_at=timezone.now(), usable=True) for seq in range(5)]
    Observation.objects.bulk_create(rows_of)
    SessionMonitor.objects.filter(pk=session.pk).update(frames_skipped=2)

    found = reckon({str(session.pk): list(range(8))})

    assert found == Reckoning(acked=8, analysed=5, thinned=2, missing=1, doubled=0, waiting=0, activities=0)


@pytest.mark.django_db
@pytest.mark.usefixtures("spool")
def test_what_one_session_lost_another_ones_thinning_does_not_explain():
    one, other = make_session(), make_session()
    SessionMonitor.objects.filter(pk=other.pk).update(frames_skipped=5)

    assert reckon({str(one.pk): [1, 2], str(other.pk): []}).missing == 2


def test_memory_is_judged_after_the_warm_up():
    samples = [100.0] * 10 + [200.0] * 25 + [206.0] * 25

    drift = drift_of(samples)

    assert drift.pop("tenths") == "100, 100, 200, 200, 200, 200, 206, 206, 206, 206"
    assert drift == {"after_warm_up": 200.0, "at_the_end": 206.0, "most": 206.0, "change": 0.03}


def level(candidates: int = 10, *, push_ms: float = 100.0, **lost: int) -> Level:
    report = Report(push_ms=[push_ms] * 20, unanswered=lost.get("unanswered", 0))
    return Level(candidates, report, 100, lost.get("thinned", 0), lost.get("missing", 0), {})


@pytest.mark.parametrize(
    ("made", "holds"),
    [
        (level(), True),
        (level(push_ms=1499.0), True),
        (level(push_ms=1501.0), False),
        (level(thinned=1), False),
        (level(missing=1), False),
        (level(unanswered=1), False),
        (Level(10, Report(), 100, 0, 0, {}), False),  # nothing was heard of at all
    ],
)
def test_a_level_holds_if_nothing_is_lost_and_reviewers_hear_in_time(made, holds):
    assert made.holds is holds


def test_fewer_are_tried_until_it_holds():
    class Bench(PipelineBench):
        def __init__(self):
            pass

        def level(self, candidates):
            return level(candidates, thinned=int(candidates > 50))

    tried = find_level(Bench(), 60, 300, lambda step: None)

    assert [one.candidates for one in tried] == [60, 54, 48]
    assert tried[-1].holds
    more = find_level(Bench(), 40, 300, lambda step: None)
    assert [one.candidates for one in more] == [56, 40, 45, 50]  # what held comes last, the most of it at the end
    assert [one.candidates for one in find_level(Bench(), 2, 2, lambda step: None)] == [2]


def test_the_halls_policy_sets_holds_aside_and_looks_for_no_silence():
    policy = parse_policy(rows.policy())

    assert (policy.rule("NO_FACE").hold, policy.rule("NO_FACE").hold_s, policy.rule("NO_FACE").weight) == (1, 0.0, 2)
    assert policy.rule("TAB_SWITCH").enabled
    assert not policy.rule("CAMERA_SILENT").enabled


@pytest.mark.django_db
def test_a_hall_is_of_candidates_who_may_open_their_sockets():
    hall = rows.make_hall(3)

    assert len(hall.candidates) == len(set(hall.sessions)) == 3
    assert ExamSession.objects.filter(pk__in=hall.sessions, status="active").count() == 3
    assert all(
        session in path and "token=" in path for session, path in zip(hall.sessions, hall.candidates, strict=True)
    )


@pytest.mark.slow
def test_the_reports_of_long_sessions_are_measured_with_all_their_pictures():
    figures = run("reports", "--reports", 1, "--jobs", 1)

    assert (figures["reports"], figures["jobs"], figures["activities"]) == (1, 1, 60)
    assert figures["one_pdf_bytes"] > 500_000  # sixty pictures
    assert figures["one_alone_cpu_s"] > 0
    assert figures["cpu_s_each"] == pytest.approx(figures["all_cpu_s"], abs=0.1)
