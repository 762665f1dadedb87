"""EDFacts files: a made-up one with every kind of band, and the public ones beside the checkout."""

import numpy as np
import pytest

from evalkit.errors import DataError
from evalkit.intervals import two_proportion_interval
from evalkit.readers import edfacts_directory, read_edfacts_acgr

QUAY, PIER = "099000100001", "099000100002"
OCONNELL = "063441007350"


def only_row(table, **where):
    rows = table.where(**where).frame
    assert len(rows) == 1
    return rows.iloc[0]


def test_every_kind_of_band_becomes_what_it_says(write_edfacts, dictionary):
    path = write_edfacts(
        "1314",
        (
            QUAY,
            "Quay High",
            {
                "ALL": ("400", "83"),
                "MAM": ("3", "PS"),
                "MAS": ("12", "GE50"),
                "MBL": ("9", "LT50"),
                "MHI": ("45", "60-69"),
                "MTR": (".", "."),
                "MWH": ("", ""),
                "CWD": ("90", "GE95"),
                "ECD": ("64", "LE5"),
                "LEP": ("8", "GT50"),
            },
        ),
    )
    frame = read_edfacts_acgr([path], dictionary=dictionary).frame.set_index("subgroup")
    # by hand: the fewest and the most graduates whose percent, rounded half up, is in the band
    expected = {
        "All": ("censored", 400, 330, 333),
        "Asian": ("censored", 12, 6, 12),
        "Black": ("censored", 9, 0, 4),
        "Latinx": ("censored", 45, 27, 31),
        "with a disability": ("censored", 90, 86, 90),
        "low income": ("censored", 64, 0, 3),
        "English learner": ("censored", 8, 5, 8),
    }
    for subgroup, (status, cohort, fewest, most) in expected.items():
        row = frame.loc[subgroup]
        assert (row["status"], row["denominator"]) == (status, cohort)
        assert row["lower"] == pytest.approx(fewest / cohort, abs=1e-12)
        assert row["upper"] == pytest.approx(most / cohort, abs=1e-12)
        assert np.isnan(row["numerator"])
    assert frame.loc["Native American", "status"] == "suppressed"
    assert np.isnan(frame.loc["Native American", "lower"])
    # Blank and "." are no such cohort: no row.
    assert set(frame.index) == {*expected, "Native American"}
    assert set(frame["period"]) == {"2014"}
    assert set(frame["site_id"]) == {"0990001"}
    assert set(frame["unit_id"]) == {QUAY}


def test_a_single_feasible_number_of_graduates_is_reported(write_edfacts, dictionary):
    # 95 % and more of 10 students is 10 of 10: 9 would be 90 %.
    path = write_edfacts("1112", (QUAY, "Quay High", {"ALL": ("10", "GE95")}))
    row = read_edfacts_acgr([path], dictionary=dictionary).frame.iloc[0]
    assert (row["status"], row["numerator"], row["denominator"]) == ("reported", 10, 10)


def test_a_rate_without_a_cohort_keeps_its_rounding_and_has_no_denominator(write_edfacts, dictionary):
    path = write_edfacts(
        "1112", (QUAY, "Quay High", {"ALL": (".", "82"), "MHI": ("", "80-84"), "MBL": (".", "LE1")})
    )
    table = read_edfacts_acgr([path], dictionary=dictionary)
    bounds = {row.subgroup: (row.lower, row.upper) for row in table.frame.itertuples()}
    assert bounds == {
        "All": pytest.approx((0.815, 0.825)),
        "Latinx": pytest.approx((0.795, 0.845)),
        "Black": pytest.approx((0.0, 0.015)),
    }
    assert table.frame["denominator"].isna().all()
    assert set(table.frame["status"]) == {"censored"}


