"""What people write may not run: in a spreadsheet, in a page, or as a path."""

import csv

import pandas as pd
import pytest

from evalkit.charts.display import bullets, finding, prose, table
from evalkit.errors import ParameterError
from evalkit.parameters import read_network
from evalkit.results import Result, save_result, tidy_frame
from evalkit.workspace import Workspace

SCRIPT = "<script>alert(1)</script>"
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("x")']


@pytest.mark.parametrize("formula", FORMULAS)
def test_an_export_holds_no_cell_that_a_spreadsheet_would_run(tmp_path, formula):
    frame = tidy_frame([{"method": "m", "indicator": formula, "note": formula, "estimate": -1.5}])
    result = Result(
        method="m", title="", design={}, tidy=frame, frames={"more": pd.DataFrame({"a": [formula]})}
    )
    save_result(result, tmp_path, inputs={})
    for path in tmp_path.glob("*.csv"):
        for row in csv.reader(path.open(encoding="utf-8")):
            assert not any(cell[:1] in set("=+@") for cell in row)
            assert all(cell[:1] != "-" or float(cell) for cell in row)
    read_back = pd.read_parquet(tmp_path / "m.tidy.parquet")
    assert read_back.loc[0, "note"] == formula
    assert read_back.loc[0, "estimate"] == -1.5


@pytest.mark.parametrize(
    "shown",
    [
        table(pd.DataFrame({SCRIPT: [SCRIPT]}), caption=SCRIPT, note=SCRIPT),
        table(pd.DataFrame(), empty=SCRIPT),
        prose(SCRIPT, leads=[SCRIPT]),
        finding(SCRIPT),
        bullets([SCRIPT]),
    ],
    ids=["table", "empty table", "prose", "finding", "bullets"],
)
def test_a_script_in_a_name_is_shown_as_the_text_it_is(shown):
    html = shown._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize("site_id", ["../oak", "oak/../../elsewhere", "/oak", "..", "oak\\elm", "oak\n"])
def test_an_id_cannot_lead_out_of_its_folder(tmp_path, site_id):
    folder = tmp_path / "parameters" / "little"
    (folder / "sites").mkdir(parents=True)
    (folder / "network.yml").write_text("network_id: little\nname: Little\n", encoding="utf-8")
    text = f"site_id: {site_id!r}\nname: Oak\n".replace("'", '"')
    (folder / "sites" / "oak.yml").write_text(text, encoding="utf-8")
    with pytest.raises(ParameterError):
        read_network(folder)


@pytest.mark.parametrize("network", ["../demo", "/demo", "..", "."])
def test_a_network_is_found_only_among_the_parameters(tmp_path, network):
    (tmp_path / "parameters" / "little").mkdir(parents=True)
    (tmp_path / "demo").mkdir()
    for folder in (tmp_path / "parameters" / "little", tmp_path / "demo"):
        (folder / "network.yml").write_text("network_id: demo\nname: Demo\n", encoding="utf-8")
    with pytest.raises(ParameterError, match="unknown network"):
        Workspace(tmp_path).network(network)
    with pytest.raises(ParameterError, match="unknown audience"):
        Workspace(tmp_path).outputs("little", "../public")
