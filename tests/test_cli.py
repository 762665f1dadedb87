import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

import evalkit.publish
from evalkit import __version__
from evalkit.cli import main
from evalkit.errors import PublishError

HOME = Path(__file__).resolve().parents[1]
VERBS = ("demo", "init", "check", "run", "status", "publish", "lab")
HEAVY = ("pandas", "numpy", "scipy", "matplotlib", "nbformat", "papermill", "pydantic", "rich")


def _write_notebook(path, code, *, parameters):
    tagged = {"tags": ["parameters"]}
    cells = [
        nbformat.v4.new_code_cell(parameters, id="parameters", metadata=tagged),
        nbformat.v4.new_code_cell(code, id="code"),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


@pytest.fixture(name="workspace", scope="module")
def _workspace(tmp_path_factory):
    """The demonstration's parameters with notebooks that need no evalkit, and one site of which fails."""
    root = tmp_path_factory.mktemp("workspace")
    for part in ("parameters", "data_dictionary"):
        shutil.copytree(HOME / part, root / part)
    names = 'network = ""\naudience = ""\n'
    _write_notebook(
        root / "notebooks" / "site" / "1_look.ipynb",
        "if site_id == 'birchwater': raise ValueError('no such school')",
        parameters=names + 'site_id = ""\ndata = ""',
    )
    _write_notebook(root / "notebooks" / "network" / "1_compare.ipynb", "network", parameters=names)
    data = root / "outputs" / "demo" / "data"
    data.mkdir(parents=True)
    (data / "truth.json").write_text("{}")
    return root


@pytest.fixture(name="published")
def _published(monkeypatch):
    calls = []

    def publish_network(workspace, *, look_through, **choice):
        calls.append(choice)
        return SimpleNamespace(
            index=workspace.root / "index.html", problems=("a page is missing",), kept_back=()
        )

    monkeypatch.setattr(evalkit.publish, "publish_network", publish_network)
    return calls


def test_help_names_every_verb(capsys):
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"\n  {verb} " in said for verb in VERBS)


def test_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"evalkit {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "needed"), [(["--help"], ""), (["status", "--network", "demo"], "pydantic")]
)
def test_what_computes_nothing_loads_nothing_heavy(arguments, needed):
    program = (
        f"import sys; from evalkit.cli import main; main({arguments!r}); "
        f"print([name for name in {HEAVY!r} if name in sys.modules and name != {needed!r}])"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=HOME, capture_output=True, text=True, check=True
    )
    assert said.stdout.endswith("[]\n")


