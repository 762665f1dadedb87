import pytest
from made_up_town import changed

from evalkit.contribution_model import ContributionModel


@pytest.fixture
def model() -> ContributionModel:
    return changed()
