"""What a forked shell puts into a notebook is, byte for byte, what a Jupyter kernel puts there."""

import json
import shutil
import sys
from pathlib import Path

import nbformat
import pytest

import evalkit.runs.pool
from evalkit.runs.execute import run_plan
from evalkit.runs.network import plan_network, prepare_data
from evalkit.runs.plan import plan_runs
from evalkit.workspace import Workspace

HOME = Path(__file__).resolve().parents[2]

linux = pytest.mark.skipif(sys.platform != "linux", reason="a fork is safe on Linux only")

CELLS = {
    "semicolon": "6 * 7;",
    "value": "6 * 7",
    "underscore": "_ + 1, Out[4], In[4]",
    "streams": "import sys\nprint('out'); print('err', file=sys.stderr); print('out again')",
    "returns": "for n in range(5): print(f'{n} of 5', end='\\r')\nprint('done')",
    "display": "from IPython.display import HTML, clear_output, display\n"
    "handle = display('first', display_id='one')\nprint('between')\ndisplay(HTML('<b>x</b>'))",
    "update": "handle.update('second')",
    "clear": "print('gone'); clear_output(); print('stays')",
    "clear later": "print('gone'); clear_output(wait=True); print('stays')",
    "main": "import pickle\nclass Thing: pass\n"
    "__name__, type(pickle.loads(pickle.dumps(Thing()))) is Thing, sys.modules['__main__'].Thing is Thing",
    "await": "import asyncio\nawait asyncio.sleep(0.01)\n'awaited'",
    "running": "asyncio.get_running_loop().is_running()",
    "magic": "%env EVALKIT_NO_SUCH_THING=1\n!echo from a shell",
    "program": "import subprocess, os\nsubprocess.run(['echo', 'from a program'])\n"
    "_ = os.write(1, b'past Python\\n')",
    "picture": "import matplotlib.pyplot as plt\nfigure, ax = plt.subplots(figsize=(2, 1))\n"
    "ax.plot([1, 2]); plt.close(figure); figure",
    "frame": "import pandas as pd\npd.DataFrame({'a': [1.5, None]})",
    "not a number": "display({'application/json': {'x': 1}, 'text/plain': 'x'}, raw=True)\nfloat('nan')",
    "not a number in JSON": "import datetime\nfrom IPython.display import JSON\n"
    "display(JSON({'x': float('nan'), 'y': (float('inf'), -float('inf')), 1: None}))\n"
    "JSON([float('nan'), datetime.date(2026, 1, 2)])",
    "input": "try: input()\nexcept Exception as error: print(type(error).__name__, error)",
    "letters": "'é – ñ'",
    "environment": "[os.environ[name] for name in ('MPLBACKEND', 'OPENBLAS_NUM_THREADS')], {'b', 'a', 'c'}",
    "path": "sys.path[0], os.getcwd()[-5:]",
    "empty": "",
    "threads": "import threading\nthread = threading.Thread(target=print, args=('from a thread',))\n"
    "thread.start(); thread.join()",
    "children": "import multiprocessing\nwith multiprocessing.get_context('fork').Pool(2) as pool:\n"
    "    found = pool.map(abs, [-1, 2])\nfound",
}


def _outcome(folder):
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "runs.jsonl"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _run_both(plan, warm_pool):
    found = []
    for pool in (None, warm_pool):
        shutil.rmtree(plan.folder, ignore_errors=True)
        report = run_plan(plan, warm=False, pool=pool)
        assert report.problems == ()
        assert report.note == ""
        found.append(_outcome(plan.folder))
    return found


@linux
def test_every_kind_of_output_is_the_same_as_from_a_kernel(tmp_path, write_notebook, warm_pool, monkeypatch):
    # seeing it, a kernel leaves the file descriptors alone
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    write_notebook(tmp_path / "notebooks" / "site" / "1_kinds.ipynb", *CELLS.values())
    plain, warm = _run_both(plan_runs(tmp_path, network_id="demo", site_ids=["a"]), warm_pool)
    name = "a/notebooks/1_kinds.ipynb"
    cells = [nbformat.reads(found[name].decode(), as_version=4).cells[3:] for found in (plain, warm)]
    for what, from_kernel, from_fork in zip(CELLS, *cells, strict=True):
        assert from_fork == from_kernel, what
    assert warm == plain


