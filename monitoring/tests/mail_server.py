"""A mail server for tests, with as much of SMTP as it takes."""

from __future__ import annotations

import socketserver
import threading
from email import message_from_string
from email.message import Message
from typing import Any


class MailServer(socketserver.ThreadingTCPServer):
    """Keeps what comes in ``taken``; each address in ``refusals`` is refused so many times first."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), MailTalk)
        self.taken: list[tuple[str, Message]] = []
        self.refusals: dict[str, int] = {}

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return str(self.server_address[0]), int(self.server_address[1])

    def __enter__(self) -> MailServer:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error: Any) -> None:
        self.close()

    def close(self) -> None:
        """Take nothing more; a second time does nothing."""
        self.shutdown()
        self.server_close()


class MailTalk(socketserver.StreamRequestHandler):
    """What is said to one client."""

    server: MailServer

    def handle(self) -> None:
        """Talk until the client says goodbye."""
        self._say("220 here")
        to = ""
        while line := self.rfile.readline().decode().strip():
            word = line.split(":")[0].upper()
            if word == "RCPT TO":
                to = line.split("<")[1].split(">")[0]
                left = self.server.refusals.get(to, 0)
                self.server.refusals[to] = left - 1
                self._say("450 not now" if left > 0 else "250 yes")
            elif word == "DATA":
                self._say("354 go on")
                self.server.taken.append((to, message_from_string(self._text())))
                self._say("250 taken")
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 yes")

    def _text(self) -> str:
        lines = []
        while (line := self.rfile.readline().decode()) != ".\r\n":
            lines.append(line)
        return "".join(lines)

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
