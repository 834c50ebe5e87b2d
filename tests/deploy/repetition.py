"""How often HAProxy and nginx send a request to backends that refuse it, and to backends that never answer."""

import contextlib
import socket
import socketserver
import ssl
import threading

from frontends import SHORT_S, Nginx, start_frontend
from websocket import PATIENCE_S, Client, Refused


class ImpatientNginx(Nginx):
    """With a time-out that a test can wait for."""

    further = {"proxy_read_timeout 1h": f"proxy_read_timeout {SHORT_S}s"}


class Scripted(socketserver.ThreadingTCPServer):
    """A backend that is ready, and answers all else with 503, or with nothing; what it was asked is in `asked`."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self, silent):
        self.silent, self.asked, self.over = silent, [], threading.Event()
        super().__init__(("127.0.0.1", 0), Answer)
        self.port = self.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.shutdown()
        self.server_close()


class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        request = self.rfile.readline().decode()
        while self.rfile.readline().strip():
            pass
        if request.startswith("GET /ready "):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        self.server.asked.append(request.split()[0])
        if self.server.silent:
            self.server.over.wait()
        else:
            self.wfile.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def post_status(frontend):
    """Of a call whose head and body come together, so that it is all there to be sent again."""
    context = ssl.create_default_context(cafile=frontend.directory / "cert.pem")
    plain = socket.create_connection(("127.0.0.1", frontend.port), PATIENCE_S)
    with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
        connection.sendall(b"POST /function-call HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                           b"Content-Length: 2\r\n\r\n{}")
        return int(connection.makefile("rb").readline().split()[1])


def upgrade_status(frontend):
    try:
        Client(frontend.port, frontend.directory / "cert.pem", "/openai")
        return 101
    except Refused as refusal:
        return refusal.status


def check_repetition(checks, kind, work):
    """Two backends that refuse, then two that say nothing. An upgrade that was refused is as good as new."""
    kind = ImpatientNginx if kind is Nginx else kind
    for silent, name, status, upgrades in [(False, "refused", 503, 2), (True, "unanswered", 504, 1)]:
        for method, ask, times in [("GET", upgrade_status, upgrades), ("POST", post_status, 1)]:
            # A frontend for each: nginx leaves alone who has refused once.
            with contextlib.ExitStack() as stack:
                backends = [stack.enter_context(Scripted(silent)) for _ in range(2)]
                addresses = [(own.port, own.port) for own in backends]
                frontend = start_frontend(stack, kind, work / f"{kind.name}-{method}-{name}", addresses)
                said, asked = ask(frontend), [request for own in backends for request in own.asked]
                checks.check(f"{method} that is {name} is sent to {times} of 2",
                             (said, asked) == (status, [method] * times), (said, asked))
