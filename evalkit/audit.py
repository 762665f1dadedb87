"""Everything that is wrong with a workspace, found without running or writing anything."""

import csv
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

from evalkit.agreements import AUDIENCES, expiring, missing_agreement, parse_day
from evalkit.contribution.narratives import lint_site, lowest_class
from evalkit.contribution.theory import Problem, late_exposure, theory_problems
from evalkit.dictionary import TOTAL_DIMENSION
from evalkit.documents import read_document
from evalkit.errors import EvalkitError
from evalkit.indicators import ALL_UNITS, IndicatorTable
from evalkit.parameters import Network
from evalkit.results import read_result
from evalkit.runs.withdrawn import withdrawn_folders
from evalkit.site_data import data_agreements, open_sources, read_site_table, with_evidence
from evalkit.sites import Site
from evalkit.wording import listed
from evalkit.workspace import Workspace


def check_workspace(
    workspace: Workspace, *, network: str | None = None, data: str = "", today: str = ""
) -> list[str]:
    """List every problem of the dictionary, the parameters, the theories of change, the data and the wording.

    What a site's file says about the work is held to the classes of its claims saved last; before the first
    run it may not claim attribution at all.

    Parameters
    ----------
    network : the one to check; all of the workspace by default
    data : the folder with its data files, where they are not in outputs/<network>/data
    today : the day for which data agreements are looked at, e.g. "2026-09-30"; "" for the day it is

    Returns
    -------
    One sentence for each problem, told once where several sites share it; empty where all is well. Where no
    network is named, data files that are nowhere are no problem; `unseen_data` names them. Nothing is run and
    nothing is written.
    """
    try:
        names = [network] if network else workspace.networks()
        _ = workspace.dictionary, [workspace.network_folder(name) for name in names]
    except EvalkitError as error:
        return list(error.problems)
    return [
        problem
        for name in names
        for problem in _network_problems(
            workspace, name, data, named=bool(network), today=today or date.today().isoformat()
        )
    ]


def _network_problems(
    workspace: Workspace, name: str, data: str, *, named: bool, today: str
) -> Iterator[str]:
    try:
        network = workspace.network(name)
    except EvalkitError as error:
        yield from error.problems
        return
    for audience in AUDIENCES:
        folder = workspace.outputs(name, audience)
        for path in withdrawn_folders(folder, network.shown_to(audience).sites):
            yield (
                f"{path.relative_to(workspace.root).as_posix()}: of a site that is not shown to the audience "
                f"{audience}; `evalkit run --network {name} --audience {audience}` removes it"
            )
    yield from (f"network.yml: {sentence}" for sentence in expiring(network.data_agreements, today=today))
    for site in network.sites.values():
        yield from (
            f"{site.site_id}.yml: {sentence}" for sentence in expiring(site.data_agreements, today=today)
        )
    looks = bool(data) or named or workspace.data(name, "").is_dir()
    yield from _once(
        (site.site_id, sentence)
        for site in network.sites.values()
        if looks or not _needs_files(network, site)
        for sentence in _site_problems(workspace, network, site, data, today)
    )


def unseen_data(workspace: Workspace) -> list[str]:
    """Name the networks whose data files a check of all networks cannot look at, a sentence each."""
    unseen = []
    for name in workspace.networks():
        home = workspace.data(name, "")
        try:
            network = workspace.network(name)
        except EvalkitError:  # which the check itself tells
            continue
        if not home.is_dir() and any(_needs_files(network, site) for site in network.sites.values()):
            unseen.append(
                f"{name}: its data were not looked at, because they are files and there is no folder "
                f"{home.relative_to(workspace.root).as_posix()}; say where they are: "
                f"`evalkit check --network {name} --data DIR`"
            )
    return unseen


def _needs_files(network: Network, site: Site) -> bool:
    return any(source.kind != "simulation" for source in (*network.sources, *site.sources))


