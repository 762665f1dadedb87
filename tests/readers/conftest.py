"""A made-up district in the form of an EDFacts file."""

from collections.abc import Callable
from pathlib import Path

import pytest

GROUPS = ("ALL", "MAM", "MAS", "MBL", "MHI", "MTR", "MWH", "CWD", "ECD", "LEP")


def edfacts_text(season: str, schools: list[tuple[str, str, dict[str, tuple[str, str]]]]) -> str:
    """Write schools (id, name, {group: (cohort, rate)}) as the publisher does."""
    header = ["STNAM", "FIPST", "LEAID", "LEANM", "NCESSCH", "SCHNAM"]
    header += [f"{group}_{part}_{season}" for group in GROUPS for part in ("COHORT", "RATE")]
    rows = [",".join([*header, "DATE_CUR"])]
    for school_id, name, groups in schools:
        cells = [cell for group in GROUPS for cell in groups.get(group, (".", "."))]
        rows.append(",".join(["FICTION", "99", "0990001", "Quay County", school_id, name, *cells, "01JAN20"]))
    return "\n".join(rows) + "\n"


@pytest.fixture
def write_edfacts(tmp_path: Path) -> Callable[..., Path]:
    def write(season: str, *schools: tuple[str, str, dict[str, tuple[str, str]]]) -> Path:
        path = tmp_path / f"acgr-sch-sy20{season[:2]}-{season[2:]}.csv"
        path.write_text(edfacts_text(season, list(schools)), encoding="utf-8")
        return path

    return write
