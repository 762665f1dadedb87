import hashlib
import hmac
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from evalkit.runs.plan import plan_runs
from evalkit.runs.record import (
    data_files,
    describe_inputs,
    library_versions,
    read_record,
    record_path,
    result_files,
    run_state,
    run_states,
    site_is_there,
    withdraw,
    write_record,
    write_whole,
)

# FIPS 180-2, appendix B.1: the SHA-256 of the three letters "abc"
SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture(name="plan")
def _plan(tmp_path, write_notebook):
    for name in ("1_first", "2_second"):
        write_notebook(tmp_path / "notebooks" / "site" / f"{name}.ipynb", "1")
    write_notebook(
        tmp_path / "notebooks" / "network" / "1_comparison.ipynb",
        "1",
        parameters='network = ""\naudience = ""',
    )
    for name in (
        "parameters/demo/network.yml",
        "parameters/demo/sites/a.yml",
        "parameters/demo/sites/b.yml",
        "data_dictionary/indicators.yml",
        "outputs/demo/data/table.csv",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("abc")
    return plan_runs(tmp_path, network_id="demo", site_ids=["a", "b"])


def _finish(plan, run, **results):
    """Leave what a run that ended well leaves."""
    described = describe_inputs(plan, run)
    outputs = [run.output, *(run.folder / "results" / name for name in results)]
    for path, content in zip(outputs, ("executed", *results.values()), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    write_record(plan, run, described, status="done", error="", outputs=outputs)


def test_a_record_names_every_input_and_output_with_the_hash_of_its_content(plan):
    run = plan.runs[0]
    _finish(plan, run, estimates="abc")
    record = json.loads(record_path(run).read_text())
    sealed = hmac.new((plan.root / "outputs/.key").read_bytes(), SHA256_OF_ABC.encode(), "sha256").hexdigest()
    assert record["inputs"] == {
        "data_dictionary/indicators.yml": SHA256_OF_ABC,
        "outputs/demo/data/table.csv": sealed,
        "parameters/demo/network.yml": sealed,
        "parameters/demo/sites/a.yml": sealed,
    }
    assert record["outputs"] == {
        "outputs/demo/public/a/notebooks/1_first.ipynb": hashlib.sha256(b"executed").hexdigest(),
        "outputs/demo/public/a/results/estimates": SHA256_OF_ABC,
    }
    assert record["notebook"] == "notebooks/site/1_first.ipynb"
    assert record["notebook_sha256"] == hashlib.sha256(run.notebook.read_bytes()).hexdigest()
    assert record["parameters"] == {"audience": "public", "data": "", "network": "demo", "site_id": "a"}
    assert (record["status"], record["error"]) == ("done", "")


def test_a_record_holds_the_versions_of_python_evalkit_and_the_numerical_libraries(plan):
    _finish(plan, plan.runs[0])
    versions = read_record(plan.runs[0])["versions"]
    assert {"python", "evalkit", "numpy", "pandas", "papermill", "scipy", "statsmodels"} <= set(versions)
    assert "absent" not in library_versions().values()


def test_a_record_is_the_same_bytes_whenever_it_is_written(plan):
    _finish(plan, plan.runs[0])
    before = record_path(plan.runs[0]).read_bytes()
    _finish(plan, plan.runs[0])
    assert record_path(plan.runs[0]).read_bytes() == before


def test_a_notebook_rests_on_the_results_of_those_before_it_and_the_network_on_every_site(plan):
    first, second = plan.chains[0]
    _finish(plan, first, curve="x")
    _finish(plan, second, gaps="y")
    assert "outputs/demo/public/a/results/curve" not in describe_inputs(plan, first)["inputs"]
    seen = describe_inputs(plan, second)["inputs"]
    assert "outputs/demo/public/a/results/curve" in seen
    assert "outputs/demo/public/a/results/gaps" not in seen
    network = describe_inputs(plan, plan.network_runs[0])["inputs"]
    assert set(network) >= {f"outputs/demo/public/a/results/{name}" for name in ("curve", "gaps")}
    assert "parameters/demo/sites/b.yml" in network


def test_a_run_whose_inputs_and_outputs_are_unchanged_is_done(plan):
    assert {state.state for state in run_states(plan)} == {"never run"}
    for run in plan.runs:
        _finish(plan, run, **{f"of_{run.name}": run.label})
    assert {state.state for state in run_states(plan)} == {"done"}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ("parameters/demo/sites/a.yml", "parameters/demo/sites/a.yml changed"),
        ("outputs/demo/data/table.csv", "outputs/demo/data/table.csv changed"),
        ("outputs/demo/data/more.csv", "outputs/demo/data/more.csv is new"),
        ("outputs/demo/public/a/results/estimates", "outputs/demo/public/a/results/estimates changed"),
        ("notebooks/site/1_first.ipynb", "the notebook changed"),
    ],
)
def test_a_changed_file_makes_a_run_stale_and_is_named(plan, changed, reason):
    run = plan.runs[0]
    _finish(plan, run, estimates="abc")
    path = plan.root / changed
    path.write_text((path.read_text() if path.exists() else "") + " ")
    assert run_state(plan, run)[1:] == ("stale", reason)


