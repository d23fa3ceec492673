"""Two libraries side by side: processes that measure on request, a line in, a line out.

Whoever is not asked is stopped, so that no thread of the one that still spins disturbs the other.
"""
import argparse
import atexit
import ctypes
import math
import os
import re
import signal
import subprocess
import sys
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))

# glibc gives large blocks back to the system and faults them in again, which costs PyTorch up to
# half of its speed: compare.sh.
KEEPING = {"MALLOC_MMAP_THRESHOLD_": "1000000000", "MALLOC_TRIM_THRESHOLD_": "1000000000",
           "MALLOC_TOP_PAD_": "100000000"}
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that atexit's functions run
FORCED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # OpenBLAS chooses its kernels itself


class Died(Exception):
    """A side ended before it answered; what it had to say stands on stderr."""


def end_with_parent():
    """Nobody stays behind, stopped for good."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Side:
    def __init__(self, *command, **environment):
        self.command = " ".join(command)
        env = {name: value for name, value in os.environ.items() if name not in FORCED}
        # In a session of its own: the kernel hangs up on the group of a stopped process, and so on
        # this program too, when the shell that started it in the background ends.
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**env, **environment}, start_new_session=True, preexec_fn=end_with_parent)
        self.asked = False  # it starts up until the first answer
        atexit.register(self.end)

    def ask(self, *words):
        if self.asked:
            self.process.send_signal(signal.SIGCONT)
        self.asked = True
        try:
            print(*words, file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise Died(f"{self.command}: no answer to {' '.join(map(str, words))}")
        self.process.send_signal(signal.SIGSTOP)
        return line.strip()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def torch_sides(pythons, script, *arguments, threads, keeping=True):
    """All ways in which PyTorch may be the fastest: each interpreter, OpenBLAS with one thread and
    with all, which helps large products and gets in the way of torch's own threads. Malloc keeps
    its blocks, or works as it comes."""
    return [Side(python, os.path.join(HERE, script), *arguments, str(threads),
                 OPENBLAS_NUM_THREADS=str(blas), **(KEEPING if keeping else {}))
            for python in pythons for blas in sorted({1, threads})]


def answer(object):
    """Call object's methods by name: the loop of a side in Python."""
    for line in sys.stdin:
        name, *arguments = line.split()
        print(getattr(object, name)(*arguments), flush=True)


class About:
    """The base of what answers in PyTorch."""
    def about(self):
        """Version and BLAS, on which the speed of products depends."""
        import torch
        with open("/proc/self/maps", encoding="utf-8") as maps:
            found = re.findall(r"/\S*(?:blas|mkl)\S*\.so\S*", maps.read())
        fast = [path for path in found if "libopenblas" in path or "mkl" in path]
        blas = (fast + found + ["no BLAS"])[0]
        if "libopenblas" in blas:
            library = ctypes.CDLL(blas)
            library.openblas_get_corename.restype = ctypes.c_char_p
            core = library.openblas_get_corename().decode()
            blas = f"{os.path.basename(blas)}, kernels for {core}"
        elif "mkl" not in blas:
            blas += ", which is slow; Debian: libopenblas0-pthread"
        return f"PyTorch {torch.__version__}, {blas}"


def pythons_with_torch(words, target):
    """The interpreters, or the end where one has no torch."""
    for python in words:
        found = "import importlib.util as u, sys; sys.exit(not u.find_spec('torch'))"
        if subprocess.run([python, "-c", found]).returncode != 0:
            sys.exit(f"{target}: {python} has no module torch (Debian: python3-torch; or set "
                     "PYTHON, to two interpreters for the faster one of each)")
    return words


def arguments(target, *lists):
    """What both tables are asked for on the command line; `lists` are options of several words."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bench", required=True)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--quick", action="store_true")
    for name in lists:
        parser.add_argument(f"--{name}", default="", type=str.split)
    args = parser.parse_args()
    args.python = pythons_with_torch(args.python.split(), target)
    return args


def mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else float("nan")


Row = namedtuple("Row", "kind name operands torch")


def rows_of(path):
    """The rows of ops.def."""
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL)
    rows = [Row(*row) for row in re.findall(
        r'^(OP|RANDOM|DECISION)\((\w+), "(\w+)",\s*"([^"]*)",', text, re.MULTILINE)]
    for name in re.findall(r"^[A-Z]+\((\w+)", text, re.MULTILINE):
        if name not in (row.name for row in rows):
            sys.exit(f"{path}: the line of {name} is none that can be read here")
    return rows
