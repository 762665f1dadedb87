"""Files travel under the hash of their content, and nothing that a worker sends back is trusted."""

import dataclasses
import hashlib
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from evalkit.errors import RunError
from evalkit.runs.cluster_worker import _Held
from evalkit.runs.plan import plan_runs
from evalkit.runs.record import hash_evalkit, library_versions
from evalkit.runs.share import Outcome, Share, differences, needed_files, read_outcome, write_outcome

pytest.importorskip("fsspec")

SHA256 = hashlib.sha256(b"content").hexdigest()
RUN = "outputs/demo/public/a"


@pytest.fixture(name="plan")
def _plan(tmp_path, write_notebook):
    write_notebook(tmp_path / "ws" / "notebooks" / "site" / "1_first.ipynb", "1")
    return plan_runs(tmp_path / "ws", network_id="demo", site_ids=["a"])


@pytest.fixture(name="share", params=["file://{}", "{}", "dir::file://{}"])
def _share(request, tmp_path):
    place = request.param.format(
        tmp_path / "share::with #odd? letters" if request.param == "{}" else tmp_path / "share"
    )
    if request.param.startswith("dir"):
        (tmp_path / "share").mkdir()
    return Share(place, is_url="://" in place)


def test_a_file_is_kept_under_the_sha256_of_its_content_and_comes_back_whole(share, tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    assert not share.has(f"blobs/{SHA256}")
    assert share.keep(tmp_path / "file") == SHA256
    assert share.keep(tmp_path / "file") == SHA256
    assert share.has(f"blobs/{SHA256}")
    share.fetch(SHA256, tmp_path / "new" / "folder" / "file")
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["file"]
    assert (tmp_path / "new" / "folder" / "file").read_bytes() == b"content"


def test_a_damaged_file_is_refused_and_the_old_one_stays(share, tmp_path):
    share.write(f"blobs/{SHA256}", b"damaged")
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(RunError, match="file: what the share holds for it is damaged"):
        share.fetch(SHA256, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert list(tmp_path.glob("*.partial")) == []


def test_two_threads_may_fetch_the_same_file_at_once(share, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"content")
    share.keep(tmp_path / "file")
    get_file, both = share.files.get_file, threading.Barrier(2, timeout=10)

    def get_side_by_side(*arguments):
        get_file(*arguments)
        both.wait()

    monkeypatch.setattr(share.files, "get_file", get_side_by_side)
    with ThreadPoolExecutor(2) as threads:
        fetches = [threads.submit(share.fetch, SHA256, tmp_path / "new" / "file") for _ in range(2)]
        assert [fetch.exception() for fetch in fetches] == [None, None]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]
    assert (tmp_path / "new" / "file").read_bytes() == b"content"


def test_a_share_that_is_removed_is_gone(share):
    share.write("a/b", b"content")
    assert share.read("a/b") == b"content"
    share.remove()
    share.remove()
    assert not share.has("a/b")


def test_a_run_needs_its_notebook_and_all_parameters_and_data_of_its_network(plan):
    for name in ("parameters/demo/network.yml", "parameters/demo/sites/b.yml", "outputs/demo/data/t.csv"):
        (plan.root / name).parent.mkdir(parents=True, exist_ok=True)
        (plan.root / name).write_text(name)
    files, identity = needed_files(plan, plan.runs[0])
    assert set(files) == {
        "notebooks/site/1_first.ipynb",
        "parameters/demo/network.yml",
        "parameters/demo/sites/b.yml",
        "outputs/demo/data/t.csv",
    }
    assert files["outputs/demo/data/t.csv"] == hashlib.sha256(b"outputs/demo/data/t.csv").hexdigest()
    assert identity == {"evalkit_sha256": hash_evalkit(), "versions": library_versions()}


@pytest.mark.skipif(sys.platform == "win32", reason="only some may make links there")
def test_a_file_behind_a_link_in_the_data_folder_travels_under_the_name_it_has_there(plan, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "rows.csv").write_bytes(b"content")
    data = plan.root / "outputs" / "demo" / "data"
    data.mkdir(parents=True)
    (data / "sub").symlink_to(tmp_path / "elsewhere")
    files, _ = needed_files(plan, plan.runs[0])
    assert files["outputs/demo/data/sub/rows.csv"] == SHA256


def test_what_differs_between_two_machines_is_named():
    one = {"evalkit_sha256": "a", "versions": {"python": "3.11.7", "numpy": "2.1"}}
    assert differences(one, one) == []
    other = {"evalkit_sha256": "b", "versions": {"python": "3.12.1"}}
    assert differences(one, other) == ["python 3.12.1 instead of 3.11.7", "numpy absent instead of 2.1"]
    (source,) = differences(one, {**one, "evalkit_sha256": "b"})
    assert source.startswith("another source of evalkit")


def _outcome(**changes):
    name = f"{RUN}/notebooks/1_first.ipynb"
    outputs = {name: SHA256, f"{RUN}/results/deep/table.csv": SHA256}
    return dataclasses.replace(Outcome(status="done", saved=name, seconds=1.5, outputs=outputs), **changes)


def test_an_outcome_comes_back_as_it_was_sent(plan):
    run = plan.runs[0]
    outcome = _outcome()
    assert read_outcome(write_outcome(outcome), run, plan.root) == outcome
    assert outcome.receipt(plan.root).saved == run.output
    lost = Outcome(status=None, outputs={})
    assert read_outcome(write_outcome(lost), run, plan.root) == lost


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "/etc/passwd",
        "",
        RUN,
        f"{RUN}/./table.csv",
        f"{RUN}/notebooks",
        f"{RUN}/results/../../../../../outside",
        f"{RUN}/results/..\\outside",
        f"{RUN}/run/1_first.json",
        f"{RUN}/notebooks/2_other.ipynb",
        "outputs/demo/public/b/results/table.csv",
        "parameters/demo/network.yml",
    ],
)
def test_a_file_that_is_not_the_runs_to_make_is_refused(plan, name):
    strange = _outcome(outputs={**_outcome().outputs, name: SHA256})
    with pytest.raises(RunError, match="which is not this run's to make"):
        read_outcome(write_outcome(strange), plan.runs[0], plan.root)


