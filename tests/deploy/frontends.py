"""HAProxy and nginx with the files of config/deploy, run without privileges.

Changed are ports, addresses of backends, paths of certificates and logs, and for HAProxy two time-outs and how many files
it wants; nothing of what the files are examples for. nginx's is an include, so it gets a main file like Debian's around it.
"""

import os
import shutil
import ssl
import subprocess

from harness import DEPLOY, Process, free_port, substitute, until

# HAProxy's for what is no WebSocket, in place of 30 s: a session that says nothing is silent for longer than that.
SHORT_S = 3
NOBODY = 65534


def unprivileged():
    return [] if os.getuid() else ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def program(name):
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")


def certify(work):
    """A certificate for 127.0.0.1 and its key, as the README has it made."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "30",
               "-subj", "/CN=voxbridge", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
               "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", work / "key.pem", "-out", work / "cert.pem"]
    subprocess.run(command, check=True, capture_output=True)
    (work / "both.pem").write_text((work / "cert.pem").read_text() + (work / "key.pem").read_text())


class Frontend(Process):
    """A proxy before two backends of (port, admin port); `directory` is its own, where certificates are already."""

    def __init__(self, directory, backends):
        self.port, self.directory = free_port(), directory
        self.configuration = self.configure(backends)
        for path in [directory, *directory.iterdir()]:
            if not os.getuid():
                os.chown(path, NOBODY, NOBODY)
        super().__init__("proxy", directory, *unprivileged(), *self.command())

    def logs(self):
        """All that it has written anywhere."""
        return "".join(path.read_text() for path in self.directory.iterdir() if path.suffix in (".out", ".log"))

    def ended(self):
        """How many sessions its access log tells of; a line is written when the session has gone from its books."""
        return self.logs().count(" 101 ")

    def judge(self):
        """What it says itself of its configuration."""
        done = subprocess.run([*unprivileged(), *self.command(), *self.testing], capture_output=True, text=True, timeout=30)
        return done.returncode == 0 and "warn" not in done.stderr.lower(), done.stderr


class HAProxy(Frontend):
    name, file, testing = "haproxy", "haproxy.cfg", ["-c"]

    def configure(self, backends):
        changes = {
            "maxconn 12000": "maxconn 500",
            ":443": f"127.0.0.1:{self.port}",
            "/etc/haproxy/voxbridge.pem": self.directory / "both.pem",
            "timeout client 30s": f"timeout client {SHORT_S}s",
            "timeout server 30s": f"timeout server {SHORT_S}s",
        }
        for number, (port, admin_port) in enumerate(backends, 1):
            changes[f"10.0.0.1{number}:8080 check port 9090"] = f"127.0.0.1:{port} check port {admin_port}"
        configuration = self.directory / self.file
        configuration.write_text(substitute((DEPLOY / self.file).read_text(), changes))
        return configuration

    def command(self):
        return [program("haproxy"), "-f", self.configuration]

    def wait_until_down(self, number):
        """Its own words for a backend that has failed its check."""
        words = f"Server gateways/gateway-{number} is DOWN"
        until(words, lambda: words in self.logs() or None)


class Nginx(Frontend):
    name, file, testing = "nginx", "nginx.conf", ["-t", "-q"]

    def configure(self, backends):
        certificate, key = self.directory / "cert.pem", self.directory / "key.pem"
        changes = {"listen 443": f"listen 127.0.0.1:{self.port}", "/etc/nginx/voxbridge.crt": certificate,
                   "/etc/nginx/voxbridge.key": key, "/var/log/nginx": self.directory} | self.further
        for number, (port, _) in enumerate(backends, 1):
            changes[f"10.0.0.1{number}:8080"] = f"127.0.0.1:{port}"
        (self.directory / self.file).write_text(substitute((DEPLOY / self.file).read_text(), changes))
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = " ".join(f"{kind}_temp_path {self.directory / kind};" for kind in kinds)
        main = self.directory / "main.conf"
        main.write_text(f"pid {self.directory / 'nginx.pid'};\nworker_processes 2;\nevents {{}}\n"
                        f"http {{ {temporary} access_log off; include {self.directory / self.file}; }}\n")
        return main

    further = {}

    def command(self):
        return [program("nginx"), "-e", "stderr", "-c", self.configuration, "-g", "daemon off;"]

    def wait_until_down(self, number):
        """It asks nobody: an instance is left alone from its first refusal on."""


def start_frontend(stack, kind, directory, backends):
    """One that listens; it ends with the stack."""
    directory.mkdir()
    certify(directory)
    frontend = stack.enter_context(kind(directory, backends))

    def listens():
        frontend.find("()")
        try:
            return ssl.get_server_certificate(("127.0.0.1", frontend.port), timeout=5)
        except (ConnectionError, ssl.SSLError):
            return None

    until("proxy", listens)
    return frontend
