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
from evalkit.publish.alone import check_alone
from evalkit.publish.pages import MARKDOWN, Format, Page, Surround, write_source
from evalkit.publish.word import EPOCH_SECONDS, settle

MINIMUM_VERSION = (1, 4)  # the first with native HTML tables and typst
TIME_LIMIT = 180.0  # seconds for one page; the first start of a fresh quarto takes some
VERSION_TIME_LIMIT = 30.0  # seconds for `quarto --version`
TARGETS: dict[Format, str] = {"html": "html", "pdf": "typst", "docx": "docx"}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# What pandoc, quarto and its filters say, at whatever level, when a page would lack something.
FAULTS = re.compile(
    r"ERROR|Error running filter|Traceback \(most recent|\[WARNING\] Could not fetch resource|"
    r"\[WARNING\] Citeproc: citation|.{0,20}Unable to resolve crossref"
)
# Quarto hands a page to its own filters first; ours makes elements of what they have left alone.
SETTINGS: dict[str, object] = {
    "from": MARKDOWN,
    "filters": ["quarto", "native.lua"],
    "html-table-processing": "none",
}
OF_FORMAT: dict[Format, dict[str, object]] = {
    "html": {
        "template": "page.html.template",
        "theme": "none",
        "minimal": True,
        "section-divs": False,
        "embed-resources": True,
        "html-math-method": "mathml",
    },
    "pdf": {"template": "page.typ"},
    "docx": {"reference-doc": "reference.docx"},
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
            source = write_source(page, surround, here)
            source.write_text(_front_matter(here, to) + page.body, encoding="utf-8")
            made = here / f"made.{to}"
            log = here / "log.jsonl"
            command = [
                *(self.program, "render", source.name, "--to", TARGETS[to], "--no-execute"),
                *("-o", made.name, "--log", log.name, "--log-format", "json-stream"),
            ]
            try:
                returned, _, said = _run(command, here, self.time_limit)
            except subprocess.TimeoutExpired:
                raise PublishError(
                    f"{page.name}.{to}: quarto took more than {self.time_limit:g} s and was ended; "
                    "try again or use --renderer pandoc"
                ) from None
            lines = _read_log(log)
            faults = [line for line in lines if FAULTS.match(line)]
            if returned != 0 or not made.is_file() or made.stat().st_size == 0:
                reason = " ".join(faults or lines[-1:] or [said]) or "it gave no reason"
                raise PublishError(f"{page.name}: quarto made no {to}: {reason}")
            if faults:
                raise PublishError(f"{page.name}: quarto made a {to} with something missing: {faults[0]}")
            if to == "html":
                check_alone(made.read_text(encoding="utf-8"), name=page.name)
            target = folder / f"{page.name}.{to}"
            target.write_bytes(made.read_bytes())
        if to == "docx":
            settle(target)
        return target, [f"{page.name}: {line}" for line in lines if "WARN" in line[:12]]


def find_quarto() -> str | None:
    """Return the path of the quarto command: QUARTO_PATH, else the one on PATH, else None."""
    named = os.environ.get("QUARTO_PATH")
    return named or shutil.which("quarto")


def _front_matter(here: Path, to: Format) -> str:
    """Give quarto the metadata and its settings where it surely reads them; JSON values are YAML too."""
    metadata = json.loads((here / "metadata.json").read_text(encoding="utf-8"))
    lines = (
        f"{key}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in {**metadata, **SETTINGS, **OF_FORMAT[to]}.items()
    )
    return "\n".join(["---", *lines, "---", "", ""])


def _version(program: str) -> tuple[int, ...]:
    try:
        with tempfile.TemporaryDirectory(prefix="evalkit-quarto-") as temporary:
            here = Path(temporary) / "here"
            here.mkdir()
            _, answer, _ = _run([program, "--version"], here, VERSION_TIME_LIMIT)
    except (OSError, subprocess.TimeoutExpired):
        raise PublishError(f"{program} does not run; {MEND}") from None
    found = re.match(r"\s*(\d+)\.(\d+)(?:\.(\d+))?", answer)
    if found is None:
        raise PublishError(f"{program} does not say its version; {MEND}")
    return tuple(int(part) for part in found.groups() if part is not None)


def _run(command: list[str], here: Path, time_limit: float) -> tuple[int, str, str]:
    """Run in a process group of its own and end the whole group, when time is up and after success too.

    What it says goes to files beside `here`: a child left behind could hold a pipe open for ever.
    """
    spoken, muttered = here.parent / "stdout", here.parent / "stderr"
    home = os.environ.get("HOME", "")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH_SECONDS)}
    if not (home and os.access(home, os.W_OK)):
        environment |= {"HOME": str(here.parent), "XDG_CACHE_HOME": str(here.parent / "cache")}
    with spoken.open("wb") as stdout, muttered.open("wb") as stderr:
        process = subprocess.Popen(
            command,
            cwd=here,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            returned = process.wait(time_limit)
        finally:
            _end_group(process)
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in (spoken, muttered))
    said, complained = (COLOUR.sub("", text).strip() for text in texts)
    return returned, said, complained


def _read_log(log: Path) -> list[str]:
    """Return every line of a json-stream log, whatever its level, without colours."""
    if not log.is_file():
        return []
    said = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
            text, level = str(record["msg"]), str(record.get("levelName", ""))
        except (ValueError, KeyError, TypeError):
            text, level = line, ""
        mark = f"{level}: " if level in {"WARN", "WARNING", "ERROR", "CRITICAL"} else ""
        mark = mark.replace("CRITICAL", "ERROR")
        plain = (" ".join(part.split()) for part in COLOUR.sub("", text).splitlines())
        said += [mark + part for part in plain if part]
    return said


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the group, also after success: a launcher may leave its children behind."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
    finally:
        process.wait()
