"""What a batch shows: on a terminal a bar for each site under way, elsewhere a line for each notebook."""

import sys

import pytest

from evalkit.progress import progress_of
from evalkit.runs.execute import RunEvent, RunRow
from evalkit.runs.plan import plan_runs
from tests.runs.conftest import write_notebook


@pytest.fixture(name="plan")
def _plan(tmp_path):

    write_notebook(tmp_path / "notebooks" / "site" / "1_look.ipynb", "1")
    return plan_runs(tmp_path, network_id="demo", site_ids=["alder-park", "birchwater"])


def _events(plan):
    (first,), (second,) = plan.chains
    row = {"notebook": "1_look", "seconds": 1.25}
    return [
        RunEvent(run=first),
        RunEvent(run=second),
        RunEvent(run=first, row=RunRow(site_id="alder-park", status="done", **row), ended=True),
        RunEvent(
            run=second,
            row=RunRow(site_id="birchwater", status="failed", error="no such school", **row),
            ended=True,
        ),
    ]


def test_elsewhere_each_notebook_that_ends_is_a_line(plan, capsys):
    with progress_of(plan) as tell:
        for event in _events(plan):
            tell(event)
    assert capsys.readouterr().out.splitlines() == [
        "[1/2] alder-park/1_look done in 1.2 s",
        "[2/2] birchwater/1_look failed in 1.2 s: no such school",
    ]


def test_on_a_terminal_what_failed_stays_in_sight_and_what_is_done_makes_room(plan, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with progress_of(plan) as tell:
        for event in _events(plan):
            tell(event)
    said = capsys.readouterr().out
    last = said[said.rindex("all ") :]
    assert "birchwater/1_look failed: no such school" in said
    assert "2/2" in last
    assert "birchwater" in last
    assert "alder-park" not in last
