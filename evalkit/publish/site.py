"""The website of a network: one page for every executed notebook, and an index that leaves no site out."""

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import PublishError
from evalkit.parameters import Network
from evalkit.publish.exchange import SITE, fresh_building
from evalkit.publish.index import Row, index_page, read_verdicts
from evalkit.publish.kept import KeptPages
from evalkit.publish.notebooks import read_page
from evalkit.publish.pages import Format, Link, Page, Surround
from evalkit.publish.renderers import Renderer, check_formats, choose_renderer
from evalkit.workspace import Workspace

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
ESTIMATES = ".tidy.csv"
DOWNLOADS: dict[Format, str] = {"pdf": "PDF", "docx": "Word"}


@dataclass(frozen=True)
class PublishReport:
    """What was published.

    Attributes
    ----------
    index : the website's first page
    pages : every file of the website, the index first
    renderer : the program that made them
    problems : what could not be published or shown, a sentence each
    kept_back : the problems of files that showed what their audience may not see
    """

    index: Path
    pages: tuple[Path, ...]
    renderer: str
    problems: tuple[str, ...]
    kept_back: tuple[str, ...] = ()


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
    workspace: Workspace,
    *,
    network: str,
    audience: str = "public",
    formats: tuple[str, ...] = ("html", "pdf", "docx"),
    renderer: str = "auto",
    look_through: Callable[[Path], list[str]] = lambda path: [],
) -> PublishReport:
    """Publish a network's executed notebooks as a website in outputs/<network>/<audience>/site.

    The website is built beside the one that stands and takes its place only when it is whole. A site whose
    case study failed is listed as not published; nothing of an earlier run is shown in its stead. A site that
    is not shown to the audience is not even named, and no page across sites that rests on it is published.

    Parameters
    ----------
    formats : some of "html", "pdf", "docx"; the web pages are always made, the others for each case study and
        each page across sites
    renderer : "auto" (quarto where it is found, else pandoc), "quarto" or "pandoc"
    look_through : takes a file that was just made; says, a sentence each, what it shows that its audience
        may not see. Such a page is not published

    Raises
    ------
    PublishError : nothing has been run, an unknown format or renderer, quarto asked for and absent, or no
        page at all could be made; the website that stood before stands as it was.
    """
    wanted = check_formats(formats)
    chosen = choose_renderer(renderer)
    declared = workspace.network(network).shown_to(audience)
    folder = workspace.outputs(network, audience)
    if not folder.is_dir():
        raise PublishError(
            f"{network}: nothing has been run for the audience {audience!r}; run `evalkit run` first"
        )
    program = KeptPages(chosen, outputs=folder, site=folder / SITE, look_through=look_through)
    reasons: dict[str, str] = {}
    problems: list[str] = []
    shelf = _read_shelf(folder, declared, reasons, problems)
    with fresh_building(folder) as building:
        while True:
            index = _index(folder, declared, shelf, reasons, wanted)
            surround = _surround(declared, shelf.across, audience)
            made, warnings, failed = _render_all(program, shelf, index, surround, wanted, building.folder)
            if not failed:
                break
            if index.name in failed or not [*_all_pages(later := shelf.without(set(failed)))]:
                raise PublishError(*failed.values())
            problems += failed.values()
            gone = set(shelf.studies) - set(later.studies)
            reasons |= dict.fromkeys(gone, "the page could not be made")
            shelf = later
        site = building.put_in_place()
    program.remember()
    dropped = [line for page in _all_pages(shelf) for line in page.dropped]
    return PublishReport(
        index=site / "index.html",
        pages=tuple(site / name for name in made),
        renderer=program.name,
        problems=tuple(dict.fromkeys([*problems, *dropped, *warnings])),
        kept_back=tuple(program.kept_back),
    )


