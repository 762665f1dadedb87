"""What data folder and parameters hold of one site, in full: for releases and checks, never for display."""

import hashlib
from collections.abc import Hashable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path

import pandas as pd

from evalkit.agreements import DataAgreement
from evalkit.contribution_model import ContributionModel, Evidence
from evalkit.errors import DataError
from evalkit.indicators import IndicatorTable, total_over_units
from evalkit.parameters import Network
from evalkit.simulate import simulate_network
from evalkit.sites import Site
from evalkit.sources import Source
from evalkit.workspace import Workspace

SIMULATED_TABLE = "indicators.parquet"


def read_declared(root: Path, network: str) -> tuple[Workspace, Network]:
    """Read a network and the dictionary of its workspace; once, as long as their files stay as they are."""
    folders = (root / "data_dictionary", Workspace(root).network_folder(network))
    found = [(path, path.stat()) for folder in folders for path in sorted(folder.rglob("*.yml"))]
    stamp = tuple((path, status.st_mtime_ns, status.st_size) for path, status in found)
    return _read_declared(root, network, stamp)


@lru_cache(maxsize=4)
def _read_declared(root: Path, network: str, _stamp: Hashable) -> tuple[Workspace, Network]:
    workspace = Workspace(root)
    return workspace, workspace.network(network)


def data_agreements(network: Network, site: Site) -> tuple[DataAgreement, ...]:
    """Return the data agreements that a site's sources stand under, the network's first."""
    return (*network.data_agreements, *site.data_agreements)


def open_sources(network: Network, site: Site) -> list[str]:
    """Name the sources that need no data agreement: made-up data, and what its publisher has protected."""
    return [
        source.source_id
        for source in sources_of(network, site)
        if source.protected or source.kind == "simulation"
    ]


def read_site_table(
    workspace: Workspace, network: Network, site: Site, *, data: str = "", keep_simulation: bool = True
) -> tuple[IndicatorTable, IndicatorTable | None]:
    """Read a site's sources into one full table, and its district's schools where it is compared with them.

    The full table is for `release` and for checks; notebooks see only the release.
    """
    tables, districts = [], []
    for source in sources_of(network, site):
        table = _read_source(workspace, network, site, source, data=data, keep=keep_simulation)
        if source.kind == "edfacts_acgr":
            districts.append(table)
            tables.append(total_over_units(_site_units(table, site)))
        else:
            named = {site.site_id, f"{site.site_id}-comparison", *_comparison_ids(site)}
            tables.append(table.where(site_id=named))
    if not tables:
        raise DataError(
            f"{site.site_id}: no source of data is declared; add `sources` to network.yml or the site"
        )
    district = IndicatorTable.concat(districts) if districts and site.comparison else None
    return IndicatorTable.concat(tables), district


def with_evidence(
    workspace: Workspace, network: Network, site: Site, *, data: str = "", keep_simulation: bool = True
) -> Site:
    """Return the site with the items of its evidence file, where it names one, beside those inline."""
    model = site.contribution
    if model is None or not model.evidence_file:
        return site
    if any(source.kind == "simulation" for source in network.sources):
        frame = _simulated(workspace, network, data=data, keep=keep_simulation)[1]
    else:
        path = workspace.data(network.network_id, data) / model.evidence_file
        if not path.is_file():
            raise DataError(f"{path.name}: no such evidence file; create it or correct `evidence_file`")
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    items = evidence_items(frame, site_id=site.site_id, origin=model.evidence_file)
    complete: ContributionModel = model.model_copy(update={"evidence": (*model.evidence, *items)})
    return site.model_copy(update={"contribution": complete})


def evidence_items(frame: pd.DataFrame, *, site_id: str, origin: str) -> tuple[Evidence, ...]:
    """Make evidence from the rows of one site in an evidence log.

    Columns are the fields of `Evidence`, and `site_id`; `hypotheses` holds ids separated by blanks.

    Raises
    ------
    DataError : every row that is not evidence, with its line and the mend.
    """
    from pydantic import ValidationError

    items, problems = [], []
    for position, row in enumerate(frame.to_dict("records")):
        if row.pop("site_id", site_id) != site_id:
            continue
        row = {key: value for key, value in row.items() if value not in ("", None)}
        row["hypotheses"] = tuple(str(row.get("hypotheses", "")).replace(";", " ").split())
        try:
            items.append(Evidence.model_validate(row))
        except ValidationError as error:
            for item in error.errors():
                name = ".".join(str(part) for part in item["loc"])
                problems.append(f"{origin}, line {position + 2}: `{name}`: {item['msg'].lower()}")
    if problems:
        raise DataError(*problems)
    return tuple(items)


def input_hashes(workspace: Workspace, network: Network, site: Site, *, data: str = "") -> dict[str, str]:
    """Return the SHA-256 of every file a site's results rest on, by its name in the workspace."""
    folder = workspace.network_folder(network.network_id)
    paths = [folder / "network.yml", folder / "sites" / f"{site.site_id}.yml"]
    paths += sorted((workspace.root / "data_dictionary").glob("*.yml"))
    named = {path.relative_to(workspace.root).as_posix(): path for path in paths}
    home = workspace.data(network.network_id, data)
    for source in sources_of(network, site):
        named |= {f"data/{path.name}": path for path in _source_files(home, source)}
    model = site.contribution
    if model is not None and model.evidence_file and (home / model.evidence_file).is_file():
        named[f"data/{model.evidence_file}"] = home / model.evidence_file
    return hash_files(named)


