"""Fetching weights from a mirror folder and from a real HTTP server, whole, broken off and falsified."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from vision import weights
from vision.weights import Weight, WeightError, fetch, find, verify

CONTENT = bytes(range(256)) * 4096  # 1 MB


class Server(ThreadingHTTPServer):
    """Remembers (path, Range) of every request."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Publisher)
        self.asked: list[tuple[str, str | None]] = []


class Publisher(BaseHTTPRequestHandler):
    """Serves CONTENT at /whole with Range, at /no-range without, at /broken half of it at a time."""

    server: Server

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        if self.path == "/missing":
            self.send_error(404)
            return
        start = 0
        if (asked := self.headers.get("Range")) and self.path != "/no-range":
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.end_headers()
        self.wfile.write(body[: len(CONTENT) // 2] if self.path == "/broken" else body)

    def log_message(self, *args):
        pass


@pytest.fixture
def publisher() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PROCTORING_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def mirror(tmp_path):
    folder = tmp_path / "mirror"
    folder.mkdir()
    return folder


def weight(server=None, path="/whole", content=CONTENT) -> Weight:
    url = f"http://127.0.0.1:{server.server_port}{path}" if server else None
    return Weight("net.onnx", hashlib.sha256(content).hexdigest(), len(content), url, "MIT", "tests")


def test_it_copies_from_a_mirror_and_reports_progress(models, mirror):
    (mirror / "net.onnx").write_bytes(CONTENT)
    seen = []
    result = fetch(weight(), mirror=mirror, progress=lambda done, total: seen.append((done, total)))
    assert (result.action, result.path.read_bytes()) == ("copied", CONTENT)
    assert seen[-1] == (len(CONTENT), len(CONTENT)) and seen == sorted(seen)
    assert [path.name for path in models.iterdir()] == ["net.onnx"]
    assert find("absent.pt", "net.onnx") == result.path


def test_it_leaves_a_verified_file_alone(models, mirror):
    (mirror / "net.onnx").write_bytes(CONTENT)
    fetch(weight(), mirror=mirror)
    (mirror / "net.onnx").unlink()
    assert fetch(weight(), mirror=mirror).action == "present"


def test_it_replaces_a_file_that_is_not_the_pinned_one(models, mirror):
    models.mkdir()
    (models / "net.onnx").write_bytes(b"something else")
    (mirror / "net.onnx").write_bytes(CONTENT)
    assert fetch(weight(), mirror=mirror).action == "copied"
    assert verify(models / "net.onnx", weight())


@pytest.mark.parametrize("bad", [CONTENT[:-1] + b"!", CONTENT[:-1], CONTENT + b"!", b""])
def test_it_refuses_a_wrong_file_and_keeps_the_old_one(models, mirror, bad):
    models.mkdir()
    (models / "net.onnx").write_bytes(b"an older good file")
    (mirror / "net.onnx").write_bytes(bad)
    with pytest.raises(WeightError, match=r"net\.onnx is refused"):
        fetch(weight(), mirror=mirror)
    assert (models / "net.onnx").read_bytes() == b"an older good file"
    assert [path.name for path in models.iterdir()] == ["net.onnx"]


def test_it_says_what_the_mirror_lacks(mirror, models):
    with pytest.raises(WeightError, match="not in the mirror folder"):
        fetch(weight(), mirror=mirror)
    assert list(models.iterdir()) == []


def test_it_says_when_nobody_publishes_a_file():
    with pytest.raises(WeightError, match="no publisher"):
        fetch(weight())


def test_it_downloads(publisher, models):
    result = fetch(weight(publisher))
    assert (result.action, result.path.read_bytes()) == ("downloaded", CONTENT)
    assert publisher.asked == [("/whole", None)]
    assert fetch(weight(publisher)).action == "present"
    assert len(publisher.asked) == 1


def test_it_resumes_a_download(publisher, models):
    models.mkdir()
    (models / "net.onnx.part").write_bytes(CONTENT[:1000])
    assert fetch(weight(publisher)).path.read_bytes() == CONTENT
    assert publisher.asked == [("/whole", "bytes=1000-")]


def test_it_starts_again_where_the_server_cannot_resume(publisher, models):
    models.mkdir()
    (models / "net.onnx.part").write_bytes(CONTENT[:1000])
    assert fetch(weight(publisher, "/no-range")).path.read_bytes() == CONTENT


def test_it_goes_on_by_itself_when_a_connection_breaks(publisher, models):
    assert fetch(weight(publisher, "/broken")).path.read_bytes() == CONTENT
    assert [asked for _, asked in publisher.asked] == [None, f"bytes={len(CONTENT) // 2}-"]


def test_it_refuses_a_download_with_a_wrong_hash_and_forgets_it(publisher, models):
    with pytest.raises(WeightError, match="SHA-256 is not the pinned one"):
        fetch(weight(publisher, content=CONTENT[::-1]))
    assert list(models.iterdir()) == []


def test_it_refuses_a_leftover_that_does_not_fit_the_rest(publisher, models):
    models.mkdir()
    (models / "net.onnx.part").write_bytes(b"x" * 1000)
    with pytest.raises(WeightError, match="SHA-256"):
        fetch(weight(publisher))
    assert fetch(weight(publisher)).action == "downloaded"


def test_it_says_what_the_server_answered(publisher):
    with pytest.raises(WeightError, match="the server answered 404"):
        fetch(weight(publisher, "/missing"))


def test_it_says_when_there_is_no_server(publisher, monkeypatch):
    monkeypatch.setattr(weights, "RETRY_S", 0)
    publisher.shutdown()
    publisher.server_close()
    with pytest.raises(WeightError, match=r"could not be downloaded: .*refused"):
        fetch(weight(publisher))


def test_the_manifest_is_pinned_and_has_no_doubles():
    names = [entry.name for entry in weights.WEIGHTS]
    assert len(set(names)) == len(names)
    for entry in weights.WEIGHTS:
        assert len(entry.sha256) == 64 and int(entry.sha256, 16) and entry.size > 100_000 and entry.licence
        assert entry.url is None or entry.url.startswith("https://")
    assert any(entry.default and entry.url for entry in weights.WEIGHTS)