def prepare_pages(
    workspace: Workspace,
    *,
    network: str,
    audience: str,
    site_id: str | None,
    across: Collection[str] = tuple(ACROSS),
    formats: tuple[str, ...] = ("html", "pdf", "docx"),
    renderer: str = "auto",
    look_through: Callable[[Path], list[str]] = lambda path: [],
) -> None:
    """Make a site's pages ahead, or those across sites and the index, for `publish_network` to find.

    What cannot be made is left to `publish_network`, which says why. Several processes may prepare pages of
    different sites at once.

    Parameters
    ----------
    site_id : None for the index and the pages across sites
    across : the pages across sites that the website will have, by the names of their files
    """
    wanted = check_formats(formats)
    declared = workspace.network(network).shown_to(audience)
    folder = workspace.outputs(network, audience)
    program = KeptPages(
        choose_renderer(renderer), outputs=folder, site=folder / SITE, look_through=look_through
    )
    reasons: dict[str, str] = {}
    shelf = _read_shelf(folder, declared, reasons, [], only=site_id)
    surround = _surround(declared, across if site_id else shelf.across, audience)
    if site_id is not None:
        jobs = list(_site_jobs(shelf, wanted))
    else:
        index = _index(folder, declared, shelf, reasons, wanted)
        jobs = [(index, "html"), *_across_jobs(shelf, wanted)]
    with tempfile.TemporaryDirectory(prefix="evalkit-pages-") as temporary:
        for page, ending in jobs:
            with suppress(PublishError):
                program.prepare(page, surround, to=ending, folder=Path(temporary))


def _read_shelf(
    folder: Path,
    declared: Network,
    reasons: dict[str, str],
    problems: list[str],
    *,
    only: str | None = None,
) -> _Shelf:
    """Read every page that can be published, or those of one site only."""
    studies, working = {}, {}
    for site_id, site in declared.sites.items():
        if only not in (None, site_id):
            continue
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
    for name, (notebook, _, _) in ACROSS.items() if only is None else ():
        try:
            _refuse_strangers(folder, notebook, declared)
            across[name] = dataclasses.replace(
                _read(folder / "network", notebook, name), kicker=declared.name
            )
        except PublishError as error:
            problems += error.problems
    return _Shelf(studies, working, across)


def _read(folder: Path, notebook: str, name: str) -> Page:
    """Read a notebook whose run ended well."""
    failed = folder / "notebooks" / f"{notebook}.failed.ipynb"
    run = _record(folder / "run" / f"{notebook}.json")
    if run.get("status", "done") != "done" or failed.is_file():
        error = f" ({run['error']})" if run.get("error") else ""
        raise PublishError(
            f"{folder.name}/{notebook}: its run failed{error}; open {failed.name} to see where"
        )
    path = folder / "notebooks" / f"{notebook}.ipynb"
    outputs = run.get("outputs", {})
    saved = next((sha256 for output, sha256 in outputs.items() if Path(output).name == path.name), "")
    if saved and path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != saved:
        raise PublishError(f"{folder.name}/{path.name}: is not what its run saved; run it again")
    return dataclasses.replace(read_page(path, name=name), estimates=_estimates(folder, outputs))


