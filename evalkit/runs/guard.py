"""What a run has written is looked through before it stands: it holds nothing its audience may not see."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.runs.groups import SCRATCH_VARIABLE
from evalkit.runs.plan import FAILED, NotebookRun, Terms

if TYPE_CHECKING:
    from evalkit.disclosure import Scanner

UNGUARDED_AUDIENCE = "internal"  # the partnership's own evaluators, who hold the data


def leaks_of(run: NotebookRun, text: str, written: Iterable[Path], *, root: Path) -> list[str]:
    """Say what of an executed notebook and the files it wrote its audience may not see, a sentence each.

    Parameters
    ----------
    text : the executed notebook as it would be saved; "" where there is none
    written : files below the run's folder

    Raises
    ------
    EvalkitError : parameters or data cannot be read, so nobody can say what must not be seen.
    """
    if run.terms is None or run.terms.audience == UNGUARDED_AUDIENCE:
        return []
    scanner = scanner_of(run.terms, root=root, outputs=run.folder.parent)
    leaks = scanner.scan(sorted(written), base=run.folder.parent)
    if text:
        # in the batch's own folder, which goes even where this process is killed
        with tempfile.TemporaryDirectory(dir=os.environ.get(SCRATCH_VARIABLE)) as folder:
            copy = Path(folder) / run.output.relative_to(run.folder.parent)
            copy.parent.mkdir(parents=True)
            copy.write_text(text, encoding="utf-8")
            leaks = [*scanner.scan([copy], base=Path(folder)), *leaks]
    return [str(leak) for leak in leaks]


def scanner_of(terms: Terms, *, root: Path, outputs: Path) -> "Scanner":
    """Return what looks for all that is withheld from an audience.

    Parameters
    ----------
    outputs : the folder of the network and audience; of several sites those count of which anything stands
        there that ended well
    """
    import pandas as pd

    from evalkit.checks import KEY
    from evalkit.disclosure import Scanner
    from evalkit.site_data import read_declared
    from evalkit.views import withheld_from

    home, declared = read_declared(root, terms.network)
    # what rests on several sites can give nothing away of one that was never run, or failed throughout
    several = len(terms.site_ids) > 1
    shown = [site_id for site_id in terms.site_ids if not several or _stands(outputs / site_id)]
    withheld = [
        withheld_from(
            terms.audience,
            network=terms.network,
            site_id=site_id,
            data=terms.data,
            workspace=str(root),
            today=terms.today,
        )
        for site_id in shown
    ]
    labels = {item.id: (item.label, item.short_label) for item in home.dictionary.indicators.values()}
    nothing = pd.DataFrame(columns=[*KEY, "numerator", "denominator", "rate", "lower", "upper"])
    return Scanner(
        pd.concat([item.numbers for item in withheld], ignore_index=True) if withheld else nothing,
        restricted=[text for item in withheld for text in item.texts],
        names=labels | {site_id: (declared.sites[site_id].name,) for site_id in shown},
    )


def _stands(site: Path) -> bool:
    """Tell whether results or an executed notebook of a site stand, with a record or without."""
    notebooks = (path for path in (site / "notebooks").glob("*") if not path.name.endswith(FAILED))
    return any(path.is_file() for path in (*notebooks, *(site / "results").rglob("*")))
