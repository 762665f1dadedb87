"""A website in the making is hidden, and nothing of one that was killed stays."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from evalkit.publish.exchange import fresh_building
from evalkit.runs.pool import Stopped, stop_at_once

BUILDS_AND_IS_KILLED = """
import os, signal, sys
from pathlib import Path
from evalkit.publish.exchange import fresh_building

with fresh_building(Path(sys.argv[1])) as building:
    (building.folder / "page.html").write_text("not looked through yet")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_what_a_killed_publication_was_building_is_gone_with_the_next(tmp_path):
    home = str(Path(__file__).resolve().parents[2])
    killed = subprocess.run(
        [sys.executable, "-c", BUILDS_AND_IS_KILLED, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": home},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    (left,) = _names(tmp_path)
    with fresh_building(tmp_path) as building:
        assert _names(tmp_path) == [building.folder.name] != [left]
        building.put_in_place()
    assert _names(tmp_path) == ["site"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_only_its_owner_may_look_into_a_website_in_the_making(tmp_path):
    with fresh_building(tmp_path) as building:
        assert building.folder.stat().st_mode & 0o777 == 0o700
        assert building.put_in_place().stat().st_mode & 0o777 == 0o755


def test_a_signal_between_the_two_steps_of_the_exchange_leaves_the_website_as_it_was(tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("stands")
    rename = Path.rename

    def rename_and_be_stopped(path, target):
        made = rename(path, target)
        if path.name == "site":
            monkeypatch.undo()
            os.kill(os.getpid(), signal.SIGTERM)
        return made

    monkeypatch.setattr(Path, "rename", rename_and_be_stopped)
    with pytest.raises(Stopped), stop_at_once(), fresh_building(tmp_path) as building:
        building.put_in_place()
    with fresh_building(tmp_path):
        assert (tmp_path / "site" / "index.html").read_text() == "stands"
    assert _names(tmp_path) == ["site"]