def test_another_sites_parameters_do_not_make_a_run_stale(plan):
    _finish(plan, plan.runs[0])
    (plan.root / "parameters/demo/sites/b.yml").write_text("changed")
    assert run_state(plan, plan.runs[0]).state == "done"


def test_a_missing_output_makes_a_run_stale(plan):
    _finish(plan, plan.runs[0], estimates="abc")
    (plan.runs[0].folder / "results" / "estimates").unlink()
    assert run_state(plan, plan.runs[0]).reason == "outputs/demo/public/a/results/estimates is gone"


def test_without_the_key_of_the_workspace_its_runs_are_stale(plan):
    _finish(plan, plan.runs[0])
    (plan.root / "outputs/.key").unlink()
    assert run_state(plan, plan.runs[0])[1:] == ("stale", "outputs/demo/data/table.csv changed and 2 more")


def test_other_libraries_make_a_run_stale(plan):
    _finish(plan, plan.runs[0])
    path = record_path(plan.runs[0])
    record = json.loads(path.read_text())
    record["versions"]["numpy"] = "1.0"
    path.write_text(json.dumps(record))
    assert run_state(plan, plan.runs[0]).reason == "the libraries changed"


def test_withdrawing_a_run_removes_its_outputs_and_record_and_nothing_else(plan):
    first, second = plan.chains[0]
    _finish(plan, first, curve="x")
    _finish(plan, second, gaps="y")
    assert site_is_there(plan, "a")
    withdraw(plan, first)
    assert not first.output.exists()
    assert not (first.folder / "results" / "curve").exists()
    assert (second.folder / "results" / "gaps").exists()
    assert run_state(plan, first).state == "never run"
    withdraw(plan, second)
    assert not site_is_there(plan, "a")


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_text("")])
def test_a_release_that_is_gone_or_emptied_makes_every_notebook_stale_that_wrote_it(plan, spoil):
    first, second = plan.chains[0]
    release = first.folder / "release.json"
    for run in (first, second):
        _finish(plan, run, **{"../release.json": "the same"})
        assert release in result_files(run)
    assert [state.state for state in run_states(plan)][:2] == ["done", "done"]
    spoil(release)
    assert [state.state for state in run_states(plan)][:2] == ["stale", "stale"]


def test_what_two_notebooks_wrote_alike_goes_with_the_last_of_them(plan):
    first, second = plan.chains[0]
    release = first.folder / "release.json"
    for run in (first, second):
        _finish(plan, run, **{"../release.json": "the same"})
    withdraw(plan, second, [release])
    assert run_state(plan, first).state == "done"
    _finish(plan, second, **{"../release.json": "the same"})
    release.write_text("another")
    withdraw(plan, second, [release])
    assert not release.exists()
    _finish(plan, first, **{"../release.json": "the same"})
    withdraw(plan, first)
    assert not release.exists()


def test_withdrawing_never_removes_a_file_outside_the_sites_folder(plan):
    run = plan.runs[0]
    _finish(plan, run)
    path = record_path(run)
    record = json.loads(path.read_text())
    record["outputs"]["outputs/demo/public/a/../../../../notebooks/site/1_first.ipynb"] = ""
    path.write_text(json.dumps(record))
    withdraw(plan, run)
    assert run.notebook.exists()


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "file.txt"
    write_whole(path, "first")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "second" * 10_000 + "\ud800")
    assert path.read_text() == "first"
    assert [item.name for item in path.parent.iterdir()] == ["file.txt"]


@pytest.mark.parametrize("content", ["", "{", "[]", '"done"', "{}", '{"status": "done", "outputs": {}}'])
def test_a_record_that_is_torn_or_of_another_version_is_not_believed(plan, content):
    _finish(plan, plan.runs[0])
    record_path(plan.runs[0]).write_text(content)
    assert run_state(plan, plan.runs[0]).state == "never run"
    assert not site_is_there(plan, "a")
    withdraw(plan, plan.runs[0])
    assert describe_inputs(plan, plan.network_runs[0])["inputs"]