def test_a_cohort_without_a_rate_is_missing_not_absent(write_edfacts, dictionary):
    path = write_edfacts("1112", (QUAY, "Quay High", {"ALL": ("50", "70-79"), "MHI": ("20", ".")}))
    row = only_row(read_edfacts_acgr([path], dictionary=dictionary), subgroup="Latinx")
    assert (row["status"], row["denominator"]) == ("missing", 20)


def test_every_problem_of_every_file_is_told_at_once_with_line_and_column(write_edfacts, dictionary):
    first = write_edfacts(
        "1112",
        (QUAY, "Quay High", {"ALL": ("40", "sixty"), "MHI": ("4O", "60-69")}),
        (QUAY, "Quay High again", {"ALL": ("40", "60-69")}),
        ("99000100002", "Pier High", {"ALL": ("12", "12")}),
    )
    second = write_edfacts("1213", (PIER, "Pier High", {"ALL": ("40", "7O-79")}))
    with pytest.raises(DataError) as raised:
        read_edfacts_acgr([first, second], dictionary=dictionary)
    told = "\n".join(raised.value.problems)
    assert "acgr-sch-sy2011-12.csv, line 2, column ALL_RATE_1112: 'sixty'" in told
    assert "acgr-sch-sy2011-12.csv, line 2, column MHI_COHORT_1112: cohort '4O'" in told
    assert f"acgr-sch-sy2011-12.csv, line 3: school {QUAY} stands on line 2 already" in told
    assert "acgr-sch-sy2011-12.csv, line 4: NCESSCH '99000100002' does not have 12 digits" in told
    # 12 % of 12 students is 1.44 of them: 1 is 8 % and 2 are 17 %
    assert "line 4, column ALL_RATE_1112: no number of graduates of 12 gives '12'" in told
    assert "acgr-sch-sy2012-13.csv, line 2, column ALL_RATE_1213: '7O-79'" in told
    assert len(raised.value.problems) == 6


def test_a_file_of_another_make_is_refused_by_its_header(tmp_path, dictionary):
    path = tmp_path / "acgr-sch-sy2011-12.csv"
    path.write_text("LEAID,NCESSCH\n0990001,099000100001\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 1: column STNAM is missing"):
        read_edfacts_acgr(tmp_path, dictionary=dictionary)


def test_two_files_of_one_year_are_refused(write_edfacts, dictionary, tmp_path):
    path = write_edfacts("1112", (QUAY, "Quay High", {"ALL": ("40", "60-69")}))
    copy = tmp_path / "acgr-sch-sy2011-12-copy.csv"
    copy.write_bytes(path.read_bytes())
    with pytest.raises(DataError, match="the same year as"):
        read_edfacts_acgr(tmp_path, dictionary=dictionary)


def test_an_absent_or_empty_folder_says_what_to_put_there(tmp_path, dictionary):
    with pytest.raises(DataError, match="no such folder"):
        read_edfacts_acgr(tmp_path / "nowhere", dictionary=dictionary)
    with pytest.raises(DataError, match=r"no file acgr-sch-sy\*\.csv"):
        read_edfacts_acgr(tmp_path, dictionary=dictionary)


def test_a_district_that_no_file_has_is_an_error_not_an_empty_table(write_edfacts, dictionary):
    path = write_edfacts("1112", (QUAY, "Quay High", {"ALL": ("40", "60-69")}))
    with pytest.raises(DataError, match="no school of 0634410"):
        read_edfacts_acgr([path], dictionary=dictionary, leas=["0634410"])


def test_names_are_the_latest_and_ids_stay_text(write_edfacts):
    write_edfacts("1112", (QUAY, "Quay Senior High", {"ALL": ("40", "60-69")}))
    path = write_edfacts("1213", (QUAY, "Quay Academy", {"ALL": ("40", "60-69")}))
    directory = edfacts_directory(path.parent).set_index("id")
    assert directory.loc[QUAY, "name"] == "Quay Academy"
    assert directory.loc[QUAY, "first_period"] == "2012"
    assert directory.loc[QUAY, "last_period"] == "2013"
    assert directory.loc["0990001", "kind"] == "district"


