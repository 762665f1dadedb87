"""Pages are made in the workers too, each as soon as what it shows is there, and looked through."""

import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from evalkit.errors import EvalkitError
from evalkit.runs.guard import UNGUARDED_AUDIENCE, scanner_of
from evalkit.runs.kernels import Receipt, run_notebook
from evalkit.runs.plan import NotebookRun, Plan, Terms
from evalkit.workspace import Workspace

if TYPE_CHECKING:
    from evalkit.disclosure import Scanner
    from evalkit.publish import PublishReport


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What is to be published.

    Attributes
    ----------
    formats : some of "html", "pdf", "docx"
    renderer : "auto", "quarto" or "pandoc"
    stands : whether the website that stands was made from what is there now
    """

    formats: tuple[str, ...] = ("html", "pdf", "docx")
    renderer: str = "auto"
    stands: bool = False


@dataclass(frozen=True, kw_only=True)
class PageRun:
    """The pages of one site to make once, or with no site the index and the pages across sites.

    Attributes
    ----------
    across : names of the pages across sites that the website will have
    """

    outputs: Path
    network: str
    audience: str
    site_id: str | None
    across: tuple[str, ...]
    publication: Publication
    terms: Terms | None

    @property
    def label(self) -> str:
        """The run's name for a person, e.g. "alder-park/pages"."""
        return f"{self.site_id or 'network'}/pages"


Job = NotebookRun | PageRun


def run_job(job: Job, *, root: Path, time_limit: float, warm: bool = False) -> Receipt:
    """Do one job in a worker; the parameters are those of `run_notebook`. Nothing is raised."""
    started = monotonic()
    try:
        if isinstance(job, PageRun):
            return make_pages(job, root=root)
        return run_notebook(job, root=root, time_limit=time_limit, warm=warm)
    except Exception as trouble:  # noqa: BLE001 (a defect of evalkit itself must not look like a lost process)
        place = traceback.extract_tb(trouble.__traceback__)[-1]
        error = f"{type(trouble).__name__} in {Path(place.filename).name}, line {place.lineno}: {trouble}"
        return Receipt(status="failed", error=error, saved=None, seconds=monotonic() - started)


def page_run(
    plan: Plan, site_id: str | None, publication: Publication, *, without: Collection[str] = ()
) -> PageRun:
    """Lay out the pages of one site of a plan, or with no site the index and those across sites.

    Parameters
    ----------
    without : notebooks across sites that have failed
    """
    from evalkit.publish import ACROSS

    planned = {run.name for run in plan.network_runs}
    standing = {path.stem for path in (plan.folder / "network" / "notebooks").glob("*.ipynb")}
    there = (planned | standing) - set(without)
    return PageRun(
        outputs=plan.folder,
        network=plan.network_id,
        audience=plan.audience,
        site_id=site_id,
        across=tuple(name for name, (notebook, *_) in ACROSS.items() if notebook in there),
        publication=publication,
        terms=plan.terms.get(site_id),
    )


def make_pages(run: PageRun, *, root: Path) -> Receipt:
    """Prepare a site's pages for `publish_network`; what cannot be made, that says."""
    from evalkit.publish import prepare_pages

    started = monotonic()
    error = ""
    try:
        prepare_pages(
            Workspace(root),
            network=run.network,
            audience=run.audience,
            site_id=run.site_id,
            across=run.across,
            formats=run.publication.formats,
            renderer=run.publication.renderer,
            look_through=_look_through(run.terms, root=root, outputs=run.outputs),
        )
    except (EvalkitError, OSError) as trouble:
        error = str(trouble)
    seconds = monotonic() - started
    return Receipt(status="failed" if error else "done", error=error, saved=None, seconds=seconds)


def publish_plan(workspace: Workspace, plan: Plan, publication: Publication) -> "PublishReport":
    """Publish what the runs of a plan have left."""
    from evalkit.publish import publish_network

    return publish_network(
        workspace,
        network=plan.network_id,
        audience=plan.audience,
        formats=publication.formats,
        renderer=publication.renderer,
        look_through=_look_through(plan.terms.get(None), root=plan.root, outputs=plan.folder),
    )


def _look_through(terms: Terms | None, *, root: Path, outputs: Path) -> Callable[[Path], list[str]]:
    """Return what looks through one file after another; nothing is read before the first."""
    if terms is None or terms.audience == UNGUARDED_AUDIENCE:
        return lambda path: []
    scanners: list[Scanner] = []
    first = Lock()

    def look(path: Path) -> list[str]:
        with first:
            if not scanners:
                scanners.append(scanner_of(terms, root=root, outputs=outputs))
        return [str(leak) for leak in scanners[0].scan([path], base=path.parent)]

    return look
