"""The quarto command: found, asked, watched, and believed only when its output is there.

Everything happens in a fresh folder, because a `_quarto.yml` in a folder above would make a single page part
of a project. The exit code alone proves nothing: the output must exist, and every line of the log is read.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import PublishError
from evalkit.publish.pages import MARKDOWN, Page, Surround, write_source
from evalkit.publish.renderers import Format
from evalkit.publish.word import EPOCH_SECONDS, settle

MINIMUM_VERSION = (1, 4)  # the first with native HTML tables and typst
TIME_LIMIT = 180.0  # seconds for one page; the first start of a fresh quarto takes some
VERSION_TIME_LIMIT = 30.0  # seconds for `quarto --version`
TARGETS: dict[Format, str] = {"html": "html", "pdf": "typst", "docx": "docx"}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# What pandoc and quarto say, at whatever level, when a page would lack something.
FAULTS = re.compile(
    r"could not fetch resource|unable to resolve|unresolved|citation .* not found|file not found|"
    r"no such file|error running filter|traceback|\bERROR\b",
    re.IGNORECASE,
)
# Quarto hands a page to its own filters first; ours makes elements of what they have left alone.
SETTINGS: dict[str, object] = {
    "from": MARKDOWN,
    "filters": ["quarto", "native.lua"],
    "html-table-processing": "none",
    "section-divs": False,
    "format": {
        "html": {
            "template": "page.html.template",
            "theme": "none",
            "minimal": True,
            "embed-resources": True,
            "html-math-method": "mathml",
        },
        "typst": {"template": "page.typ"},
        "docx": {"reference-doc": "reference.docx"},
    },
}
MEND = "install it (pip install 'evalkit[quarto]'), name it in QUARTO_PATH, or use --renderer pandoc"


@dataclass(frozen=True)
class Quarto:
    """Renders with the quarto command.

    Attributes
    ----------
    program : the full path of the executable
    time_limit : seconds that one page may take
    """

    program: str
    time_limit: float = TIME_LIMIT
    name: str = "quarto"

    @classmethod
    def found(cls) -> "Quarto":
        """Find a quarto that is new enough.

        Raises
        ------
        PublishError : there is none, it does not answer, or it is older than 1.4.
        """
        program = find_quarto()
        if program is None:
            raise PublishError(f"the quarto command was not found; {MEND}")
        version = _version(program)
        if version < MINIMUM_VERSION:
            raise PublishError(f"quarto {'.'.join(map(str, version))} is too old, 1.4 is needed; {MEND}")
        return cls(program)

    def render(self, page: Page, surround: Surround, *, to: Format, folder: Path) -> tuple[Path, list[str]]:
        """Render one page into `<folder>/<page.name>.<to>`.

        Raises
        ------
        PublishError : quarto failed, made nothing, took too long, or its log tells of something missing.
        """
        with tempfile.TemporaryDirectory(prefix="evalkit-page-") as temporary:
            here = Path(temporary) / "page"
            here.mkdir()
            write_source(page, surround, here)
            metadata = json.loads((here / "metadata.json").read_text(encoding="utf-8"))
            # JSON is YAML too.
            settings = json.dumps({**metadata, **SETTINGS}, ensure_ascii=False)
            (here / "settings.yml").write_text(settings, encoding="utf-8")
            made = here / f"made.{to}"
            log = here / "log.jsonl"
            command = [
                *(self.program, "render", "page.qmd", "--to", TARGETS[to], "--no-execute"),
                *("-o", made.name, "--metadata-file", "settings.yml"),
                *("--log", log.name, "--log-format", "json-stream"),
            ]
            returned, said = self._run(command, here, f"{page.name}.{to}")
            lines = _read_log(log)
            faults = [line for line in lines if FAULTS.search(line)]
            if returned != 0 or not made.is_file() or made.stat().st_size == 0:
                reason = faults or lines[-1:] or [said]
                raise PublishError(
                    f"{page.name}: quarto made no {to}: {' '.join(reason) or 'it gave no reason'}"
                )
            if faults:
                raise PublishError(f"{page.name}: quarto made a {to} with something missing: {faults[0]}")
            target = folder / f"{page.name}.{to}"
            target.write_bytes(made.read_bytes())
        if to == "docx":
            settle(target)
        return target, [f"{page.name}: {line}" for line in lines if line.startswith("[WARNING]")]

    def _run(self, command: list[str], here: Path, what: str) -> tuple[int, str]:
        """Run in a process group of its own, and end the whole group when time is up."""
        home = here.parent / "home"
        home.mkdir(exist_ok=True)
        environment = {
            **os.environ,
            "SOURCE_DATE_EPOCH": str(EPOCH_SECONDS),
            "XDG_CACHE_HOME": str(home),
            **({} if _is_writable_home() else {"HOME": str(home)}),
        }
        process = subprocess.Popen(
            command,
            cwd=here,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        try:
            _, said = process.communicate(timeout=self.time_limit)
        except subprocess.TimeoutExpired:
            raise PublishError(
                f"{what}: quarto took more than {self.time_limit:g} s and was ended; "
                "try again or use --renderer pandoc"
            ) from None
        finally:
            _end_group(process)
        return process.returncode, COLOUR.sub("", said).strip()


def find_quarto() -> str | None:
    """Return the path of the quarto command: QUARTO_PATH, else the one on PATH, else None."""
    named = os.environ.get("QUARTO_PATH")
    return named or shutil.which("quarto")


def _version(program: str) -> tuple[int, ...]:
    try:
        answer = subprocess.run(
            [program, "--version"],
            capture_output=True,
            encoding="utf-8",
            timeout=VERSION_TIME_LIMIT,
            check=False,
            stdin=subprocess.DEVNULL,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        raise PublishError(f"{program} does not run; {MEND}") from None
    found = re.match(r"\s*(\d+)\.(\d+)(?:\.(\d+))?", answer)
    if found is None:
        raise PublishError(f"{program} does not say its version; {MEND}")
    return tuple(int(part) for part in found.groups() if part is not None)


def _read_log(log: Path) -> list[str]:
    """Return every message of a json-stream log, whatever its level, without colours."""
    if not log.is_file():
        return []
    messages = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
            text, level = str(record.get("msg", "")), str(record.get("levelName", ""))
        except (ValueError, AttributeError):
            text, level = line, ""
        text = " ".join(COLOUR.sub("", text).split())
        if text:
            messages.append(f"ERROR {text}" if level in {"ERROR", "CRITICAL"} else text)
    return messages


def _end_group(process: "subprocess.Popen[str]") -> None:
    """End what is left of the group, also after success: a launcher may leave its children behind."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
    finally:
        process.wait()


def _is_writable_home() -> bool:
    home = os.environ.get("HOME", "")
    return bool(home) and os.access(home, os.W_OK)
