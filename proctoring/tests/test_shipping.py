"""What is shipped holds together: names, ports and commands of compose.yaml, Dockerfile and render.yaml are real."""

import base64
import http.client
import os
import re
import secrets
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import psycopg
import pytest
import yaml
from django.conf import settings as current

from monitoring.tests.storage import free_port
from monitoring.tests.test_server import POSTGRESQL, Server, services_are_there, wait_until
from proctoring.celery import QUEUES

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("image") == "proctoring:latest"}
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>[A-Z_]+)(?P<what>:[-?])?(?P<text>[^}]*)\}")
# What Docker, the proxy and the databases' images read, not we.
FOREIGN = {"POSTGRES_USER", "POSTGRES_DB", "REDISCLI_AUTH", "WEB_ADDRESS"}
SECRETS = {"SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "SITE_NAME"}


def known_variables():
    return set(re.findall(r"^#?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def filled_in(value, given):
    """Return what Compose makes of a value: variables filled in, two dollar signs made one."""

    def one(found):
        text = given.get(found["name"], "")
        if not text and found["what"] == ":?":
            raise KeyError(found["text"])
        return text or (found["text"] if found["what"] == ":-" else "")

    return VARIABLE.sub(one, str(value)).replace("$$", "$")


def texts(node):
    if isinstance(node, dict):
        node = list(node.values())
    return [text for each in node for text in texts(each)] if isinstance(node, list) else [str(node)]


# --- compose.yaml -----------------------------------------------------------------------------------------------------


def test_every_variable_is_known():
    named = {found["name"] for text in texts(SERVICES) for found in VARIABLE.finditer(text)}
    set_there = {name for service in SERVICES.values() for name in service.get("environment", {})}
    assert named | set_there - FOREIGN <= known_variables() | FOREIGN
    assert named > SECRETS


def test_every_setting_reaches_the_services_or_is_theirs_to_choose():
    chosen = {
        "DATABASE_URL",
        "REDIS_URL",
        "ALLOWED_HOSTS",
        "CSRF_TRUSTED_ORIGINS",
        "SITE_URL",
        "SECURE",
        "TRUSTED_PROXIES",
    }
    chosen |= {"LOG_FORMAT", "METRICS_PORT"}
    # The image's own, and what only other shapes need.
    chosen |= {"DEBUG", "HOST", "PORT", "VAR_DIR", "MEDIA_ROOT", "STATIC_ROOT", "PROCTORING_MODELS"}
    chosen |= {"FRAME_SPOOL", "FRAME_STORE", "EMBEDDED_WORKER", "EMAIL_BACKEND"}
    passed = {found["name"] for text in texts(SERVICES) for found in VARIABLE.finditer(text)}
    assert known_variables() - chosen == passed


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_nothing_starts_without_what_is_secret(name):
    given = dict.fromkeys(SECRETS - {name}, "x")
    with pytest.raises(KeyError, match=f"set {name} in .env"):
        [filled_in(text, given) for text in texts(SERVICES)]


def test_no_password_stands_in_it():
    for text in texts(SERVICES):
        for password in re.findall(r"://[^:/@]*:([^@]*)@", text):
            assert VARIABLE.fullmatch(password), text
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("KEY|PASSWORD|TOKEN|SECRET|AUTH", name):
                assert VARIABLE.fullmatch(value), name


def test_only_the_proxy_can_be_reached():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert {port.split(":")[0] for port in SERVICES["proxy"]["ports"]} == {"80", "443"}
    assert not any("network_mode" in service or service.get("privileged") for service in SERVICES.values())


def test_each_service_has_a_limit_and_ours_run_without_rights():
    assert all("mem_limit" in service for service in SERVICES.values())
    for service in OURS.values():
        assert service["cap_drop"] == ["ALL"] and service["read_only"] is True
    assert set(COMPOSE["volumes"]) == {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith("./")
    }


def test_workers_serve_each_queue_once_and_there_is_one_beat():
    queues = [
        queue
        for service in OURS.values()
        if "worker" in service["command"]
        for queue in service["command"][service["command"].index("-Q") + 1].split(",")
    ]
    assert sorted(queues) == sorted(QUEUES)
    assert sum("beat" in service["command"] for service in OURS.values()) == 1


def test_what_was_acknowledged_is_on_disk_and_never_thrown_out():
    command = " ".join(SERVICES["redis"]["command"])
    for option in ("--appendonly yes", "--maxmemory-policy noeviction", "--requirepass"):
        assert option in command
    assert "redis:/data" in SERVICES["redis"]["volumes"]


def test_who_depends_on_whom_is_there():
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            checked = "healthcheck" in SERVICES[other] or other == "web"  # the image brings web's
            assert how["condition"] == "service_completed_successfully" or checked
            assert not SERVICES[other].get("healthcheck", {}).get("disable") or other == "prepare"


def test_the_proxy_takes_what_the_server_takes_and_asks_where_it_listens():
    caddy = (ROOT / "deploy/Caddyfile").read_text()
    assert current.MAX_REQUEST_BYTES == 20 * 1024**2
    assert "max_size 20MiB" in caddy and "respond /metrics* 404" in caddy
    assert set(re.findall(r"\{\$([A-Z_]+)\}", caddy)) == set(SERVICES["proxy"]["environment"])
    host, port = SERVICES["proxy"]["environment"]["WEB_ADDRESS"].split(":")
    assert SERVICES[host]["command"][SERVICES[host]["command"].index("-p") + 1] == port == "8000"


# --- Dockerfile and render.yaml ---------------------------------------------------------------------------------------


def test_the_image_is_built_by_the_script_that_ci_runs_and_not_run_as_root():
    lines = (ROOT / "Dockerfile").read_text()
    assert "make install" in lines and "make install" in (ROOT / ".ci/run").read_text()
    assert lines.rindex("USER proctoring") > lines.rindex("RUN ")
    assert "python:3.11-slim" in lines
    for copied in re.findall(r"^COPY (.+) \S+$", lines, re.MULTILINE):
        assert all((ROOT / name).exists() for name in copied.split())


def test_the_image_holds_no_secrets_and_nothing_of_this_machine():
    ignored = set((ROOT / ".dockerignore").read_text().split("\n"))
    assert {".env", ".env-*", "var", ".venv", ".git"} <= ignored


def test_render_builds_with_make_and_pins_python():
    (web,) = yaml.safe_load((ROOT / "render.yaml").read_text())["services"]
    variables = {each["key"]: each for each in web["envVars"]}
    assert web["buildCommand"] == "make install" and web["healthCheckPath"] == "/health"
    assert variables["PYTHON_VERSION"]["value"].startswith("3.11.")
    assert set(variables) - {"PYTHON_VERSION", "PDF_OPTIONAL"} <= known_variables()  # Render's own, and the build's
    for name in ("SECRET_KEY", "JWT_SECRET"):
        assert variables[name]["generateValue"] is True
    assert (ROOT / web["startCommand"].split()[1]).exists()
    assert '-p "${PORT:' in (ROOT / "deploy/render-start").read_text()


# --- systemd ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_units_start_what_compose_starts_without_rights_to_the_code(name):
    lines = (ROOT / f"deploy/systemd/proctoring-{name}.service").read_text().splitlines()
    unit = [line.partition("=")[::2] for line in lines]
    told = dict(unit)
    program, *words = told["ExecStart"].split()
    command = SERVICES[name]["command"]
    assert program == f"/srv/proctoring/.venv/bin/{command[0]}"
    # One worker serves all queues, and the server is asked by a proxy of the same machine.
    same = [word.strip('"') for word in words if word != "127.0.0.1"]
    assert same == [word for word in command[1:] if word not in ("0.0.0.0", "-Q", "default,audio", "-c", "2")]
    assert (told["User"], told["ProtectSystem"], told["ReadWritePaths"]) == (
        "proctoring",
        "strict",
        "/srv/proctoring/var",
    )


# --- the commands, for real -------------------------------------------------------------------------------------------


class Installation:
    """PostgreSQL and a Redis of its own, and our services started as compose.yaml says, on free ports."""

    def __init__(self, folder):
        self.folder, self.port, self.redis_port, self.processes = folder, free_port(), free_port(), []
        self.database = f"proctoring_{secrets.token_hex(6)}"
        with psycopg.connect(POSTGRESQL, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {self.database}")
        self.given = {
            "SECRET_KEY": secrets.token_urlsafe(50),
            "FACE_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "POSTGRES_PASSWORD": secrets.token_hex(24),
            "REDIS_PASSWORD": secrets.token_hex(24),
            "METRICS_TOKEN": secrets.token_urlsafe(40),
            "SITE_NAME": "exams.example.org",
            "VISION_PROCESSES": "1",
        }

    def environ(self, name):
        ours = {key: filled_in(value, self.given) for key, value in SERVICES[name]["environment"].items()}
        keep = {key: os.environ[key] for key in ("HOME", "PROCTORING_MODELS") if key in os.environ}
        places = {"VAR_DIR": str(self.folder / "var"), "READ_DOT_ENV": "0", "HOST": "127.0.0.1", "PORT": str(self.port)}
        if "DATABASE_URL" in ours:
            ours["DATABASE_URL"] = POSTGRESQL.rpartition("/")[0] + "/" + self.database
            ours["REDIS_URL"] = ours["REDIS_URL"].replace("redis:6379", f"127.0.0.1:{self.redis_port}")
        if "METRICS_PORT" in ours:
            ours["METRICS_PORT"] = str(free_port())
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**keep, "PATH": path, "PYTHONPATH": str(ROOT), **places, **ours}

    def command(self, name):
        command = [filled_in(part, self.given) for part in SERVICES[name]["command"]]
        if name == "redis":
            command[-1] += f" --port {self.redis_port} --bind 127.0.0.1 --dir {shlex.quote(str(self.folder))}"
        replaced = {"8000": str(self.port), "0.0.0.0": "127.0.0.1", "/tmp/beat": str(self.folder / "beat")}
        return [replaced.get(part, part) for part in command]

    def run(self, name):
        return subprocess.run(
            self.command(name),
            env=self.environ(name),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def start(self, name):
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(self.command(name), env=self.environ(name), cwd=ROOT, stdout=log, stderr=log)
        self.processes.append((name, process))

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def ready(self):
        headers = {"Host": "exams.example.org", "X-Forwarded-Proto": "https"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/health/ready", headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def remove(self):
        for _name, process in reversed(self.processes):
            process.terminate()
        for _name, process in reversed(self.processes):
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        with psycopg.connect(POSTGRESQL, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {self.database} WITH (FORCE)")


@pytest.fixture
def installation(tmp_path):
    if not services_are_there():
        pytest.skip("no PostgreSQL that lets `postgres` in, or no redis-server")
    installation = Installation(tmp_path)
    yield installation
    installation.remove()


@pytest.mark.slow
def test_every_service_starts_as_compose_says_and_the_whole_is_ready(installation):
    installation.start("redis")
    wait_until(lambda: "Ready to accept connections" in installation.log("redis"))
    # Weights that are there already, or cannot be had, hold nothing up; that they were asked for is shown by its word.
    prepared = installation.run("prepare")
    assert prepared.returncode == 0, prepared.stderr
    assert "Applying monitoring.0001_initial" in prepared.stdout
    for name in ("web", "vision", "worker", "reports", "beat"):
        installation.start(name)
    wait_until(lambda: b'"workers":{"ok":true,"count":3' in installation.ready().replace(b" ", b""), 120)
    wait_until(lambda: "Sending due task" in installation.log("beat"))
    wait_until(lambda: "succeeded" in installation.log("worker"))
    for name, process in installation.processes:
        assert process.poll() is None, installation.log(name)
    alive = [sys.executable, "-m", "proctoring.alive"]
    assert subprocess.run(alive, env=installation.environ("web"), cwd=ROOT, check=False).returncode == 0
    elsewhere = installation.environ("web") | {"PORT": str(free_port())}
    assert subprocess.run(alive, env=elsewhere, cwd=ROOT, check=False).returncode == 1
    for name in ("web", "vision", "worker", "reports", "beat"):
        assert installation.given["REDIS_PASSWORD"] not in installation.log(name)
        errors = [line for line in installation.log(name).splitlines() if '"level": "ERROR"' in line]
        assert [line for line in errors if "/health/ready" not in line] == []  # it was asked before all were there


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("caddy"), reason="no Caddy")
def test_the_proxy_passes_on_what_it_should(tmp_path):
    """A real Caddy with our file, a certificate of its own and free ports, before a server that is not always there."""
    server, port = Server(tmp_path), free_port()
    server.environ |= {"DEBUG": "0", "SECURE": "1", "TRUSTED_PROXIES": "1", "EMBEDDED_WORKER": "0"}
    server.environ["ALLOWED_HOSTS"] = "localhost"
    caddyfile = (ROOT / "deploy/Caddyfile").read_text()
    own = caddyfile.replace("\tadmin off", f"\tadmin off\n\thttp_port {free_port()}").replace(
        "{$SITE_NAME} {", "{$SITE_NAME} {\n\ttls internal"
    )
    (tmp_path / "Caddyfile").write_text(own)
    places = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    given = {"SITE_NAME": f"localhost:{port}", "WEB_ADDRESS": f"127.0.0.1:{server.port}", "PATH": os.environ["PATH"]}
    command = ["caddy", "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"]
    with (tmp_path / "caddy.log").open("wb") as log:
        caddy = subprocess.Popen(command, env=places | given, stdout=log, stderr=log)
    ticket = secrets.token_urlsafe(20)
    try:
        wait_until(lambda: through(port, "/health").status == 502)
        assert through(port, f"/ws/proctoring/1/?ticket={ticket}", {"Cookie": f"a={ticket}"}).status == 502
        server.start()
        wait_until(lambda: through(port, "/health").status == 200)
        assert through(port, "/metrics").status == 404
        answer = through(port, "/health", {"X-Request-ID": "mine-of-before"})
        assert answer.getheader("X-Request-ID") not in (None, "mine-of-before") and answer.getheader(
            "Strict-Transport-Security"
        )
        assert through(port, "/health", body=b" " * 21 * 1024**2).status in (413, 502)
        assert through(port, "/health", body=b" " * 19 * 1024**2).status == 405  # the server's own word
    finally:
        caddy.terminate()
        caddy.wait(10)
        server.remove()
    written = (tmp_path / "caddy.log").read_text()
    assert "/ws/proctoring/1/?***" in written and ticket not in written


def through(port, path, headers=None, *, body=None):
    line = http.client.HTTPSConnection("localhost", port, context=ssl._create_unverified_context(), timeout=20)
    try:
        line.request("POST" if body else "GET", path, body, headers or {})
        answer = line.getresponse()
        answer.read()
        return answer
    finally:
        line.close()


@pytest.mark.slow
def test_render_starts_with_what_render_gives(tmp_path):
    if not (ROOT / ".venv/bin/daphne").exists():
        pytest.skip("installed elsewhere than `make install` does")
    (web,) = yaml.safe_load((ROOT / "render.yaml").read_text())["services"]
    port = free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "READ_DOT_ENV": "0",
        "PORT": str(port),
        "RENDER_EXTERNAL_HOSTNAME": "exams.onrender.com",
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        "PROCTORING_MODELS": str(tmp_path / "models"),
        # As Render makes them: 256 random bits in base64.
        **{name: base64.b64encode(secrets.token_bytes(32)).decode() for name in ("SECRET_KEY", "JWT_SECRET")},
        **{each["key"]: each["value"] for each in web["envVars"] if "value" in each},
        "VAR_DIR": str(tmp_path),
        "https_proxy": "http://127.0.0.1:9",  # no weights from the network
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(shlex.split(web["startCommand"]), env=environ, cwd=ROOT, stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(port, "exams.onrender.com", web["healthCheckPath"]) == 200)
        assert answers(port, "exams.onrender.com", "/admin/") == 301  # to HTTPS
        assert answers(port, "elsewhere.example.org", "/health") == 400
    finally:
        process.terminate()
        process.wait(30)
    assert "Weights could not be fetched" in (tmp_path / "log").read_text()


def answers(port: int, host: str, path: str) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        line.settimeout(10)
        return int(line.recv(100).split()[1])
