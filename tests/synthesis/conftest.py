"""Small results as the methods save them, for the rooms that only read them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from evalkit.dictionary import DataDictionary, read_dictionary
from evalkit.parameters import Network
from evalkit.results import Result, tidy_frame
from evalkit.sites import Site


@pytest.fixture(scope="session")
def dictionary() -> DataDictionary:
    return read_dictionary(Path(__file__).resolve().parents[2] / "data_dictionary")


@pytest.fixture
def network() -> Network:
    # Declared out of order on purpose: readers must find the sites by name.
    sites = [
        ("cedar", "Cedar Flats", "2020"),
        ("alder", "Alder Park", "2019"),
        ("birch", "Birchwater", "2019"),
    ]
    return Network(
        network_id="demo",
        name="Three Neighborhoods",
        synthetic=True,
        sites={key: Site(site_id=key, name=name, start=start) for key, name, start in sites},
    )


@pytest.fixture
def its() -> Callable[..., Result]:
    """Make an interrupted time series result; each keyword is indicator=(estimate, std_error)."""

    def make(site_id: str, *, population: str = "target_school", note: str = "", **estimates) -> Result:
        rows = [
            {
                "method": "interrupted_time_series",
                "indicator": indicator,
                "site_id": site_id,
                "unit_id": "all",
                "population": population,
                "dimension": "all",
                "subgroup": "All",
                "term": term,
                "estimate": estimate,
                "std_error": std_error,
                "conf_low": estimate - 2 * std_error,
                "conf_high": estimate + 2 * std_error,
                "unit": "percentage points",
                "n": 12,
                "note": note,
            }
            for indicator, (estimate, std_error) in estimates.items()
            for term in ("level_change", "effect_average")
        ]
        return Result(method="interrupted_time_series", title="", design={}, tidy=tidy_frame(rows))

    return make


@pytest.fixture
def gaps() -> Callable[..., Result]:
    def make(
        site_id: str, *, estimate: float, std_error: float, period: str = "2024", reference: str
    ) -> Result:
        row = {
            "method": "equity_gaps",
            "indicator": "graduation_rate",
            "site_id": site_id,
            "unit_id": "all",
            "population": "target_school",
            "dimension": "income",
            "subgroup": "low income",
            "period": period,
            "term": "difference",
            "estimate": estimate,
            "std_error": std_error,
            "conf_low": estimate - 2 * std_error,
            "conf_high": estimate + 2 * std_error,
            "unit": "percentage points",
        }
        return Result(
            method="equity_gaps",
            title="",
            design={"references": {"income": reference}},
            tidy=tidy_frame([row]),
        )

    return make
