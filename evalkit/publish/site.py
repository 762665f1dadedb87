"""The website of a network: one page for every executed notebook, and an index that leaves no site out."""

import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evalkit.errors import PublishError
from evalkit.publish.index import Row, index_page, indicator_labels, read_verdicts
from evalkit.publish.notebooks import read_page
from evalkit.publish.pages import Link, Page, Surround
from evalkit.publish.renderers import Format, Renderer, check_formats, choose_renderer

CASE_STUDY = "6_case_study"
WORKING = (
    "1_data_quality",
    "2_turn_the_curve",
    "3_interrupted_time_series",
    "4_equity_gaps",
    "5_contribution",
)
ACROSS = {
    "comparison": (
        "1_comparison",
        "Comparison",
        "every site's estimates side by side, and what they say together.",
    ),
    "learning-review": (
        "2_learning_review",
        "Learning review",
        "what was learned, and what was decided because of it.",
    ),
}
DOWNLOADS: dict[Format, str] = {"pdf": "PDF", "docx": "Word"}
PREVIOUS = ".site-previous"


class Place(Protocol):
    """A site as the index needs it."""

    @property
    def name(self) -> str:
        """The site's name."""

    @property
    def place(self) -> str:
        """Where it lies."""


class Sites(Protocol):
    """A network as the website needs it."""

    @property
    def name(self) -> str:
        """The network's name."""

    @property
    def about(self) -> str:
        """What it is, in a sentence or two."""

    @property
    def synthetic(self) -> bool:
        """Whether its data are made up."""

    @property
    def sites(self) -> Mapping[str, Place]:
        """Its sites by id."""


class Folders(Protocol):
    """A workspace as publishing needs it."""

    def outputs(self, network: str, audience: str) -> Path:
        """Return outputs/<network>/<audience>."""

    def network(self, network: str) -> Sites:
        """Read the parameters of a network."""


@dataclass(frozen=True)
class PublishReport:
    """What was published.

    Attributes
    ----------
    index : the website's first page
    pages : every file of the website, the index first
    renderer : the program that made them
    problems : what could not be published or shown, a sentence each
    """

    index: Path
    pages: tuple[Path, ...]
    renderer: str
    problems: tuple[str, ...]


@dataclass(frozen=True)
class _Shelf:
    """The pages that can be published: a case study and its working pages by site, and those across sites."""

    studies: Mapping[str, Page]
    working: Mapping[str, tuple[Page, ...]]
    across: Mapping[str, Page]

    def without(self, names: set[str]) -> "_Shelf":
        """Leave out pages that could not be rendered; working pages go with their case study."""
        studies = {site_id: page for site_id, page in self.studies.items() if page.name not in names}
        return _Shelf(
            studies,
            {
                site_id: tuple(page for page in pages if page.name not in names)
                for site_id, pages in self.working.items()
                if site_id in studies
            },
            {name: page for name, page in self.across.items() if name not in names},
        )