def _record(path: Path) -> dict[str, Any]:
    """Read what a run noted; a torn record, or a file that is none, says nothing."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _refuse_strangers(folder: Path, notebook: str, declared: Network) -> None:
    """Refuse a page across sites that rests on results of a site that is not shown."""
    run = _record(folder / "network" / "run" / f"{notebook}.json")
    results = f"outputs/{folder.parent.name}/{folder.name}/"
    rested_on = [name.removeprefix(results) for name in run.get("inputs", {}) if name.startswith(results)]
    strangers = sorted({name.partition("/")[0] for name in rested_on} - {*declared.sites, "network"})
    if strangers:
        raise PublishError(
            f"network/{notebook}: rests on {', '.join(strangers)}, not shown to this audience; run it again"
        )


def _estimates(folder: Path, outputs: Mapping[str, str]) -> str:
    """Join the tables of estimates that a run has saved; they have the same columns.

    Raises
    ------
    PublishError : one is no longer what the run saved, and so was never looked through.
    """
    tables = []
    for name, sha256 in outputs.items():
        if name.endswith(ESTIMATES):
            path = folder / "results" / Path(name).name
            content = path.read_bytes() if path.is_file() else b""
            if hashlib.sha256(content).hexdigest() != sha256:
                raise PublishError(f"{folder.name}/{path.name}: is not what its run saved; run it again")
            tables.append(content.decode())
    rows = [table.partition("\n")[2] for table in tables]
    return tables[0].partition("\n")[0] + "\n" + "".join(rows) if any(rows) else ""


def _reason(folder: Path) -> str:
    """Say why a site has no case study: a run of it failed, its page cannot be shown, or it was never run."""
    ended = {path.stem: _record(path).get("status") for path in (folder / "run").glob("*.json")}
    if "failed" in ended.values() or any((folder / "notebooks").glob("*.failed.ipynb")):
        return "run failed"
    if ended.get(CASE_STUDY) == "done":
        return "the page could not be made"
    return "run failed" if _has_traces(folder, CASE_STUDY) else "not run yet"


def _has_traces(folder: Path, notebook: str) -> bool:
    """Tell whether a notebook was ever run here, well or badly."""
    traces = (folder / "run" / f"{notebook}.json", *(folder / "notebooks").glob(f"{notebook}*.ipynb"))
    return any(path.is_file() for path in traces)


def _surround(declared: Network, names: Collection[str], audience: str) -> Surround:
    across = [Link(label, f"{name}.html") for name, (_, label, _) in ACROSS.items() if name in names]
    return Surround(
        network=declared.name,
        audience=audience,
        synthetic=declared.synthetic,
        nav=(Link("Sites", "index.html"), *across),
    )


def _downloads(page: Page, wanted: tuple[Format, ...]) -> tuple[Link, ...]:
    table = (Link("Every estimate (CSV)", f"{page.name}.csv"),) if page.estimates else ()
    return (
        *(Link(label, f"{page.name}.{ending}") for ending, label in DOWNLOADS.items() if ending in wanted),
        *table,
    )


def _index(
    folder: Path,
    declared: Network,
    shelf: _Shelf,
    reasons: Mapping[str, str],
    wanted: tuple[Format, ...],
) -> Page:
    rows = []
    for site_id, site in declared.sites.items():
        is_there = site_id in shelf.studies
        rows.append(
            Row(
                name=site.name,
                place=site.place,
                verdicts=read_verdicts(folder / site_id / "results") if is_there else {},
                links=(Link("Case study", f"{site_id}.html"), *_downloads(shelf.studies[site_id], wanted))
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


def _site_jobs(shelf: _Shelf, wanted: tuple[Format, ...]) -> Iterator[tuple[Page, Format]]:
    """Name every file of the sites: the page and its format."""
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
                linked = dataclasses.replace(linked, downloads=_downloads(study, wanted))
                yield from ((linked, ending) for ending in wanted)
            else:
                yield dataclasses.replace(linked, downloads=_downloads(page, ("html",))), "html"


def _across_jobs(shelf: _Shelf, wanted: tuple[Format, ...]) -> Iterator[tuple[Page, Format]]:
    """Name every file across sites but the index."""
    for page in shelf.across.values():
        linked = dataclasses.replace(page, downloads=_downloads(page, wanted))
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
    for page in _all_pages(shelf):
        if page.estimates:
            (building / f"{page.name}.csv").write_text(page.estimates, encoding="utf-8")
            made.append(f"{page.name}.csv")

    def render(job: tuple[Page, Format]) -> tuple[str, list[str], str]:
        page, ending = job
        try:
            path, said = program.render(page, surround, to=ending, folder=building)
        except PublishError as error:
            return page.name, [], " ".join(error.problems)
        return path.name, said, ""

    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        jobs = [(index, "html"), *_site_jobs(shelf, wanted), *_across_jobs(shelf, wanted)]
        for name, said, problem in pool.map(render, jobs):
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
