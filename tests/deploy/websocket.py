"""A WebSocket client over TLS that shows what libraries hide: from which address it comes, and each ping it answers."""

import base64
import json
import os
import socket
import ssl

PATIENCE_S = 30
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Refused(Exception):
    """The answer to the upgrade was another status than 101."""

    def __init__(self, status):
        super().__init__(status)
        self.status = status


class Client:
    """A session with a backend, from 127.0.0.2, so that the proxy's own address is another."""

    def __init__(self, port, authority, target, headers=()):
        context = ssl.create_default_context(cafile=authority)
        plain = socket.create_connection(("127.0.0.1", port), PATIENCE_S, source_address=("127.0.0.2", 0))
        self.socket = context.wrap_socket(plain, server_hostname="127.0.0.1")
        self.buffer, self.pings, self.closing = b"", 0, False
        key = base64.b64encode(os.urandom(16)).decode()
        request = [f"GET {target} HTTP/1.1", "Host: 127.0.0.1", "Connection: Upgrade", "Upgrade: websocket",
                   "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", *headers]
        self.socket.sendall("\r\n".join([*request, "", ""]).encode())
        while b"\r\n\r\n" not in self.buffer:
            self._read()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        status = int(head.split()[1])
        if status != 101:
            self.socket.close()
            raise Refused(status)

    def _read(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the connection was closed")
        self.buffer += data

    def _take(self, length):
        while len(self.buffer) < length:
            self._read()
        taken, self.buffer = self.buffer[:length], self.buffer[length:]
        return taken

    def _frame(self):
        first, length = self._take(2)
        if length >= 126:
            length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
        return first & 15, self._take(length)

    def _send(self, opcode, payload):
        length = bytes([128 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
        # The mask may be any, also none.
        self.socket.sendall(bytes([128 | opcode]) + length + bytes(4) + payload)

    def send(self, **message):
        self._send(TEXT, json.dumps(message).encode())

    def speak(self, pcm):
        """Audio, in frames of 20 ms at 16 kHz."""
        for start in range(0, len(pcm), 640):
            self._send(BINARY, pcm[start : start + 640])

    def next(self):
        """(opcode, payload) of the next frame; pings are answered and counted."""
        opcode, payload = self._frame()
        if opcode == PING:
            self.pings += 1
            self._send(PONG, payload)
        return opcode, payload

    def message(self, type):
        """The next message of that type."""
        while True:
            opcode, payload = self.next()
            if opcode == CLOSE:
                raise ConnectionError(f"closed with {int.from_bytes(payload[:2], 'big')} before {type}")
            if opcode == TEXT and (message := json.loads(payload)).get("type") == type:
                return message

    def stay_silent(self, pings):
        """Until it was pinged so often."""
        while self.pings < pings:
            if self.next()[0] == CLOSE:
                raise ConnectionError("closed while it was silent")

    def close(self):
        """Ends the session: the close code of the answer."""
        self.closing = True
        self._send(CLOSE, (1000).to_bytes(2, "big"))
        return self.closed()

    def closed(self):
        """The close code that ends the session."""
        while True:
            opcode, payload = self.next()
            if opcode == CLOSE:
                if not self.closing:
                    self._send(CLOSE, payload[:2])
                self.socket.close()
                return int.from_bytes(payload[:2], "big")