@pytest.mark.parametrize(
    ("part", "value"),
    [("outputs", ["a"]), ("outputs", {"a": 1}), ("inputs", None), ("parameters", "a"), ("status", "fine")],
)
def test_a_record_of_another_shape_is_not_believed(plan, part, value):
    run = plan.runs[0]
    _finish(plan, run, curve="x")
    path = record_path(run)
    path.write_text(json.dumps(json.loads(path.read_text()) | {part: value}))
    assert run_state(plan, run).state == "never run"
    assert not site_is_there(plan, "a")
    withdraw(plan, run)
    assert describe_inputs(plan, plan.network_runs[0])["inputs"]


@pytest.mark.parametrize("name", ["backup", "._1_first", "1_first copy", "one_first"])
def test_a_stray_file_beside_the_records_counts_for_nothing(plan, name):
    first, second = plan.chains[0]
    _finish(plan, first)
    _finish(plan, second)
    record_path(first).rename(record_path(first).with_name(f"{name}.json"))
    assert [state.state for state in run_states(plan)][:2] == ["never run", "done"]
    withdraw(plan, second)
    assert not site_is_there(plan, "a")


def test_a_file_that_only_another_site_names_does_not_make_a_run_stale(plan):
    data = plan.root / "outputs/demo/data"
    (data / "b").mkdir()
    (data / "b" / "rows.csv").write_text("abc")
    plan = replace(plan, own_data={"b": frozenset({"b"})})
    of_a, of_b = plan.chains[0][0], plan.chains[1][0]
    assert "outputs/demo/data/b/rows.csv" in describe_inputs(plan, of_b)["inputs"]
    _finish(plan, of_a)
    _finish(plan, of_b)
    (data / "b" / "rows.csv").write_text("changed")
    assert run_state(plan, of_a).state == "done"
    assert run_state(plan, of_b)[1:] == ("stale", "outputs/demo/data/b/rows.csv changed")


@pytest.fixture(name="linked")
def _linked(plan):
    """A data folder of its own, in which `sub` is a link to a folder elsewhere that links back."""
    elsewhere = plan.root / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "rows.csv").write_text("abc")
    data = plan.root / "data"
    data.mkdir()
    (data / "sub").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(data)
    return plan_runs(plan.root, network_id="demo", site_ids=["a"], data=data)


@pytest.mark.skipif(sys.platform == "win32", reason="only some may make links there")
def test_a_changed_file_behind_a_link_in_the_data_folder_makes_a_run_stale(linked):
    run = linked.runs[0]
    _finish(linked, run)
    assert [path.relative_to(linked.root).as_posix() for path in data_files(linked)] == ["data/sub/rows.csv"]
    (linked.root / "elsewhere" / "rows.csv").write_text("changed")
    assert run_state(linked, run)[1:] == ("stale", "data/sub/rows.csv changed")


def test_what_evalkit_writes_and_what_is_hidden_is_no_data_of_a_workspace_that_is_its_own_data_folder(plan):
    for name in (".git/index", ".lock", "rows.csv.partial"):
        (plan.root / name).parent.mkdir(exist_ok=True)
        (plan.root / name).write_text("abc")
    plan = plan_runs(plan.root, network_id="demo", site_ids=["a"], data=plan.root)
    for run in plan.runs:
        _finish(plan, run, **{f"of_{run.name}": run.label})
    assert {state.state for state in run_states(plan)} == {"done"}
    (plan.root / "rows.csv").write_text("abc")
    assert run_state(plan, plan.runs[0])[1:] == ("stale", "rows.csv is new")


def test_a_file_that_goes_between_listing_and_hashing_is_as_if_it_had_never_been(plan, monkeypatch):
    data = plan.root / "outputs/demo/data"
    (data / "passing.csv").write_text("abc")
    stat = Path.stat

    def pass_away(path, **options):
        found = stat(path, **options)
        if path.name == "passing.csv" and sys._getframe(1).f_code.co_name == "hash_file":
            path.unlink()
        return found

    monkeypatch.setattr(Path, "stat", pass_away)
    inputs = describe_inputs(plan, plan.runs[0])["inputs"]
    assert not (data / "passing.csv").exists()
    assert "outputs/demo/data/table.csv" in inputs
    assert "outputs/demo/data/passing.csv" not in inputs
