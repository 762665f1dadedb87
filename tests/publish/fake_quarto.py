"""A quarto command for tests: keeps to the real one's contract, misbehaves on request, renders with pandoc.

It refuses (exit code 1) whatever the real command would answer with harm: an input with brackets in its
name, an output that is a path, an execution, a project file above.
"""

import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

TEMPER = os.environ.get("FAKE_QUARTO", "")


def say(log: Path, message: str, level: str = "INFO") -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"msg": f"\x1b[1m{message}\x1b[22m", "level": 20, "levelName": level}) + "\n")


def main() -> int:
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print(os.environ.get("FAKE_QUARTO_VERSION", "1.7.34"))
        return 0
    source, target, output, log = check(arguments)
    with Path(os.environ["FAKE_QUARTO_CALLS"]).open("a", encoding="utf-8") as calls:
        calls.write(
            json.dumps({"arguments": arguments, "folder": os.getcwd(), "home": os.environ["HOME"]}) + "\n"
        )
    if TEMPER == "hang":
        # Like the real launcher, which starts deno: the work is done by a child.
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        Path(os.environ["FAKE_QUARTO_CALLS"]).with_name("child").write_text(str(child.pid))
        time.sleep(60)
    if TEMPER == "silent":
        return 0
    if TEMPER == "fails":
        say(log, "Error running filter native.lua:\nattempt to call a nil value")
        return 1
    lines = source.read_text(encoding="utf-8").split("\n")
    end = lines.index("---", 1)
    front = {key: json.loads(value) for key, value in (line.split(": ", 1) for line in lines[1:end])}
    Path("body.md").write_text("\n".join(lines[end + 1 :]), encoding="utf-8")
    Path("front.json").write_text(json.dumps(front), encoding="utf-8")
    say(log, "pandoc\n  to: html\nmetadata\n  title: a margin of error, and a file not found")
    made = "made.typ" if target == "typst" else output
    command = [os.environ["FAKE_QUARTO_PANDOC"], "body.md", "--from", front["from"], "--to", target]
    command += ["--metadata-file", "front.json", "--standalone", "--wrap", "none", "--output", made]
    for name in front["filters"][front["filters"].index("quarto") + 1 :]:
        command += ["--lua-filter", name]
    for key in ("template", "reference-doc"):
        command += [f"--{key}", front[key]] if key in front else []
    command += ["--embed-resources"] if front.get("embed-resources") else []
    command += ["--mathml"] if front.get("html-math-method") == "mathml" else []
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    for line in done.stderr.splitlines():
        say(log, line)
    if target == "typst":
        import typst

        typst.compile(made, output=output)
    if TEMPER == "missing":
        say(log, "[WARNING] Could not fetch resource curve.png: replacing image with description")
    return done.returncode


def check(arguments: list[str]) -> tuple[Path, str, str, Path]:
    """Hold the call to the contract."""
    command, name, *options = arguments
    chosen = dict(itertools.pairwise(options))
    wrong = [
        command != "render",
        not Path(name).is_file() or any(sign in name for sign in "[]*?"),
        "--no-execute" not in options or "--execute" in options or "--output-dir" in options,
        Path(chosen["-o"]).name != chosen["-o"] or Path(chosen["-o"]).exists(),
        chosen["--log-format"] != "json-stream" or "--quiet" in options,
        any((folder / "_quarto.yml").exists() for folder in Path.cwd().parents),
        not os.access(os.environ["HOME"], os.W_OK),
    ]
    if any(wrong):
        sys.exit(f"the contract is broken: {wrong}")
    return Path(name), chosen["--to"], chosen["-o"], Path(chosen["--log"])


if __name__ == "__main__":
    sys.exit(main())
