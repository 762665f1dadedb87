import pytest
from made_up_town import changed

from evalkit.parameters import ContributionModel


@pytest.fixture
def model() -> ContributionModel:
    return changed()
