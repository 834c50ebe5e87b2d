"""The README's blocks of code: under which heading each stands, for which file it is meant, and which of them was run.

Must not know how one is run.
"""

import re

# What has to be run where it stands; of text only what shows a command.
RUN = {"sh", "python", "js", "html"}
ENDINGS = {"python": (".py",), "js": (".js", ".mjs"), "html": (".html",)}
# What is neither voxbridge's own nor to be had here, with its own tests or none.
PROGRAMS_OF_OTHERS = {"docker", "podman", "systemctl", "journalctl", "kubectl", "haproxy", "nginx", "sudo"}


class Block:
    """One fenced block."""

    def __init__(self, heading, language, line, before):
        self.heading, self.language, self.line, self.before = heading, language, line, before
        self.text, self.taken = "", False

    def __str__(self):
        return f"README.md:{self.line}, {self.heading}: {self.language} {self.text.split(chr(10))[0]!r}"

    @property
    def file(self):
        """The name that the sentence before it gives."""
        names = [name for name in re.findall(r"`([\w.-]+)`", self.before) if name.endswith(ENDINGS[self.language])]
        if len(names) != 1:
            raise LookupError(f"{self}: {names} is no name of a file")
        return names[0]

    def has_to_run(self):
        words = set(re.findall(r"^(?:\$ )?([\w-]+)", self.text, re.M))
        shown = self.language in RUN or (self.language == "text" and re.search(r"^\$ ", self.text, re.M))
        return bool(shown) and not words & PROGRAMS_OF_OTHERS


class Readme:
    """All blocks, of which each can be taken once. `put` changes the text of each, such as its ports."""

    def __init__(self, text, put=lambda text: text):
        self.sentences = ""
        self.blocks, heading, paragraph, over, block = [], "", [], False, None
        for number, line in enumerate(text.splitlines(), 1):
            if block is None and line.startswith("```"):
                block = Block(heading, line[3:], number, " ".join(paragraph))
            elif block is not None and line == "```":
                block.text = put(block.text)
                self.blocks.append(block)
                block, paragraph = None, []
            elif block is not None:
                block.text += line + "\n"
            elif line.startswith("#"):
                heading, paragraph = line.lstrip("# "), []
            elif line:
                self.sentences += line + "\n"
                paragraph = [line] if over else [*paragraph, line]
                over = False
            else:
                over = True
        if block is not None:
            raise LookupError(f"{block} has no end")

    def take(self, heading, language, begins=""):
        """The first block of that kind that nobody has taken."""
        for block in self.blocks:
            same = (block.heading, block.language) == (heading, language)
            if same and block.text.startswith(begins) and not block.taken:
                block.taken = True
                return block
        raise LookupError(f"README.md has no further block of {language} below {heading!r} that begins with {begins!r}")

    def spans(self):
        """What stands as code within sentences and tables."""
        return re.findall(r"`([^`\n]+)`", self.sentences)

    def left(self):
        """What nobody has run and somebody should have."""
        return [block for block in self.blocks if not block.taken and block.has_to_run()]
