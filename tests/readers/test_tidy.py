"""Somebody's table: long or wide, CSV, Parquet or Excel, wholly or not at all."""

import numpy as np
import pandas as pd
import pytest
from openpyxl import Workbook

from evalkit.errors import DataError
from evalkit.readers import read_indicators
from evalkit.sources import ColumnMapping

HEADER = "indicator,site_id,population,period,dimension,subgroup,numerator,denominator"
ROWS = (
    "graduation_rate,007,target_school,2019,all,All,80,100",
    "graduation_rate,007,target_school,2019,race_ethnicity,Latinx,30,40",
    "graduation_rate,007,target_school,2020,all,All,85,100",
)


@pytest.fixture
def write(tmp_path):
    def write_text(*lines: str, header: str = HEADER, name: str = "table.csv"):
        path = tmp_path / name
        path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        return path

    return write_text


@pytest.fixture
def problems(dictionary):
    def problems_of(path, **how) -> list[str]:
        with pytest.raises(DataError) as raised:
            read_indicators(path, dictionary=dictionary, **how)
        return list(raised.value.problems)

    return problems_of


def test_ids_keep_their_zeros_and_counts_become_numbers(write, dictionary):
    frame = read_indicators(write(*ROWS), dictionary=dictionary).frame
    assert set(frame["site_id"]) == {"007"}
    assert frame["numerator"].tolist() == [80, 30, 85]
    assert set(frame["source"]) == {"table.csv"}
    assert set(frame["status"]) == {"reported"}


@pytest.mark.parametrize("ending", ["csv", "parquet", "xlsx"])
def test_the_same_table_comes_out_of_every_kind_of_file(write, tmp_path, dictionary, ending):
    expected = read_indicators(write(*ROWS), dictionary=dictionary, source="ours").frame
    frame = pd.read_csv(tmp_path / "table.csv", dtype={"site_id": str, "period": str})
    path = tmp_path / f"table.{ending}"
    if ending == "parquet":
        frame.to_parquet(path, index=False)
    elif ending == "xlsx":
        frame.to_excel(path, index=False)
    got = read_indicators(path, dictionary=dictionary, source="ours").frame
    pd.testing.assert_frame_equal(got, expected)


def test_a_mapping_takes_their_columns_words_and_constants(write, dictionary):
    path = write(
        "Lincoln,2018-19,Hispanic,30,40,whatever",
        "Lincoln,2018-19,White,45,50,whatever",
        header="School,Year,Group,Grads,Cohort,Remark",
    )
    mapping = ColumnMapping(
        columns={
            "School": "unit_id",
            "Year": "period",
            "Group": "subgroup",
            "Grads": "numerator",
            "Cohort": "denominator",
        },
        constants={
            "indicator": "graduation_rate",
            "site_id": "riverside",
            "population": "target_school",
            "dimension": "race_ethnicity",
        },
        values={"period": {"2018-19": "2019"}, "subgroup": {"Hispanic": "Latinx"}},
    )
    frame = read_indicators(path, dictionary=dictionary, mapping=mapping).frame
    assert frame[["unit_id", "period", "subgroup", "numerator"]].to_numpy().tolist() == [
        ["Lincoln", "2019", "Latinx", 30],
        ["Lincoln", "2019", "White", 45],
    ]


def test_a_column_for_each_period_becomes_a_row_for_each_period(write, dictionary):
    path = write("riverside,71.5,*,80", header="Place,Rate 2018,Rate 2019,Rate 2020")
    mapping = ColumnMapping(
        columns={"Place": "site_id"},
        constants={"indicator": "graduation_rate", "population": "target_school"},
        wide={"periods": {"Rate 2018": "2018", "Rate 2019": "2019", "Rate 2020": "2020"}},
        percent=True,
    )
    frame = read_indicators(path, dictionary=dictionary, mapping=mapping).frame
    assert frame["period"].tolist() == ["2018", "2019", "2020"]
    assert frame["value"].tolist() == pytest.approx([0.715, np.nan, 0.8], nan_ok=True)
    assert frame["status"].tolist() == ["reported", "suppressed", "reported"]


def test_a_column_for_each_subgroup_needs_its_dimension(write, dictionary, problems):
    path = write("riverside,2019,45%,60 %", header="site_id,period,Black,White")
    mapping = {
        "constants": {"indicator": "kindergarten_ready", "population": "resident"},
        "wide": {"subgroups": {"Black": "Black", "White": "White"}},
        "percent": True,
    }
    assert "need their dimension" in problems(path, mapping=ColumnMapping(**mapping))[0]
    mapping["constants"] = mapping["constants"] | {"dimension": "race_ethnicity"}
    frame = read_indicators(path, dictionary=dictionary, mapping=ColumnMapping(**mapping)).frame
    assert frame[["subgroup", "value"]].to_numpy().tolist() == [["Black", 0.45], ["White", 0.6]]