def shown_hashes(
    inputs: Mapping[str, str], workspace: Workspace, network: Network, site: Site, *, data: str, audience: str
) -> dict[str, str]:
    """Return `input_hashes` as an audience may hold them; "" for a file whose content it could guess from it.

    All but the internal one are given the hashes of the data dictionary, and of files that only sources
    protected by their publisher name. Other data, and parameters, hold small numbers: whoever guesses these
    could check the guess by the hash.
    """
    if audience == "internal":
        return dict(inputs)
    home = workspace.data(network.network_id, data)
    named: dict[bool, set[str]] = {True: set(), False: set()}
    for source in sources_of(network, site):
        named[source.protected] |= {f"data/{path.name}" for path in _source_files(home, source)}
    evidence = f"data/{site.contribution.evidence_file}" if site.contribution else ""
    open_files = named[True] - named[False] - {evidence}
    return {
        name: digest if name.startswith("data_dictionary/") or name in open_files else ""
        for name, digest in inputs.items()
    }


def hash_site_data(site: Site, table: IndicatorTable, district: IndicatorTable | None) -> str:
    """Return one SHA-256 over all that the data hold of a site, whatever else stands in the same files.

    Parameters
    ----------
    site : with its evidence
    table, district : as `read_site_table` gives them
    """
    digest = hashlib.sha256()
    for part in (table, district):
        rows = pd.util.hash_pandas_object(part.frame, index=False) if part is not None else pd.Series([])
        digest.update(f"{len(rows)}\n".encode() + rows.to_numpy().tobytes())
    items = site.contribution.evidence if site.contribution else ()
    digest.update("\n".join(item.model_dump_json() for item in items).encode())
    return digest.hexdigest()


def sources_of(network: Network, site: Site) -> tuple[Source, ...]:
    """Return the sources that a site's data come from, the network's first."""
    return (*network.sources, *site.sources)


def _source_files(home: Path, source: Source) -> list[Path]:
    """Find the files of a source in the data folder."""
    if source.kind == "simulation":
        found: Iterable[Path] = [home / SIMULATED_TABLE, home / "evidence.csv"]
    else:
        place = home / source.path
        found = sorted(place.glob("*.csv")) if place.is_dir() else [place]
    return [path for path in found if path.is_file()]


def _comparison_ids(site: Site) -> tuple[str, ...]:
    return site.comparison.site_ids if site.comparison else ()


def _read_source(
    workspace: Workspace, network: Network, site: Site, source: Source, *, data: str, keep: bool
) -> IndicatorTable:
    from evalkit.readers import read_edfacts_acgr, read_indicators

    dictionary = workspace.dictionary
    if source.kind == "simulation":
        frame = _simulated(workspace, network, data=data, keep=keep)[0]
        return IndicatorTable.from_frame(frame, dictionary=dictionary, origin="simulation")
    if not data and not workspace.data(network.network_id, data).is_dir():
        raise DataError(
            f"{network.network_id}: source {source.source_id!r} needs data files; "
            "name their folder with --data DIR"
        )
    path = workspace.data(network.network_id, data) / source.path
    if source.kind == "edfacts_acgr":
        lea = site.comparison.lea_id if site.comparison else None
        return read_edfacts_acgr(path, dictionary=dictionary, leas=[lea] if lea else None)
    return read_indicators(
        path, dictionary=dictionary, mapping=source.mapping, sheet=source.sheet, source=source.source_id
    )


def _simulated(
    workspace: Workspace, network: Network, *, data: str, keep: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the simulated table and evidence log; made once and kept beside the outputs."""
    home = workspace.data(network.network_id, data)
    seed = next(source.seed for source in network.sources if source.kind == "simulation")
    if not (home / SIMULATED_TABLE).is_file():
        simulated = simulate_network(seed=seed)
        if not keep:
            return simulated.indicators, simulated.evidence.astype("str")
        simulated.write(home)
    evidence = pd.read_csv(home / "evidence.csv", dtype=str, keep_default_na=False)
    return pd.read_parquet(home / SIMULATED_TABLE), evidence


def _site_units(table: IndicatorTable, site: Site) -> IndicatorTable:
    """Keep the rows of a site's schools, each under its one unit id, and call them the site's."""
    unit_of = {code: unit.unit_id for unit in site.units for code in unit.ids}
    frame = table.frame
    frame = frame[frame["unit_id"].isin(list(unit_of))]
    frame = frame.assign(site_id=site.site_id, unit_id=frame["unit_id"].map(unit_of))
    return IndicatorTable.from_frame(frame, dictionary=table.dictionary, origin=f"{site.site_id}, units")


def hash_files(named: Mapping[str, Path]) -> dict[str, str]:
    """Return the SHA-256 of each file under its name."""
    return {name: _sha256(path, path.stat().st_mtime_ns) for name, path in sorted(named.items())}


@lru_cache(maxsize=512)
def _sha256(path: Path, _modified: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