def _once(told: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Tell a sentence that several sites share once, under the names of all that it begins with."""
    sites: dict[tuple[str, str], list[str]] = {}
    for site_id, sentence in told:
        rest = sentence.removeprefix(site_id)
        is_named = rest != sentence and rest.startswith((": ", ", "))
        sites.setdefault(("", sentence) if not is_named else ("site", rest), []).append(site_id)
    for (kind, text), site_ids in sites.items():
        yield f"{listed(list(dict.fromkeys(site_ids)))}{text}" if kind else text


def _site_problems(
    workspace: Workspace, network: Network, site: Site, data: str, today: str
) -> Iterator[str]:
    try:
        table = read_site_table(workspace, network, site, data=data, keep_simulation=False)[0]
        if table.empty:
            yield f"{site.site_id}: the data hold no row of this site; check its ids and its sources"
        else:
            yield from _headline_sentences(site, table)
        yield from _agreement_sentences(network, site, table, today)
        yield from _theory_sentences(workspace, network, site, table, data)
        yield from _wording_sentences(workspace, network, site)
    except EvalkitError as error:
        yield from error.problems


def _headline_sentences(site: Site, table: IndicatorTable) -> Iterator[str]:
    """Tell of headline indicators that have no row of the whole site, of which curves are made."""
    for indicator in site.headline:
        rows = table.where(site_id=site.site_id, indicator=indicator).frame
        whole = rows[rows["unit_id"].eq(ALL_UNITS)]
        if whole["dimension"].eq(TOTAL_DIMENSION).any():
            continue
        origin = f"{site.site_id}: the headline indicator {indicator} has"
        sources = listed(sorted({str(source) for source in rows["source"]}))
        if rows.empty:
            yield f"{origin} no row in the data; add its rows, or take it out of `headline`"
        elif whole.empty:
            yield (
                f"{origin} rows of single units only in {sources}, and no curve can be made of them; add up "
                "the units to rows of the whole site (unit_id 'all'), or map a table of the whole site "
                "without unit_id"
            )
        else:
            yield (
                f"{origin} rows of subgroups only in {sources}, and no curve can be made of them; add the "
                "rows of everyone (dimension 'all', subgroup 'All')"
            )


def _agreement_sentences(network: Network, site: Site, table: IndicatorTable, today: str) -> Iterator[str]:
    """Tell of what is planned to be shown, to which audience, and no data agreement in force allows."""
    agreements = data_agreements(network, site)
    if not agreements:
        return
    free = open_sources(network, site)
    cells = table.frame[["source", "indicator", "dimension"]].drop_duplicates()
    lacking: dict[tuple[str, str], dict[str, None]] = {}
    for audience in map(str, site.audiences):
        for cell in cells[~cells["source"].isin(free)].itertuples():
            reason = missing_agreement(
                agreements,
                source=cell.source,
                indicator=cell.indicator,
                dimension=cell.dimension,
                audience=audience,
                day=parse_day(today),
            )
            if reason:
                lacking.setdefault((audience, reason), {})[f"{cell.indicator} by {cell.dimension}"] = None
    for (reader, reason), what in lacking.items():
        more = f" and {len(what) - 3} more" if len(what) > 3 else ""
        yield f"{site.site_id}, for {reader}: {', '.join(list(what)[:3])}{more}: {reason}"


def _theory_sentences(
    workspace: Workspace, network: Network, site: Site, table: IndicatorTable, data: str
) -> Iterator[str]:
    """Tell the problems of a theory of change with the file and line of each."""
    if site.contribution is None:
        return
    complete = with_evidence(workspace, network, site, data=data, keep_simulation=False)
    assert complete.contribution is not None
    problems = [
        *theory_problems(complete.contribution, workspace.dictionary),
        *late_exposure(site, _last_periods(table, site)),
    ]
    if not problems:
        return
    document = read_document(_site_file(workspace, network, site))
    logged = _log_lines(workspace, network, site, data)
    for problem in problems:
        place = _place_in_log(problem, inline=len(site.contribution.evidence))
        if place is None:
            yield document.problem(problem.location, problem.text)
        else:
            line = f", line {logged[place]}" if place < len(logged) else ""
            yield f"{site.contribution.evidence_file}{line}: {problem.text}"


def _wording_sentences(workspace: Workspace, network: Network, site: Site) -> Iterator[str]:
    """Tell where the site's file claims more than its claims allow, by the classes saved last."""
    problems = lint_site(site, _saved_classes(workspace, network, site))
    if problems:
        document = read_document(_site_file(workspace, network, site))
        yield from (document.problem(problem.location, problem.text) for problem in problems)


def _saved_classes(workspace: Workspace, network: Network, site: Site) -> dict[str, str]:
    """Return the class of each claim, the lowest where the results saved for several audiences differ."""
    classes: dict[str, str] = {}
    for audience in AUDIENCES:
        folder = workspace.outputs(network.network_id, audience) / site.site_id / "results"
        if not (folder / "contribution.json").is_file():
            continue
        glance = read_result(folder, "contribution").glance
        for row in glance.to_dict("records"):
            name, found = str(row.get("hypothesis", "")), str(row["class"])
            classes[name] = lowest_class({"now": found, "before": classes.get(name, found)})
    return classes


def _site_file(workspace: Workspace, network: Network, site: Site) -> Path:
    return workspace.network_folder(network.network_id) / "sites" / f"{site.site_id}.yml"


def _place_in_log(problem: Problem, *, inline: int) -> int | None:
    """Return the place of a problem's item among the site's rows of the log; None where it is not in it."""
    match problem.location:
        case ("contribution", "evidence", int(place), *_) if place >= inline:
            return place - inline
    return None


def _log_lines(workspace: Workspace, network: Network, site: Site, data: str) -> list[int]:
    """List the lines on which the site's rows of its evidence file begin; none where there is no file."""
    model = site.contribution
    path = workspace.data(network.network_id, data) / (model.evidence_file if model else "")
    if not path.is_file():
        return []
    lines = []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        begins = reader.line_num + 1
        for row in reader:
            begins, here = reader.line_num + 1, max(begins, 2)
            if row.get("site_id", site.site_id) == site.site_id:
                lines.append(here)
    return lines


def _last_periods(table: IndicatorTable, site: Site) -> dict[str, str]:
    """Return the last period in which each indicator of the site has a value or a range."""
    frame = table.where(site_id=site.site_id).frame
    known = frame[frame["status"].isin(["reported", "censored"])]
    return {str(name): str(last) for name, last in known.groupby("indicator")["period"].max().items()}