def publish_network(
    workspace: Folders,
    *,
    network: str,
    audience: str = "public",
    formats: tuple[str, ...] = ("html", "pdf", "docx"),
    renderer: str = "auto",
) -> PublishReport:
    """Publish a network's executed notebooks as a website in outputs/<network>/<audience>/site.

    The website is built beside the one that stands and takes its place only when it is whole. A site whose
    case study failed is listed as not published; nothing of an earlier run is shown in its stead.

    Parameters
    ----------
    formats : some of "html", "pdf", "docx"; the web pages are always made, the others for each case study and
        each page across sites
    renderer : "auto" (quarto where it is found, else pandoc), "quarto" or "pandoc"

    Raises
    ------
    PublishError : nothing has been run, an unknown format or renderer, quarto asked for and absent, or no
        page at all could be made; the website that stood before stands as it was.
    """
    wanted = check_formats(formats)
    program = choose_renderer(renderer)
    declared = workspace.network(network)
    folder = workspace.outputs(network, audience)
    if not folder.is_dir():
        raise PublishError(
            f"{network}: nothing has been run for the audience {audience!r}; run `evalkit run` first"
        )
    labels = indicator_labels(getattr(workspace, "dictionary", None))
    reasons: dict[str, str] = {}
    problems: list[str] = []
    shelf = _read_shelf(folder, declared, reasons, problems)
    with _fresh_folder(folder) as (building, put_in_place):
        while True:
            index = _index(folder, declared, shelf, reasons, labels, wanted)
            surround = _surround(declared, shelf, audience)
            made, warnings, failed = _render_all(program, shelf, index, surround, wanted, building)
            if not failed:
                break
            if index.name in failed or not [*_all_pages(later := shelf.without(set(failed)))]:
                raise PublishError(*failed.values())
            problems += failed.values()
            gone = set(shelf.studies) - set(later.studies)
            reasons |= dict.fromkeys(gone, "the page could not be made")
            shelf = later
        site = put_in_place()
    dropped = [line for page in _all_pages(shelf) for line in page.dropped]
    return PublishReport(
        index=site / "index.html",
        pages=tuple(site / name for name in made),
        renderer=program.name,
        problems=tuple(dict.fromkeys([*problems, *dropped, *warnings])),
    )


def _read_shelf(folder: Path, declared: Sites, reasons: dict[str, str], problems: list[str]) -> _Shelf:
    studies, working = {}, {}
    for site_id, site in declared.sites.items():
        try:
            study = _read(folder / site_id, CASE_STUDY, site_id)
        except PublishError as error:
            problems += error.problems
            reasons[site_id] = _reason(folder / site_id)
            continue
        studies[site_id] = dataclasses.replace(
            study, title=site.name, subtitle=study.title, kicker=site.place
        )
        behind = []
        for notebook in WORKING:
            if not _has_traces(folder / site_id, notebook):
                continue
            try:
                page = _read(folder / site_id, notebook, f"{site_id}-{notebook.replace('_', '-')}")
            except PublishError as error:
                problems += error.problems
            else:
                behind.append(dataclasses.replace(page, kicker=site.name))
        working[site_id] = tuple(behind)
    across = {}
    for name, (notebook, _, _) in ACROSS.items():
        try:
            across[name] = dataclasses.replace(
                _read(folder / "network", notebook, name), kicker=declared.name
            )
        except PublishError as error:
            problems += error.problems
    return _Shelf(studies, working, across)


def _read(folder: Path, notebook: str, name: str) -> Page:
    """Read a notebook that its run record does not call failed."""
    record = folder / "run" / f"{notebook}.json"
    if record.is_file():
        run = json.loads(record.read_text(encoding="utf-8"))
        if run.get("status", "done") != "done":
            raise PublishError(
                f"{folder.name}/{notebook}: run {run['status']}: {run.get('error', '')}".rstrip(": ")
            )
    return read_page(folder / "notebooks" / f"{notebook}.ipynb", name=name)


def _reason(folder: Path) -> str:
    """Say why a site has no case study: it was never run, or its run failed."""
    return "run failed" if _has_traces(folder, CASE_STUDY) else "not run yet"


def _has_traces(folder: Path, notebook: str) -> bool:
    """Tell whether a notebook was ever run here, well or badly."""
    traces = (folder / "run" / f"{notebook}.json", *(folder / "notebooks").glob(f"{notebook}*.ipynb"))
    return any(path.is_file() for path in traces)


def _surround(declared: Sites, shelf: _Shelf, audience: str) -> Surround:
    across = [Link(label, f"{name}.html") for name, (_, label, _) in ACROSS.items() if name in shelf.across]
    return Surround(
        network=declared.name,
        audience=audience,
        synthetic=declared.synthetic,
        nav=(Link("Sites", "index.html"), *across),
    )


def _downloads(name: str, wanted: tuple[Format, ...]) -> tuple[Link, ...]:
    return tuple(Link(label, f"{name}.{ending}") for ending, label in DOWNLOADS.items() if ending in wanted)


