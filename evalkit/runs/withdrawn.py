"""What stands of a site that an audience may no longer see, or of a notebook that is gone, is taken away."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from evalkit.runs.plan import IDENTIFIER, NOTEBOOK_NAME, NotebookRun, Plan
from evalkit.runs.record import read_record, withdraw
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
    orphans = _remove_orphans(plan)
    if not gone:
        return orphans
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
    return orphans + tuple(
        f"{path.name}: not shown to the audience {plan.audience}, or no longer in the network; removed what "
        f"runs had made in {path.relative_to(plan.root).as_posix()}, and the pages and results across sites"
        for path in gone
    )


def _remove_orphans(plan: Plan) -> tuple[str, ...]:
    """Remove what was made by a notebook that the workspace no longer has, so that nothing rests on it.

    Returns
    -------
    A sentence for each such notebook.
    """
    removed: dict[str, int] = {}
    for folder, kind in (*((site_id, "site") for site_id in plan.site_ids), ("network", "network")):
        for path in sorted((plan.folder / folder / "run").glob("*.json")):
            source = plan.root / "notebooks" / kind / f"{path.stem}.ipynb"
            output = plan.folder / folder / "notebooks" / source.name
            run = NotebookRun(name=path.stem, notebook=source, output=output, parameters={}, site_id=folder)
            if NOTEBOOK_NAME.fullmatch(path.stem) and not source.exists() and read_record(run) is not None:
                withdraw(plan, run)
                run.failed.unlink(missing_ok=True)
                where = source.relative_to(plan.root).as_posix()
                removed[where] = removed.get(where, 0) + 1
    return tuple(
        f"{where}: no longer in the workspace; removed what it had made of {count} "
        f"{'folder' if count == 1 else 'folders'}"
        for where, count in removed.items()
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