@pytest.mark.parametrize(
    "changes",
    [{"status": "fine"}, {"saved": f"{RUN}/notebooks/1_first.failed.ipynb"}, {"outputs": {RUN: "x"}}],
)
def test_an_outcome_that_contradicts_itself_is_refused(plan, changes):
    with pytest.raises(RunError, match="which is not this run's to make"):
        read_outcome(write_outcome(_outcome(**changes)), plan.runs[0], plan.root)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", json.dumps({"status": "done"}).encode()])
def test_what_is_no_outcome_is_refused(plan, content):
    with pytest.raises(RunError, match="a worker sent back no receipt"):
        read_outcome(content, plan.runs[0], plan.root)


@pytest.mark.skipif(sys.platform != "linux", reason="workers hold a warm server on Linux")
def test_a_run_that_has_lost_a_worker_waits_for_the_others_and_keeps_new_ones_waiting():
    held = _Held(warm=True, threads=3)
    told = []
    may_end = {name: threading.Event() for name in ("first", "lonely", "last")}

    def take(name, *, alone):
        with held.turn(alone=alone, is_wanted=lambda: True):
            told.append(name)
            may_end[name].wait(10)

    threads = []
    for name in ("first", "lonely", "last"):
        thread = threading.Thread(target=take, args=(name,), kwargs={"alone": name == "lonely"})
        thread.start()
        threads.append(thread)
        if name == "first":
            while told != ["first"]:
                pass
        elif name == "lonely":
            while not held.lonely:
                pass
    for name in ("first", "lonely", "last"):
        may_end[name].set()
        threads[("first", "lonely", "last").index(name)].join(10)
    assert told == ["first", "lonely", "last"]