def _index(
    folder: Path,
    declared: Sites,
    shelf: _Shelf,
    reasons: Mapping[str, str],
    labels: Mapping[str, str],
    wanted: tuple[Format, ...],
) -> Page:
    rows = []
    for site_id, site in declared.sites.items():
        is_there = site_id in shelf.studies
        rows.append(
            Row(
                name=site.name,
                place=site.place,
                verdicts=read_verdicts(folder / site_id / "results", labels) if is_there else {},
                links=(Link("Case study", f"{site_id}.html"), *_downloads(site_id, wanted))
                if is_there
                else (),
                reason="" if is_there else reasons[site_id],
            )
        )
    further = [
        (Link(label, f"{name}.html"), sentence)
        for name, (_, label, sentence) in ACROSS.items()
        if name in shelf.across
    ]
    return index_page(network=declared.name, about=declared.about, rows=rows, further=further)


def _jobs(shelf: _Shelf, index: Page, wanted: tuple[Format, ...]) -> Iterator[tuple[Page, Format]]:
    """Name every file of the website: the page and its format, the index first."""
    yield index, "html"
    for site_id, study in shelf.studies.items():
        behind = shelf.working[site_id]
        ways = (
            Link("Case study", f"{site_id}.html"),
            *(Link(page.title, f"{page.name}.html") for page in behind),
        )
        for page in (study, *behind):
            here = tuple(dataclasses.replace(way, current=way.href == f"{page.name}.html") for way in ways)
            linked = dataclasses.replace(page, working=here if behind else ())
            if page is study:
                linked = dataclasses.replace(linked, downloads=_downloads(site_id, wanted))
                yield from ((linked, ending) for ending in wanted)
            else:
                yield linked, "html"
    for name, page in shelf.across.items():
        linked = dataclasses.replace(page, downloads=_downloads(name, wanted))
        yield from ((linked, ending) for ending in wanted)


def _render_all(
    program: Renderer,
    shelf: _Shelf,
    index: Page,
    surround: Surround,
    wanted: tuple[Format, ...],
    building: Path,
) -> tuple[list[str], list[str], dict[str, str]]:
    """Render every page; return the file names, the warnings, and the failed pages with their problem."""
    made: list[str] = []
    warnings: list[str] = []
    failed: dict[str, str] = {}
    for stale in building.iterdir():
        stale.unlink()

    def render(job: tuple[Page, Format]) -> tuple[str, list[str], str]:
        page, ending = job
        try:
            path, said = program.render(page, surround, to=ending, folder=building)
        except PublishError as error:
            return page.name, [], " ".join(error.problems)
        return path.name, said, ""

    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for name, said, problem in pool.map(render, _jobs(shelf, index, wanted)):
            if problem:
                failed.setdefault(name, problem)
            else:
                made.append(name)
                warnings += said
    return made, warnings, failed


def _all_pages(shelf: _Shelf) -> Iterator[Page]:
    yield from shelf.studies.values()
    for pages in shelf.working.values():
        yield from pages
    yield from shelf.across.values()


@contextmanager
def _fresh_folder(folder: Path) -> Iterator[tuple[Path, "_PutInPlace"]]:
    """Give a folder beside the website to build in; it is gone afterwards unless it was put in place."""
    site, previous = folder / "site", folder / PREVIOUS
    if previous.is_dir() and not site.exists():
        previous.rename(site)  # an earlier exchange was cut short
    building = Path(tempfile.mkdtemp(prefix=".site-building-", dir=folder))
    building.chmod(0o755)
    try:
        yield building, _PutInPlace(building, site, previous)
    finally:
        shutil.rmtree(building, ignore_errors=True)


@dataclass(frozen=True)
class _PutInPlace:
    """Exchange the website that stands for the one just built."""

    building: Path
    site: Path
    previous: Path

    def __call__(self) -> Path:
        shutil.rmtree(self.previous, ignore_errors=True)
        if self.site.exists():
            self.site.rename(self.previous)
        try:
            self.building.rename(self.site)
        except OSError:
            if self.previous.exists():
                self.previous.rename(self.site)
            raise
        shutil.rmtree(self.previous, ignore_errors=True)
        return self.site
