from dataclasses import FrozenInstanceError

import pytest

from evalkit.errors import ParameterError
from evalkit.runs.plan import NotebookRun, notebook_parameters, plan_runs

NETWORK_PARAMETERS = 'network = "demo"\naudience = "public"'


@pytest.fixture(name="root")
def _root(tmp_path, write_notebook):
    for name in ("10_last", "1_first", "2_second"):
        write_notebook(tmp_path / "notebooks" / "site" / f"{name}.ipynb", "1")
    write_notebook(
        tmp_path / "notebooks" / "network" / "1_comparison.ipynb", "1", parameters=NETWORK_PARAMETERS
    )
    return tmp_path


def test_each_site_is_one_chain_in_the_order_of_the_notebooks_numbers_and_the_network_comes_last(root):
    plan = plan_runs(root, network_id="demo", site_ids=["elm-crossing", "alder-park"])
    names = ("1_first", "2_second", "10_last")
    assert [[run.label for run in chain] for chain in plan.chains] == [
        [f"elm-crossing/{name}" for name in names],
        [f"alder-park/{name}" for name in names],
    ]
    assert [run.label for run in plan.network_runs] == ["network/1_comparison"]
    assert len(plan.runs) == 7


def test_a_run_goes_to_the_folder_of_its_network_audience_and_site(root):
    plan = plan_runs(root, network_id="demo", site_ids=["alder-park"], audience="internal")
    folder = root / "outputs" / "demo" / "internal"
    assert plan.runs[0].output == folder / "alder-park" / "notebooks" / "1_first.ipynb"
    assert plan.network_runs[0].output == folder / "network" / "notebooks" / "1_comparison.ipynb"
    assert plan.folder == folder


def test_a_site_notebook_is_told_network_site_audience_and_data_and_a_network_notebook_no_site(root):
    (root / "mine").mkdir()
    plan = plan_runs(root, network_id="demo", site_ids=["alder-park"], data=root / "mine")
    told = {"network": "demo", "site_id": "alder-park", "audience": "public", "data": "mine"}
    assert plan.runs[0].parameters == told
    assert plan.network_runs[0].parameters == {"network": "demo", "audience": "public"}


def test_the_data_folder_is_told_relative_to_the_workspace_even_when_it_lies_outside(root):
    workspace = root / "workspace"
    (root / "notebooks").rename(root / "moved")
    workspace.mkdir()
    (root / "moved").rename(workspace / "notebooks")
    (root / "shared").mkdir()
    assert plan_runs(workspace, network_id="demo", site_ids=["a"], data=root / "shared").data == "../shared"


def test_sites_and_notebooks_can_be_picked(root):
    plan = plan_runs(root, network_id="demo", site_ids=["a", "b"], sites=["b"], notebooks=["2_second"])
    assert [run.label for run in plan.runs] == ["b/2_second"]
    only_network = plan_runs(root, network_id="demo", site_ids=["a", "b"], notebooks=["1_comparison"])
    assert only_network.chains == ()
    assert [run.label for run in only_network.runs] == ["network/1_comparison"]


def test_an_unknown_site_and_an_unknown_notebook_are_told_together_with_the_nearest_name(root):
    with pytest.raises(ParameterError) as caught:
        plan_runs(
            root, network_id="demo", site_ids=["alder-park"], sites=["elder-park"], notebooks=["2_secnd"]
        )
    assert len(caught.value.problems) == 2
    assert "did you mean 'alder-park'" in caught.value.problems[0]
    assert "did you mean '2_second'" in caught.value.problems[1]


@pytest.mark.parametrize(
    "site_id",
    [
        "../elsewhere",
        "a/b",
        "",
        ".",
        "{name}",
        "Alder",
        "-a",
        "a b",
        "a\n",
        "network",
        "site",
        "index",
        "con",
    ],
)
def test_an_id_that_could_leave_its_folder_or_is_not_free_is_refused(root, site_id):
    with pytest.raises(ParameterError, match="site id"):
        plan_runs(root, network_id="demo", site_ids=[site_id])


@pytest.mark.parametrize(("network_id", "audience"), [("..", "public"), ("demo", "../.."), ("demo", "data")])
def test_a_network_or_audience_that_could_leave_its_folder_is_refused(root, network_id, audience):
    with pytest.raises(ParameterError, match="id"):
        plan_runs(root, network_id=network_id, site_ids=["a"], audience=audience)


def test_a_notebook_that_lacks_a_parameter_or_the_parameters_cell_is_told_before_anything_runs(
    root, write_notebook
):
    write_notebook(root / "notebooks" / "site" / "3_none.ipynb", "1", parameters=None)
    write_notebook(
        root / "notebooks" / "site" / "4_few.ipynb", "1", parameters='network = "demo"\nsite_id = ""'
    )
    with pytest.raises(ParameterError) as caught:
        plan_runs(root, network_id="demo", site_ids=["a", "b"])
    told = caught.value.problems
    assert len(told) == 3
    assert "3_none.ipynb: no cell tagged 'parameters'" in told[0]
    assert "4_few.ipynb: the parameters cell has no 'audience'" in told[1]
    assert "4_few.ipynb: the parameters cell has no 'data'" in told[2]


def test_a_notebook_without_a_number_is_refused_with_a_name_that_would_do(root, write_notebook):
    write_notebook(root / "notebooks" / "site" / "Untitled.ipynb", "1")
    with pytest.raises(ParameterError, match=r"Untitled\.ipynb.*7_home_visits"):
        plan_runs(root, network_id="demo", site_ids=["a"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a readable notebook"),
        ("[]", "not a readable notebook"),
        ('{"cells": 3}', "not a readable"),
        ('{"cells": [{"metadata": null}]}', "not a readable"),
    ],
)
def test_a_file_that_is_no_notebook_is_told_by_name(root, content, message):
    (root / "notebooks" / "site" / "5_torn.ipynb").write_text(content)
    with pytest.raises(ParameterError, match=rf"5_torn\.ipynb: {message}"):
        plan_runs(root, network_id="demo", site_ids=["a"])


def test_a_missing_data_folder_and_an_empty_workspace_are_told(tmp_path):
    with pytest.raises(ParameterError) as caught:
        plan_runs(tmp_path, network_id="demo", site_ids=["a"], data=tmp_path / "nowhere")
    assert [problem.split(": ")[1][:12] for problem in caught.value.problems] == [
        "no notebook ",
        "no such data",
    ]


def test_parameters_are_read_from_plain_and_annotated_assignments(tmp_path, write_notebook):
    path = write_notebook(tmp_path / "1_a.ipynb", parameters='# text\na = "1"\nb: str = "2"\nc = d = ""')
    assert notebook_parameters(path) == {"a", "b", "c", "d"}


def test_a_parameters_cell_that_is_not_python_is_told_with_its_line(tmp_path, write_notebook):
    path = write_notebook(tmp_path / "1_a.ipynb", parameters='a = "1"\nb = = 2')
    with pytest.raises(ParameterError, match=r"not Python \(its line 2\)"):
        notebook_parameters(path)


def test_a_run_is_frozen(root):
    run = plan_runs(root, network_id="demo", site_ids=["a"]).runs[0]
    assert isinstance(run, NotebookRun)
    with pytest.raises(FrozenInstanceError):
        run.name = "other"