@pytest.mark.parametrize(
    "arguments",
    [[], ["bogus"], ["run", "--jobs", "0"], ["run", "--jobs", "two"], ["init"], ["run", "--no-such-option"]],
)
def test_wrong_usage_ends_with_2(arguments):
    assert main(arguments) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--audience", "everyone"], "'everyone'; use one of internal, partners, public"),
        (["run", "--kernel", "cold"], "'cold'; use one of warm, plain"),
        (["publish", "--renderer", "word"], "'word'; use one of auto, quarto, pandoc"),
        (["publish", "--to", "html,odt"], "unknown format 'odt'; use some of html, pdf, docx"),
    ],
)
def test_a_choice_that_there_is_nowhere_is_wrong_usage(workspace, capsys, arguments, sentence):
    assert main([*arguments, "--network", "demo", "--workspace", str(workspace)]) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_a_workspace_of_several_networks_asks_which(workspace, capsys):
    assert main(["run", "--workspace", str(workspace)]) == 2
    assert "name one with --network: demo, " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--network", "dem"], "unknown network 'dem'; did you mean 'demo'?"),
        (["--network", "demo", "--site", "alder"], "no site of demo 'alder'; did you mean 'alder-park'?"),
        (["--network", "demo", "--notebook", "1_lok"], "no notebook '1_lok'; did you mean '1_look'?"),
        (["--network", "demo", "--data", "nowhere"], "no such data folder"),
        (["--network", "promise-neighborhoods"], "name their folder with --data DIR"),
    ],
)
def test_a_problem_is_one_sentence_on_stderr_and_ends_with_1(workspace, capsys, arguments, sentence):
    assert main(["run", *arguments, "--workspace", str(workspace)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert not (workspace / "outputs" / "promise-neighborhoods").exists()


def test_outside_a_workspace_a_verb_says_how_to_make_one(tmp_path, capsys):
    assert main(["status", "--workspace", str(tmp_path)]) == 1
    assert "evalkit init" in capsys.readouterr().err


def test_a_failed_site_ends_a_run_with_1_a_table_and_the_published_rest(workspace, published, capsys):
    chosen = ["--site", "alder-park", "--site", "birchwater", "--workspace", str(workspace)]
    assert main(["run", "--network", "demo", "--jobs", "2", *chosen]) == 1
    said = capsys.readouterr().out
    assert "alder-park/1_look done in" in said
    assert "network/1_compare done in" in said
    assert f"note: a page is missing\nThe site is at {workspace / 'index.html'}\n" in said
    assert published == [
        {"network": "demo", "audience": "public", "formats": ("html", "pdf", "docx"), "renderer": "auto"}
    ]
    where = "outputs/demo/public/birchwater/notebooks/1_look.failed.ipynb"
    *_, failed, _, heading, last = said.splitlines()
    why = "code cell 3: ValueError: no such school"
    assert failed.split(maxsplit=3) == ["birchwater", "1_look", "failed", why]
    assert (heading, last) == ("Where to look:", f"  {where}")
    assert (workspace / where).is_file()
    rows = [
        json.loads(line) for line in (workspace / "outputs/demo/public/runs.jsonl").read_text().splitlines()
    ]
    assert [row["status"] for row in rows] == ["done", "failed", "done"]

    assert main(["status", "--network", "demo", "--workspace", str(workspace)]) == 1
    table = [line.split(maxsplit=3) for line in capsys.readouterr().out.splitlines()]
    assert ["alder-park", "1_look", "done"] in table
    assert ["cedar-flats", "1_look", "never", "run"] in table
    assert ["birchwater", "1_look", "failed", why] in table


def test_the_table_of_failures_is_printed_even_when_publishing_fails(workspace, monkeypatch, capsys):
    def fail(*_, **__):
        raise PublishError("no page could be made")

    monkeypatch.setattr(evalkit.publish, "publish_network", fail)
    chosen = ["--site", "alder-park", "--site", "birchwater", "--workspace", str(workspace)]
    assert main(["run", "--network", "demo", "--jobs", "2", *chosen]) == 1
    said = capsys.readouterr()
    assert "Where to look:\n  outputs/demo/public/birchwater/notebooks/1_look.failed.ipynb" in said.out
    assert said.err == "evalkit: no page could be made\n"


def test_publish_hands_formats_and_renderer_down(workspace, published):
    options = ["--to", "html, docx", "--renderer", "pandoc", "--audience", "internal"]
    assert main(["publish", "--network", "demo", *options, "--workspace", str(workspace)]) == 0
    assert published == [
        {"network": "demo", "audience": "internal", "formats": ("html", "docx"), "renderer": "pandoc"}
    ]


def test_check_prints_every_problem_and_ends_with_1(workspace, monkeypatch, capsys):
    problems = ["a.yml, line 3: one", "b.csv, row 7: two"]
    monkeypatch.setattr("evalkit.audit.check_workspace", lambda workspace, **choice: problems)
    monkeypatch.setattr("evalkit.audit.unseen_data", lambda workspace: ["c: not looked at"])
    assert main(["check", "--workspace", str(workspace)]) == 1
    note = "note: c: not looked at"
    assert capsys.readouterr().out.splitlines() == [note, *problems, "2 problems found."]
    problems.clear()
    assert main(["check", "--workspace", str(workspace)]) == 0
    assert capsys.readouterr().out.splitlines() == [note, "No problem found."]
    assert main(["check", "--network", "demo", "--workspace", str(workspace)]) == 0
    assert note not in capsys.readouterr().out


def test_init_makes_a_workspace_once(tmp_path, capsys):
    target = tmp_path / "mine"
    assert main(["init", str(target)]) == 0
    assert (target / "parameters").is_dir()
    assert main(["init", str(target)]) == 1
    assert "not an empty folder" in capsys.readouterr().err


@pytest.mark.parametrize("asked", ["new", "", ".", "here", "link", "killed"])
def test_init_fills_the_folder_that_is_meant(tmp_path, monkeypatch, capsys, asked):
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "link").symlink_to(here)
    monkeypatch.chdir(here)
    inode = here.stat().st_ino
    if asked == "killed":
        (here / ".partial" / "notebooks").mkdir(parents=True)
        (here / ".partial" / "notebooks" / "half.ipynb").touch()
    target = {"new": str(tmp_path / "new"), "": "", ".": "."}.get(asked, str(tmp_path / asked))
    if asked == "killed":
        target = str(here)
    assert main(["init", target]) == (2 if asked == "" else 0)
    made = tmp_path / "new" if asked == "new" else here
    parts = [] if asked == "" else ["data_dictionary", "notebooks", "outputs", "parameters"]
    assert sorted(path.name for path in made.iterdir()) == parts
    assert not list(made.rglob("half.ipynb"))
    assert {path.name for path in tmp_path.iterdir()} == {"here", "link", made.name}
    assert here.stat().st_ino == inode
    said = capsys.readouterr()
    assert ("name a new folder" in said.err) if asked == "" else (str(made) in said.out)


JUPYTER = """
import json, pathlib, sys, time
try:
    pathlib.Path("begun.json").write_text(json.dumps(sys.argv[1:]))
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1)
    pathlib.Path("saved").touch()
    sys.exit(3)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs the signals of POSIX")
def test_lab_serves_the_workspace_on_loopback_only_and_ctrl_c_lets_jupyter_end_by_itself(small):
    (small / "jupyterlab.py").write_text(JUPYTER)
    arguments = ["lab", "--no-browser", "--port", "8899", "--workspace", str(small)]
    begun = small / "begun.json"
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={**os.environ, "PYTHONPATH": str(HOME)},
        start_new_session=True,
    ) as lab:
        _wait_for(begun)
        os.killpg(lab.pid, signal.SIGINT)
        assert lab.wait(30) == 3
    assert (small / "saved").exists()
    told = set(json.loads(begun.read_text()))
    assert {"--ServerApp.ip=127.0.0.1", "--ServerApp.port=8899", "--no-browser"} <= told
    assert f"--ServerApp.root_dir={small}" in told


def _wait_for(path):
    deadline = time.monotonic() + 60
    while not (path.is_file() and path.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.skipif(os.name == "nt", reason="needs the signals of POSIX")
def test_ctrl_c_through_make_lets_the_command_save_what_it_has(tmp_path):
    program = "import os, sys, make; sys.exit(make.run_to_its_end(sys.argv[1:], dict(os.environ)))"
    inner = f"import os; os.chdir({str(tmp_path)!r})" + JUPYTER
    with subprocess.Popen(
        [sys.executable, "-c", program, sys.executable, "-c", inner],
        env={**os.environ, "PYTHONPATH": str(HOME)},
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as made:
        _wait_for(tmp_path / "begun.json")
        os.killpg(made.pid, signal.SIGINT)
        _, said = made.communicate(timeout=30)
    assert (made.returncode, said) == (3, "")
    assert (tmp_path / "saved").exists()


def test_a_file_that_cannot_be_written_is_named_without_a_traceback(workspace, monkeypatch, capsys):
    def fail(*_, **__):
        raise OSError(28, os.strerror(28), "outputs/runs.jsonl")

    monkeypatch.setattr("evalkit.runs.record.run_states", fail)
    assert main(["status", "--network", "demo", "--workspace", str(workspace)]) == 1
    assert capsys.readouterr().err == "evalkit: outputs/runs.jsonl: No space left on device\n"


FAILING = ["run", "--network", "demo", "--site", "birchwater", "--notebook", "1_look", "--kernel", "plain"]
PROGRAM = "import sys; from evalkit.cli import main; sys.exit(main(sys.argv[1:]))"


def _command(root, *arguments, say="no such school"):
    """Return a command for a workspace of one notebook that fails at one site, saying so."""
    _write_notebook(
        root / "notebooks" / "site" / "1_look.ipynb",
        f"if site_id == 'birchwater': raise ValueError({say!r})",
        parameters='network = ""\naudience = ""\nsite_id = ""\ndata = ""',
    )
    return [sys.executable, "-c", PROGRAM, *arguments, "--workspace", str(root)]


@pytest.fixture(name="small")
def _small(workspace, tmp_path):
    for part in ("parameters", "data_dictionary"):
        shutil.copytree(workspace / part, tmp_path / part)
    return tmp_path


def test_a_letter_that_the_terminal_cannot_show_ends_nothing(small):
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(HOME)}
    command = _command(small, *FAILING, say="größer als möglich")
    ran = subprocess.run(command, env=ascii_only, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "birchwater/1_look failed" in ran.stdout
    assert r"gr\xf6\xdfer als m\xf6glich" in ran.stdout
    assert "Where to look:" in ran.stdout
    assert ran.stderr == ""
    command = _command(small, "status", "--network", "demo", say="größer als möglich")
    told = subprocess.run(command, env=ascii_only, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert r"gr\xf6\xdfer als m\xf6glich" in told.stdout
    assert told.stderr == ""


@pytest.mark.skipif(os.name == "nt", reason="needs a shell and /dev/full")
@pytest.mark.parametrize(
    ("ending", "said"),
    [
        ("<&- >&-", ""),
        ("| head -n 0", ""),
        ("> /dev/full", "evalkit: the output ends here (No space left on device); the work goes on\n"),
        (">&- 2>&-", ""),
    ],
    ids=["closed", "not read", "full", "both closed"],
)
def test_a_run_that_nobody_can_read_goes_on_and_ends_with_its_own_code(small, ending, said):
    command = _command(small, *FAILING)
    shell = ["bash", "-c", f'"$@" {ending}; exit "${{PIPESTATUS[0]}}"', "-", *command]
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    ran = subprocess.run(shell, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (1, said)
    record = json.loads((small / "outputs/demo/public/birchwater/run/1_look.json").read_text())
    assert record["status"] == "failed"
    assert (small / "outputs/demo/public/runs.jsonl").is_file()


PUBLISHES_FOR_EVER = """
import sys, time
import evalkit.publish
from evalkit.cli import main
from evalkit.publish.exchange import fresh_building

def publish_network(workspace, *, network, audience, **choice):
    with fresh_building(workspace.outputs(network, audience)) as building:
        (building.folder / "page.html").write_text("not looked through yet")
        print("building", flush=True)
        time.sleep(60)

evalkit.publish.publish_network = publish_network
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="needs the signals of POSIX")
def test_publishing_holds_the_workspace_and_leaves_nothing_when_it_is_stopped(small, capsys):
    outputs = small / "outputs" / "demo" / "public"
    outputs.mkdir(parents=True)
    command = _command(small, "publish", "--network", "demo")
    command[2] = PUBLISHES_FOR_EVER
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as publishing:
        assert any(line == "building\n" for line in publishing.stdout)
        assert main([*FAILING, "--workspace", str(small)]) == 1
        assert f"another run is under way here (process {publishing.pid})" in capsys.readouterr().err
        publishing.send_signal(signal.SIGTERM)
        assert publishing.wait(30) == 128 + signal.SIGTERM
    assert list(outputs.glob(".site*")) == []


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
@pytest.mark.parametrize("ignored", [False, True], ids=["ssh closed", "nohup"])
def test_a_closed_terminal_stops_a_run_in_good_order_unless_nohup_was_asked_for(small, ignored):
    command = _command(small, *FAILING)
    _write_notebook(
        small / "notebooks" / "site" / "1_look.ipynb",
        "import pathlib, time; pathlib.Path('begun').write_text('yes'); time.sleep(4)",
        parameters='network = ""\naudience = ""\nsite_id = ""\ndata = ""',
    )
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    shell = ["bash", "-c", ("trap '' HUP; " if ignored else "") + 'exec "$@"', "-", *command]
    with subprocess.Popen(shell, env=environment, stdout=subprocess.PIPE, text=True) as running:
        _wait_for(small / "begun")
        running.send_signal(signal.SIGHUP)
        running.communicate(timeout=60)
    (line,) = (small / "outputs/demo/public/runs.jsonl").read_text().splitlines()
    assert json.loads(line)["status"] == ("done" if ignored else "interrupted")
    assert (running.returncode == 128 + signal.SIGHUP) is not ignored


def test_a_page_that_shows_an_earlier_state_is_named_whatever_has_been_run(small, published, capsys):
    names = 'network = ""\naudience = ""\nsite_id = ""\ndata = ""'
    for name in ("1_look", "2_tell"):
        _write_notebook(small / "notebooks" / "site" / f"{name}.ipynb", "1", parameters=names)
    where = ["--network", "demo", "--workspace", str(small)]
    chosen = ["run", "--site", "alder-park", "--kernel", "plain", *where]
    assert main(chosen) == 0
    assert "earlier state" not in capsys.readouterr().out
    for name in ("1_look", "2_tell"):
        _write_notebook(small / "notebooks" / "site" / f"{name}.ipynb", "2", parameters=names)
    note = (
        "note: alder-park/2_tell: the notebook changed since; its page shows an earlier state; "
        "run `evalkit run`\n"
    )
    assert main([*chosen, "--notebook", "1_look"]) == 0
    said = capsys.readouterr().out
    assert note in said
    assert said.count("earlier state") == 1
    assert main(["publish", *where]) == 0
    assert note in capsys.readouterr().out