@pytest.fixture(scope="module")
def district(edfacts_folder, dictionary):
    return read_edfacts_acgr(edfacts_folder, dictionary=dictionary, leas=["0634410"])


class TestPublicFiles:
    """The worked case of SOURCES.md beside the public files."""

    def graduates(self, district, subgroup="All"):
        rows = district.where(unit_id=OCONNELL, subgroup=subgroup).frame.set_index("period")
        return {
            period: (round(row.lower * row.denominator), round(row.upper * row.denominator), row.denominator)
            for period, row in rows.iterrows()
        }

    def test_the_feasible_graduates_of_oconnell_high_are_those_worked_out_by_hand(self, district):
        assert self.graduates(district) == {
            "2012": (70, 75, 108),
            "2013": (69, 73, 99),
            "2014": (101, 107, 127),
            "2015": (72, 76, 96),
            "2016": (75, 78, 88),
            "2017": (57, 59, 71),
        }

    def test_its_latino_cohorts_are_those_of_the_files(self, district):
        cohorts = {period: counts[2] for period, counts in self.graduates(district, "Latinx").items()}
        assert cohorts == {"2012": 74, "2013": 67, "2014": 73, "2015": 53, "2016": 50, "2017": 38}

    @pytest.mark.parametrize(
        ("end", "case", "change", "interval"),
        [
            ("2016", "worst", 15.8, (3.9, 26.8)),
            ("2016", "best", 23.8, (12.0, 34.5)),
            ("2017", "worst", 10.8, (-2.5, 22.8)),
            ("2017", "best", 18.3, (5.0, 30.0)),
        ],
    )
    def test_the_change_since_2012_is_as_wide_as_the_bands_leave_it(
        self, district, end, case, change, interval
    ):
        graduates = self.graduates(district)
        later, earlier = (0, 1) if case == "worst" else (1, 0)
        x1, n1, x2, n2 = graduates[end][later], graduates[end][2], graduates["2012"][earlier], 108
        low, high = two_proportion_interval(x1, n1, x2, n2)
        # SOURCES.md gives one decimal.
        assert 100 * (x1 / n1 - x2 / n2) == pytest.approx(change, abs=0.05)
        assert (100 * low, 100 * high) == pytest.approx(interval, abs=0.051)

    def test_the_initiatives_own_figures_fit_the_bands(self, district):
        rows = district.where(unit_id=OCONNELL, subgroup="All").frame.set_index("period")
        for period, published in {"2012": 68, "2013": 73, "2014": 80, "2016": 86}.items():
            # a published whole percent is anything that rounds to it
            assert 100 * rows.loc[period, "lower"] < published + 0.5
            assert 100 * rows.loc[period, "upper"] > published - 0.5

    def test_minneapolis_north_leaves_under_one_id_and_returns_under_another(self, edfacts_folder):
        directory = edfacts_directory(edfacts_folder).set_index("id")
        assert directory.loc["272124001003", "last_period"] == "2015"
        assert directory.loc["272124004557", "first_period"] == "2016"

    def test_all_six_files_are_read_whole(self, edfacts_folder, dictionary):
        table = read_edfacts_acgr(edfacts_folder, dictionary=dictionary)
        schools = table.frame[["unit_id", "period"]].drop_duplicates()
        # SOURCES.md: about 19,000 school rows
        assert 18_000 < len(schools) < 19_000
        assert table.frame["numerator"].isna().all()

    def test_a_state_is_named_as_in_the_files_or_by_its_code(self, edfacts_folder, dictionary):
        one = sorted(edfacts_folder.glob("*.csv"))[:1]
        by_name = read_edfacts_acgr(one, dictionary=dictionary, states=["Minnesota"])
        by_code = read_edfacts_acgr(one, dictionary=dictionary, states=["27"])
        assert len(by_name) == len(by_code) > 0
        assert by_name.frame["site_id"].str.startswith("27").all()