def test_marks_say_what_is_hidden_and_what_is_missing(write, dictionary):
    path = write(
        "graduation_rate,a,target_school,2019,race_ethnicity,Black,*,12",
        "graduation_rate,a,target_school,2019,race_ethnicity,White,.,40",
        "graduation_rate,a,target_school,2019,race_ethnicity,Asian,0,20",
    )
    frame = read_indicators(path, dictionary=dictionary, mapping=ColumnMapping()).frame.set_index("subgroup")
    assert frame["status"].to_dict() == {"Asian": "reported", "Black": "suppressed", "White": "missing"}
    assert frame.loc["Asian", "numerator"] == 0
    assert frame.loc["Black", "denominator"] == 12


def test_bounds_without_a_number_are_a_censored_rate(write, dictionary):
    path = write(
        "graduation_rate,a,target_school,2019,108,65,69",
        header="indicator,site_id,population,period,denominator,lower,upper",
    )
    row = read_indicators(path, dictionary=dictionary, mapping=ColumnMapping(percent=True)).frame.iloc[0]
    assert (row["status"], row["lower"], row["upper"]) == ("censored", 0.65, 0.69)


def test_every_problem_of_a_file_is_told_at_once_in_the_order_of_its_lines(write, problems):
    path = write(
        "graduation_rate,a,target_school,2019,all,All,eighty,100",
        "graduation_rate,a,target_school,2020,all,All,-1,100",
        "graduation_rate,a,target_school,2021,all,All,7.5,100",
        "graduation_rate,a,target_school,2022,all,All,101,100",
        "graduation_rate,a,target_school,2023,all,All,80,100",
        "graduation_rate,a,target_school,2023,all,All,81,100",
        "graduation_rat,a,target_school,2019,all,All,80,100",
        "graduation_rate,a,target_school,2019,race_ethnicity,Latino,80,100",
        "graduation_rate,a,target_school,2019,race,Latinx,80,100",
        "graduation_rate,a,target_scool,2019,all,All,80,100",
        "graduation_rate,a,target_school,2018-19,all,All,80,100",
        'graduation_rate,a,target_school,2024,all,All,"1,080","2,000"',
    )
    expected = [
        (2, "numerator is the text 'eighty'"),
        (3, "numerator -1 is negative"),
        (4, "7.5"),
        (5, "numerator 101 is above denominator 100"),
        (7, "the same key as line 6"),
        (8, "unknown indicator 'graduation_rat'; did you mean 'graduation_rate'?"),
        (9, "unknown subgroup 'Latino'"),
        (10, "unknown dimension 'race'"),
        (11, "unknown population 'target_scool'; did you mean 'target_school'?"),
        (12, "period '2018-19' of graduation_rate is not a school year; write 2019 for 2018-19"),
        (13, "numerator is the text '1,080'; write the number without separators"),
    ]
    told = problems(path)
    for line, words in expected:
        assert any(text.startswith(f"table.csv, line {line}: ") and words in text for text in told), (
            line,
            told,
        )
    lines = [int(text.split("line ")[1].split(":")[0]) for text in told]
    assert lines == sorted(lines)
    # one more: the second number of line 13
    assert len(told) == len(expected) + 1


def test_repeated_keys_are_told_beside_problems_of_content(write, problems):
    path = write(ROWS[0], ROWS[0], "mobility,a,resident,2019,all,All,-3,10")
    told = problems(path)
    assert any("line 3: the same key as line 2" in text for text in told)
    assert any("line 4" in text and "negative" in text for text in told)


def test_mobility_may_exceed_one_hundred_percent(write, dictionary):
    path = write("mobility,a,target_school,2019,all,All,130,100")
    assert read_indicators(path, dictionary=dictionary).frame["numerator"].item() == 130


def test_bounds_that_stand_upside_down_are_told(write, problems):
    path = write(
        "graduation_rate,a,target_school,2019,108,0.69,0.65",
        header="indicator,site_id,population,period,denominator,lower,upper",
    )
    assert "upside down" in problems(path)[0]


def test_a_wrong_header_offers_the_nearest_column(write, problems):
    told = problems(
        write(*ROWS, header=HEADER.replace("denominator", "denominater").replace("period", "perod"))
    )
    assert any("unknown column 'denominater'; did you mean 'denominator'?" in text for text in told)
    assert any("column 'period' is missing; did you mean 'perod'?" in text for text in told)
    assert all(text.startswith("table.csv, line 1: ") for text in told)


def test_a_mapping_of_columns_that_are_not_there_offers_the_nearest(write, problems):
    path = write(*ROWS)
    told = problems(path, mapping=ColumnMapping(columns={"numerater": "numerator", "period": "perid"}))
    assert any(
        "no column 'numerater', which the mapping names; did you mean 'numerator'?" in text for text in told
    )
    assert any("'perid', which is no column of ours; did you mean 'period'?" in text for text in told)


