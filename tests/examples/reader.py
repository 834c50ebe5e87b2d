"""A reader of the README with a directory of their own: takes blocks, makes files of them, runs what they say, and judges.

Must not know what any section says.
"""

import json
import os
import pathlib
import re
import shutil

from checks import AUDIBLE_RMS, read_wav, rms
from shell import Shell, difference, pattern, tidy

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
VENV = ROOT / "tests" / "sdk" / ".venv"
MODULES = ROOT / "tests" / "browser" / "node_modules"
# What the README uses of the repository.
FILES = ["config", "scripts/example-functions", "tests/audio", "tests/recordings"]


class Reader(Shell):
    def __init__(self, readme, work, binary, put, environment, checks):
        super().__init__(work, binary, **environment)
        self.readme, self.put, self.name, self.checks = readme, put, work.name.replace("_", " "), checks
        for name in FILES:
            source, target = ROOT / name, self.work / name
            for file in [source] if source.is_file() else (path for path in source.rglob("*") if path.is_file()):
                copy = target / file.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, copy)
                if file.suffix in (".toml", ""):
                    copy.write_text(put(file.read_text()))
        shutil.copy(ROOT / "tests/audio/question.wav", self.work)

    def check(self, name, passed, why=""):
        return self.checks.check(f"{self.name}: {name}", passed, why)

    def take(self, heading, language, begins=""):
        return self.readme.take(heading, language, self.put(begins))

    def compare(self, name, shown, printed):
        wrong = difference(shown, printed)
        self.check(name, not wrong, wrong)

    def write(self, heading, language):
        """A block as the file that the README names; that name."""
        block = self.take(heading, language)
        (self.work / block.file).write_text(block.text)
        return block.file

    def type(self, heading, begins="$ "):
        """Runs a block of commands with what they print."""
        block = self.take(heading, "text", begins)
        for command, wrong in self.transcript(block.text):
            self.check(command.split("\n")[0], not wrong, wrong)
        return block

    def start(self, heading, begins="", shown=None):
        """Starts what a block of `sh` ends with; what it prints is compared with the block `shown`, if that is given."""
        return self.start_line(self.take(heading, "sh", begins).text, shown)

    def start_line(self, line, shown=None):
        # What the reader is to put in for the ellipsis is a secret of some kind.
        line = line.replace("…", "x" * 32)
        until = pattern(tidy(shown.text).splitlines()[-1]) + "$" if shown else r"\b(listening on|functions at) http"
        printed = self.serve(line, until)
        name = line.strip().split("\n")[-1]
        if shown:
            self.compare(name, shown.text, printed)
        else:
            self.check(name, True)
        return printed

    def start_shown(self, heading, begins):
        """Starts a command that goes on, whose block shows what it prints first."""
        block = self.take(heading, "text", begins)
        command, _, shown = block.text.removeprefix("$ ").partition("\n")
        printed = self.serve(command, pattern(tidy(shown).splitlines()[-1]))
        self.compare(command, shown, "\n".join(printed.splitlines()[: len(shown.splitlines())]))

    def heard(self, file):
        """A file of sound that is audible."""
        rate, samples = read_wav(str(self.work / file))
        level = rms(samples)
        self.check(f"{file} is audible", (rate, level > AUDIBLE_RMS) == (24000, True), f"{rate} Hz, rms {level:.0f}")

    def install(self, heading):
        """What a block installs is there already, in the version that the block asks for; from nowhere else it could come."""
        for line in self.take(heading, "sh").text.splitlines():
            if environment := re.fullmatch(r"python3 -m venv (\S+)", line):
                (self.work / environment[1]).symlink_to(VENV)
            elif package := re.fullmatch(r"\.venv/bin/pip install '([\w-]+)>=(\d+),<(\d+)'", line):
                found = list(VENV.glob(f"lib/*/site-packages/{package[1].replace('-', '_')}-*.dist-info"))
                version = [path.name.removesuffix(".dist-info").rsplit("-", 1)[1] for path in found]
                wanted = package[2] if int(package[2]) + 1 == int(package[3]) else None
                self.check(line, [text.split(".")[0] for text in version] == [wanted], f"there is {version}")
            elif package := re.fullmatch(r"npm install (@?[\w/-]+)@(\d+(?:\.\d+)?)", line):
                version = json.loads((MODULES / package[1] / "package.json").read_text())["version"]
                self.check(line, version.startswith(f"{package[2]}."), f"there is {version}")
                link = self.work / "node_modules" / package[1]
                link.parent.mkdir(parents=True, exist_ok=True)
                if not link.exists():
                    os.symlink(MODULES / package[1], link)
            else:
                self.check(line, False, "nobody knows what this installs")
