"""A small site whose numbers can be worked out by hand."""

import pandas as pd
import pytest
from maple_cells import SCORE

from evalkit.indicators import IndicatorTable
from evalkit.sites import Site, Target


@pytest.fixture(scope="session")
def with_score(dictionary):
    return dictionary.model_copy(update={"indicators": {**dictionary.indicators, SCORE.id: SCORE}})


@pytest.fixture(scope="session")
def table_of(with_score):
    def make(rows):
        return IndicatorTable.from_frame(pd.DataFrame(rows), dictionary=with_score)

    return make


@pytest.fixture
def maple():
    return Site(
        site_id="maple",
        name="Maple",
        headline=("kindergarten_ready", "chronic_absence"),
        targets=(Target(indicator="kindergarten_ready", period="2024", value=75.0),),
    )