def test_a_column_that_is_filled_twice_is_told(write, problems):
    told = problems(write(*ROWS), mapping=ColumnMapping(constants={"period": "2019"}))
    assert told == [
        "table.csv, line 1: 'period' is filled twice, by two columns or by a column and the mapping;"
        " keep one of them"
    ]


def test_a_status_that_contradicts_a_mark_is_told(write, problems):
    path = write(
        "graduation_rate,a,target_school,2019,*,40,reported",
        header=("indicator,site_id,population,period,numerator,denominator,status"),
    )
    assert "marked as suppressed but `status` is reported" in problems(path)[0]


def test_missing_empty_and_headless_files_are_each_one_sentence(tmp_path, write, problems):
    assert "there is no such file" in problems(tmp_path / "absent.csv")[0]
    (tmp_path / "empty.csv").write_bytes(b"")
    assert problems(tmp_path / "empty.csv") == [
        "empty.csv: the file is empty; write a header and at least one row"
    ]
    assert "a header and no rows" in problems(write())[0]
    (tmp_path / "table.txt").write_text("x", encoding="utf-8")
    assert "not one of .csv, .parquet, .xlsx" in problems(tmp_path / "table.txt")[0]


def test_a_file_that_is_not_utf8_says_so(tmp_path, problems):
    path = tmp_path / "latin.csv"
    path.write_bytes(f"{HEADER}\n".encode() + "graduation_rate,Peña".encode("latin-1"))
    assert "is not UTF-8; save the file as CSV UTF-8" in problems(path)[0]


def test_a_byte_order_mark_from_a_spreadsheet_does_no_harm(tmp_path, dictionary):
    path = tmp_path / "marked.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\n{ROWS[0]}\n".encode())
    assert len(read_indicators(path, dictionary=dictionary)) == 1


def test_a_ragged_row_is_named_by_the_line_on_which_it_begins(write, problems):
    told = problems(write(f'"graduation\n_rate",{ROWS[0].split(",", 1)[1]}', "graduation_rate,a", ""))
    assert told[0].startswith("table.csv, line 4: 2 cells under 8 column names")


def test_files_that_only_bear_the_ending_are_refused(tmp_path, problems):
    for ending in ("xlsx", "parquet"):
        path = tmp_path / f"fake.{ending}"
        path.write_text("not this", encoding="utf-8")
        assert "not readable as" in problems(path)[0]


class TestExcel:
    def save(self, tmp_path, *rows):
        book = Workbook()
        for row in (HEADER.split(","), *rows):
            book.active.append(row)
        path = tmp_path / "book.xlsx"
        book.save(path)
        return path

    def test_a_number_where_an_id_should_be_text_is_told(self, tmp_path, problems):
        path = self.save(tmp_path, ["graduation_rate", 7, "target_school", "2019", "all", "All", 80, 100])
        assert problems(path) == [
            "book.xlsx, line 2: site_id is the number 7; format its column as text to keep zeros"
        ]

    def test_a_period_that_excel_has_made_a_date_is_told(self, tmp_path, problems):
        from datetime import datetime

        row = ["attendance_rate", "a", "target_school", datetime(2019, 7, 1), "all", "All", 80, 100]
        assert (
            "period is the date 2019-07-01; write 2019, 2019-Q3 or 2019-07 as text"
            in problems(self.save(tmp_path, row))[0]
        )

    def test_a_year_may_be_a_number(self, tmp_path, dictionary):
        row = ["graduation_rate", "a", "target_school", 2019, "all", "All", 80, 100]
        assert (
            read_indicators(self.save(tmp_path, row), dictionary=dictionary).frame["period"].item() == "2019"
        )

    def test_of_several_sheets_one_must_be_named(self, tmp_path, dictionary, problems):
        path = self.save(tmp_path, ["graduation_rate", "a", "target_school", 2019, "all", "All", 80, 100])
        from openpyxl import load_workbook

        book = load_workbook(path)
        book.create_sheet("Notes")
        book.save(path)
        assert "2 sheets; name one of them: Sheet, Notes" in problems(path)[0]
        assert "no sheet 'Data'" in problems(path, sheet="Data")[0]
        assert len(read_indicators(path, dictionary=dictionary, sheet="Sheet")) == 1


def test_an_id_column_that_parquet_holds_as_numbers_is_told(tmp_path, problems):
    frame = pd.DataFrame([row.split(",") for row in ROWS], columns=HEADER.split(","))
    path = tmp_path / "table.parquet"
    frame.assign(site_id=7, numerator=[80, 30, 85], denominator=[100, 40, 100]).to_parquet(path, index=False)
    assert all("site_id is the number 7" in text for text in problems(path))