def test_what_a_source_holds_that_is_no_json_is_saved_as_text(tmp_path, write_notebook, warm_pool):
    path = write_notebook(tmp_path / "notebooks" / "site" / "1_a.ipynb", "1")
    path.write_text(path.read_text().replace('"tags"', '"width": NaN, "tags"'))
    plan = plan_runs(tmp_path, network_id="demo", site_ids=["a"])
    assert run_plan(plan, pool=warm_pool).problems == ()
    saved = json.loads(plan.runs[0].output.read_text(), parse_constant=pytest.fail)
    assert saved["cells"][1]["metadata"]["width"] == "nan"


def _demonstration(tmp_path, chosen):
    for part in ("parameters", "data_dictionary", "notebooks"):
        shutil.copytree(HOME / part, tmp_path / part)
    workspace = Workspace(tmp_path)
    plan = plan_network(workspace, "demo", **chosen)
    prepare_data(workspace, plan)
    return plan


@linux
@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param(
            {"sites": ["alder-park"], "notebooks": ["1_data_quality", "2_turn_the_curve"]}, id="two"
        ),
        pytest.param({}, id="all", marks=pytest.mark.slow),
    ],
)
def test_the_demonstration_is_the_same_text_and_pictures_as_from_kernels(tmp_path, warm_pool, chosen):
    plain, warm = _run_both(_demonstration(tmp_path, chosen), warm_pool)
    assert sorted(warm) == sorted(plain)
    assert [name for name in plain if warm[name] != plain[name]] == []


@linux
def test_forks_share_no_random_numbers_and_nothing_that_a_notebook_set(tmp_path, write_notebook, warm_pool):
    write_notebook(
        tmp_path / "notebooks" / "site" / "1_draw.ipynb",
        "import os, random, sys, numpy as np, pandas as pd\n"
        "random.random(), np.random.random(), hasattr(pd, 'left_here'), 'LEFT' in os.environ",
        "pd.left_here = os.environ['LEFT'] = 'x'",
    )
    plan = plan_runs(tmp_path, network_id="demo", site_ids=["a", "b"])
    assert run_plan(plan, pool=warm_pool).problems == ()
    values = [
        nbformat.read(run.output, as_version=4).cells[3].outputs[0]["data"]["text/plain"] for run in plan.runs
    ]
    one, other = (value.strip("()").split(", ") for value in values)
    assert one[2:] == other[2:] == ["False", "False"]
    assert one[0] != other[0]
    assert one[1] != other[1]


@linux
def test_a_program_that_a_good_notebook_left_running_is_ended(tmp_path, write_notebook, warm_pool, is_gone):
    write_notebook(
        tmp_path / "notebooks" / "site" / "1_leave.ipynb",
        "import subprocess\nchild = subprocess.Popen(['sleep', '3600'])\n"
        "_ = open('left.pid', 'w').write(str(child.pid))",
    )
    plan = plan_runs(tmp_path, network_id="demo", site_ids=["a"])
    assert run_plan(plan, pool=warm_pool).problems == ()
    assert is_gone(int((tmp_path / "left.pid").read_text()))


def test_without_a_warm_server_kernels_are_used_and_the_reason_is_told(tmp_path, write_notebook, monkeypatch):
    def fail(*_, **__):
        raise OSError("no such luck")

    monkeypatch.setattr(evalkit.runs.pool.subprocess, "Popen", fail)
    write_notebook(tmp_path / "notebooks" / "site" / "1_a.ipynb", "1")
    pool = evalkit.runs.pool.WarmPool(jobs=1)
    pool.start()
    pool.kill()
    assert pool.note == "no warm start (no such luck); each notebook has a kernel"
    monkeypatch.undo()
    monkeypatch.setattr(evalkit.runs.pool.WarmPool, "_start", fail)
    report = run_plan(plan_runs(tmp_path, network_id="demo", site_ids=["a"]), jobs=1)
    assert [row.status for row in report.rows] == ["done"]
    assert "no such luck" in report.note


def test_nothing_is_started_where_nothing_is_to_do(tmp_path, write_notebook, monkeypatch):
    write_notebook(tmp_path / "notebooks" / "site" / "1_a.ipynb", "1")
    plan = plan_runs(tmp_path, network_id="demo", site_ids=["a"])
    assert run_plan(plan, jobs=1, warm=False).problems == ()
    monkeypatch.setattr(evalkit.runs.pool.WarmPool, "_start", lambda self: pytest.fail("it was started"))
    assert [row.status for row in run_plan(plan).rows] == ["up to date"]
