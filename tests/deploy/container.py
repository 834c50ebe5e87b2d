#!/usr/bin/env python3
"""The Containerfile, as far as it can be tried without a registry: container.py BINARY

hadolint judges it. What the compiler read has to be in what it copies. Its own commands assemble the image's root around
the binary, in which that then runs as the user of the image, with nothing else of this machine. Prints `ok NAME` or `not
ok NAME: why` per check.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

from harness import DEPLOY, HERE, ROOT, Checks, Process, substitute, until

FILE = DEPLOY / "Containerfile"
HADOLINT = pathlib.Path(sys.executable).parent / "hadolint"


def instructions():
    """(name, the rest) of each instruction, comments dropped and continued lines joined."""
    lines = [line for line in FILE.read_text().splitlines() if not line.startswith("#")]
    for line in re.sub(r"\\\n", "", "\n".join(lines)).splitlines():
        if line:
            name, rest = line.split(None, 1)
            yield name, rest


def values(name):
    return [rest for own, rest in instructions() if own == name]


def check_context(check, binary):
    """Whether all that is compiled is in the image that compiles, and is sent there."""
    copied = [source for rest in values("COPY") if "--from" not in rest for source in rest.split()[:-1]]
    ignored = [line for line in (FILE.parent / f"{FILE.name}.dockerignore").read_text().splitlines() if line[:1] != "#"]
    sent = {line[1:] for line in ignored if line.startswith("!")}
    check("sent are the directories that are copied, and nothing else", ignored[0] == "*" and sent == set(copied), sent)
    read = pathlib.Path(f"{binary}.d").read_text().split(":", 1)[1].split()
    # Wherever it was compiled.
    top = os.path.commonpath(read)
    read = {os.path.relpath(file, top) for file in read}
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())
    targets = {target.get("path", f"benches/{target['name']}.rs") for kind in ("bench", "example")
               for target in manifest[kind]}
    wanted = read | targets | {"Cargo.toml", "Cargo.lock"}
    missing = {file for file in wanted if not any(file == own or file.startswith(f"{own}/") for own in copied)}
    check("what cargo and the compiler read is copied", len(read) > 100 and not missing, missing)


def assemble(binary, work):
    """The image's root, by the commands of the Containerfile with its two directories in `work`."""
    (work / "built").mkdir()
    os.symlink(binary, work / "built" / "voxbridge")
    commands = [rest for rest in values("RUN") if "ldd" in rest]
    script = substitute(commands[0], {"/built": work / "built", "/image": work / "image"})
    subprocess.run(["sh", "-ec", script], check=True, timeout=60)
    return work / "image"


def check_root(check, root):
    files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    libraries = [file for file in files if re.search(r"lib.*\.so\.", file)]
    check("the root holds the program, its libraries and one file more", len(files) == len(libraries) + 2, files)
    # Group and others: the image's user is neither root nor of its group.
    writable = [str(path) for path in root.rglob("*") if path.stat().st_mode & 0o022]
    check("its user may write nowhere", not writable, writable)


def check_run(check, root, work, binary):
    user, command = values("USER")[-1], json.loads(values("ENTRYPOINT")[-1])
    check("its user is a number, and not root's", re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), user)
    chroot = shutil.which("chroot", path=f"{os.environ['PATH']}:/usr/sbin")
    # As root or with sudo, as scripts/test.
    sudo = [] if os.getuid() == 0 else ["sudo", "-n"]
    contain = [*sudo, "env", "-i", "VOXBRIDGE__SERVER__PORT=0", chroot, f"--userspec={user}", root]
    with Process("contained", work, *contain, *command) as contained:
        port = until("listener", lambda: contained.find(r"127\.0\.0\.1:(\d+)"))
        url = f"ws://127.0.0.1:{port}/openai"
        done = subprocess.run([binary, "talk", "--url", url, "--text", "Hello"], capture_output=True, text=True)
        check("the default configuration talks there", done.returncode == 0, done.stdout + done.stderr)
    check("SIGTERM ends it", contained.process.returncode == 0, contained.process.returncode)
    check("the image says that", values("STOPSIGNAL") == ["SIGTERM"])


def main(binary):
    checks = Checks("container: ")
    check = checks.check
    done = subprocess.run([HADOLINT, FILE], capture_output=True, text=True, timeout=60)
    check("hadolint", done.returncode == 0 and not done.stdout, done.stdout + done.stderr)
    ports = tomllib.loads((DEPLOY / "kubernetes" / "voxbridge.toml").read_text())["server"]
    exposed = [int(port) for port in values("EXPOSE")[0].split()]
    check("its ports are those of the configuration", exposed == [ports["port"], ports["admin_port"]], exposed)
    check_context(check, binary)
    # A directory below HERE: on a machine where /tmp is noexec it would not run.
    with tempfile.TemporaryDirectory(dir=HERE) as directory:
        work = pathlib.Path(directory)
        work.chmod(0o755)
        root = assemble(binary, work)
        check_root(check, root)
        check_run(check, root, work, binary)
    return checks.exit_status()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
