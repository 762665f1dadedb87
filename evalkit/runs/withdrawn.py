"""What stands of a site that an audience may no longer see is taken away before anything runs."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from evalkit.runs.plan import IDENTIFIER, NOTEBOOK_NAME, Plan
from evalkit.sites import RESERVED_FOLDERS

# What runs leave in a folder of their own; the records last, so that a removal that is cut short goes on.
MADE_BY_RUNS = ("notebooks", "results", "release.json", "run")
RECORDED = {"notebook", "status", "outputs"}  # in every version


def withdrawn_folders(folder: Path, site_ids: Iterable[str]) -> list[Path]:
    """Find the folders of sites that may not stand here: they hold records of runs.

    Parameters
    ----------
    folder : that of one network and audience
    site_ids : the sites that the audience may see
    """
    shown = {*site_ids, *RESERVED_FOLDERS}
    return [path for path in sorted(folder.glob("*")) if path.name not in shown and _is_of_runs(path)]


def remove_withdrawn(plan: Plan) -> tuple[str, ...]:
    """Remove what runs made of sites that are not the plan's, with the pages and results that rest on them.

    The website and the network's notebooks and results hold the numbers of all sites together, so these go
    too and are made anew. What evalkit did not make stays where it is.

    Returns
    -------
    A sentence for each site; none where there is nothing to remove, and then nothing is.
    """
    gone = withdrawn_folders(plan.folder, plan.site_ids)
    if not gone:
        return ()
    from evalkit.publish.exchange import BUILDING, PREVIOUS, SITE
    from evalkit.publish.kept import INDEX, PREPARED
    from evalkit.runs.published import NOTE

    for name in (SITE, PREVIOUS, PREPARED, NOTE, INDEX):
        _remove(plan.folder / name)
    for path in plan.folder.glob(f"{BUILDING}*"):
        _remove(path)
    for folder in (plan.folder / "network", *gone):
        if _is_of_runs(folder):
            _clear(folder)
    return tuple(
        f"{path.name}: not shown to the audience {plan.audience}, or no longer in the network; removed what "
        f"runs had made in {path.relative_to(plan.root).as_posix()}, and the pages and results across sites"
        for path in gone
    )


def _is_of_runs(folder: Path) -> bool:
    records = (folder / "run").glob("*.json")
    return (
        bool(IDENTIFIER.fullmatch(folder.name))
        and not folder.is_symlink()
        and any(NOTEBOOK_NAME.fullmatch(path.stem) and _is_record(path) for path in records)
    )


def _is_record(path: Path) -> bool:
    """Tell whether a file is the record of a run, of this version or an earlier one."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and record.keys() >= RECORDED


def _clear(folder: Path) -> None:
    for name in MADE_BY_RUNS:
        _remove(folder / name)
    if not any(folder.iterdir()):
        folder.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
