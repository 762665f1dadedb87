"""Shared fixtures: the shipped dictionary, a small table, and the public data beside the checkout."""

from pathlib import Path

import pytest
from hypothesis import settings

from evalkit.dictionary import DataDictionary, read_dictionary

# Speed is measured by the benchmarks; here a busy machine must not fail a property, nor a new draw surprise.
settings.register_profile("evalkit", deadline=None, derandomize=True)
settings.load_profile("evalkit")

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def dictionary() -> DataDictionary:
    return read_dictionary(ROOT / "data_dictionary")


@pytest.fixture(scope="session")
def edfacts_folder() -> Path:
    folder = SHARED / "data" / "edfacts_acgr"
    if not folder.is_dir():
        pytest.skip("the public EDFacts files do not stand beside this checkout")
    return folder
