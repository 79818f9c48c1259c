"""A line between browser and server that can be cut, go dead, or carry calls and no sockets, as some proxies do."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer

PIECE = 64 * 1024
REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Line(ThreadingTCPServer):
    """Listens on a port of its own and passes on what comes; ``port`` may change while it runs."""

    daemon_threads = allow_reuse_address = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), Passing)
        self.port = port
        self.is_cut = self.is_dead = False
        self.says = b""
        self.carries_sockets = True
        self.open = set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def cut(self, says=b""):
        """End all that goes on and refuse what comes, except the files of the page; ``says`` is how it is refused."""
        self.is_cut, self.says = True, says
        for one in list(self.open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def die(self):
        """Swallow all that is sent from now on, and tell nobody."""
        self.is_dead = True

    def mend(self):
        self.is_cut = self.is_dead = False

    def refusal_of(self, head):
        """Return how a call is refused; None for one that passes."""
        path = head.split(b" ", 2)[1]
        if self.is_cut and path.startswith((b"/api/", b"/ws/")):
            return self.says
        return REFUSAL if not self.carries_sockets and b"upgrade: websocket" in head.lower() else None

    def close(self):
        self.cut()
        self.shutdown()
        self.server_close()


class Passing(BaseRequestHandler):
    """One connection, for one call or one socket."""

    server: Line

    def handle(self):
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.server.port)) as server:
            head = self._head()
            if (refusal := self.server.refusal_of(head)) is not None:
                self.request.sendall(refusal)
                return
            self.server.open |= {self.request, server}
            server.sendall(head)
            back = threading.Thread(target=self._pump, args=(server, self.request), daemon=True)
            back.start()
            self._pump(self.request, server)
            back.join()
            self.server.open -= {self.request, server}

    def _head(self):
        """Return what came until the end of the call's head, which is made to be the connection's only one."""
        received = b""
        while b"\r\n\r\n" not in received:
            piece = self.request.recv(PIECE)
            if not piece:
                raise ConnectionError
            received += piece
        if b"upgrade: websocket" in received.lower():
            return received
        return received.replace(b"Connection: keep-alive", b"Connection: close", 1)

    def _pump(self, source, target):
        with suppress(OSError):
            while piece := source.recv(PIECE):
                if not self.server.is_dead:
                    target.sendall(piece)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
