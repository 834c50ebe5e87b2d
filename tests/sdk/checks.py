"""The `ok NAME` / `not ok NAME: why` lines that scripts/test counts, and the loudness of audio."""

import array
import math
import sys
import wave

# A synthetic voice lies in the thousands; resampled or dithered silence stays below ten.
AUDIBLE_RMS = 100


class Checks:
    """Prints one line per check and remembers whether one failed."""

    def __init__(self, prefix=""):
        self.prefix, self.failed, self.passed = prefix, 0, 0

    def check(self, name, passed, why=""):
        if passed:
            self.passed += 1
            print(f"ok {self.prefix}{name}", flush=True)
        else:
            self.failed += 1
            # One line whatever the reason holds: scripts/test counts lines.
            print(f"not ok {self.prefix}{name}: {' '.join(str(why).split())}", flush=True)
        return passed

    def exit_status(self):
        return 0 if self.passed and not self.failed else 1


def rms(pcm):
    """Root mean square of 16-bit little-endian samples, 0 to 32768."""
    samples = array.array("h", pcm[: len(pcm) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return math.sqrt(sum(s * s for s in samples) / len(samples)) if samples else 0.0


def read_wav(path):
    """Sample rate and samples of a mono 16-bit file."""
    with wave.open(path, "rb") as wav:
        if (wav.getnchannels(), wav.getsampwidth()) != (1, 2):
            raise ValueError(f"{path}: not mono 16 bit")
        return wav.getframerate(), wav.readframes(wav.getnframes())


if __name__ == "__main__":
    # checks.py FILE.wav: is it there, well formed and audible?
    checks = Checks("talk: ")
    try:
        rate, samples = read_wav(sys.argv[1])
        level = rms(samples)
        checks.check("saved answer is audible", level > AUDIBLE_RMS, f"rms {level:.0f}, {len(samples)} bytes")
        checks.check("saved answer has the output rate", rate == 24000, f"{rate} Hz")
    except (OSError, EOFError, ValueError, wave.Error) as error:
        checks.check("saved answer is a wav file", False, error)
    sys.exit(checks.exit_status())
