"""Set up and run evalkit with nothing but Python 3.11 or newer: python3 make.py demo | test | check.

The first call makes .venv and installs the locked libraries by their hashes; later calls do so only
when the lock or pyproject.toml has changed. `make demo` and the other make targets call this file.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = HERE / ".venv"
BIN = HOME / ("Scripts" if os.name == "nt" else "bin")
LOCK = HERE / "requirements" / "dev.txt"
STAMP = HOME / "evalkit-installed"
INTERRUPTED = 130  # a shell's code for Ctrl-C

EVERYDAY = ["pytest", "-m", "not slow", "-n", "auto", "--dist", "loadfile"]
TARGETS: dict[str, list[list[str]]] = {
    "setup": [],
    "demo": [["evalkit", "demo"]],
    "test": [EVERYDAY],
    "test-slow": [["pytest", "-m", "slow"]],
    "check": [
        ["ruff", "format", "--check", "."],
        ["ruff", "check", "."],
        ["mypy"],
        EVERYDAY,
    ],
    "lab": [["evalkit", "lab"]],
}


def main(arguments: list[str]) -> int:
    """Run each named target in turn; return the first code that is not 0."""
    unknown = [name for name in arguments if name not in TARGETS]
    if unknown or not arguments:
        print(f"usage: python3 make.py [{' | '.join(TARGETS)}]", file=sys.stderr)
        return 2
    try:
        set_up()
    except KeyboardInterrupt:
        return INTERRUPTED
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    for name in arguments:
        for command in TARGETS[name]:
            code = run_to_its_end([str(BIN / command[0]), *command[1:]], environment)
            if code:
                return code
    return 0


def run_to_its_end(command: list[str], environment: dict[str, str]) -> int:
    """Run a command; at Ctrl-C, which it hears too, wait until it has saved what it has."""
    with subprocess.Popen(command, cwd=HERE, env=environment) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def set_up() -> None:
    """Make .venv and install the lock and evalkit itself, unless that has been done for this lock."""
    wanted = hashlib.sha256(LOCK.read_bytes() + (HERE / "pyproject.toml").read_bytes()).hexdigest()
    if STAMP.is_file() and STAMP.read_text(encoding="utf-8") == wanted:
        return
    print("Setting up .venv (once; about two minutes)", flush=True)
    venv.create(HOME, with_pip=True, clear=HOME.exists() and not (BIN / "pip").exists())
    pip = [str(BIN / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(LOCK)], check=True, cwd=HERE)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "-e", str(HERE)], check=True, cwd=HERE)
    STAMP.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036  (this file meets whatever Python a machine has)
        sys.exit(f"evalkit needs Python 3.11 or newer; this is {sys.version.split()[0]}")
    sys.exit(main(sys.argv[1:]))
