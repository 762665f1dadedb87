"""The batch run of one network of a workspace: its plan, and the data it needs to be there."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from evalkit.agreements import DataAgreement, parse_day
from evalkit.errors import ParameterError
from evalkit.parameters import Network
from evalkit.runs.plan import Plan, Terms, plan_runs
from evalkit.runs.record import hash_evalkit, hash_file, library_versions, read_record, write_whole
from evalkit.workspace import Workspace

SIMULATION = "simulation.json"
SIMULATED = ("indicators.parquet", "reach.csv", "evidence.csv", "truth.json")


def plan_network(
    workspace: Workspace,
    network: str,
    *,
    audience: str = "public",
    data: Path | None = None,
    sites: Sequence[str] = (),
    notebooks: Sequence[str] = (),
    today: str = "",
) -> Plan:
    """Check a network's parameters and lay out its runs for one audience; nothing is written.

    Parameters
    ----------
    network : its id
    data : the folder with its data files; None for outputs/<network>/data
    sites, notebooks : run only these; empty means all
    today : the day on which data agreements must be in force, such as "2026-09-30"; "" for the day it is

    Raises
    ------
    ParameterError : every problem of the network's parameters, or of what was asked for.
    """
    workspace.outputs(network, audience)
    declared = workspace.network(network)
    shown = list(declared.shown_to(audience).sites)
    withheld = [site_id for site_id in sites if site_id in declared.sites and site_id not in shown]
    if withheld:
        raise ParameterError(
            f"{', '.join(withheld)}: not shown to audience {audience!r} (`audiences` of the site)"
        )
    day = parse_day(today or date.today().isoformat()).isoformat()

    def terms(site_id: str | None, told: str) -> Terms:
        own = [declared.sites[site_id]] if site_id else [declared.sites[name] for name in shown]
        agreements = [*declared.data_agreements, *(item for site in own for item in site.data_agreements)]
        return Terms(
            network=network,
            audience=audience,
            today=day,
            data=told,
            site_ids=(site_id,) if site_id else tuple(shown),
            agreements={item.agreement_id: _in_words(item, day) for item in agreements},
        )

    plan = plan_runs(
        workspace.root,
        network_id=network,
        site_ids=shown,
        audience=audience,
        data=data,
        sites=sites,
        notebooks=notebooks,
        terms=terms,
    )
    return replace(plan, own_data=_own_data(declared))


def _own_data(declared: Network) -> dict[str, frozenset[str]]:
    """Name the files and folders that one site alone names, as a source or as its evidence log."""
    named = {
        site_id: {
            *(source.path for source in site.sources if source.path),
            *([site.contribution.evidence_file] if site.contribution else []),
        }
        - {""}
        for site_id, site in declared.sites.items()
    }
    everyone = [source.path for source in declared.sources] + [path for own in named.values() for path in own]

    def is_own(path: str) -> bool:
        around = [o for o in everyone if Path(o).is_relative_to(path) or Path(path).is_relative_to(o)]
        return len(around) == 1

    return {site_id: frozenset(filter(is_own, paths)) for site_id, paths in named.items()}


def plan_pages(
    workspace: Workspace, network: str, *, audience: str = "public", data: Path | None = None
) -> Plan:
    """Lay out a batch that runs no notebook and makes every page; the parameters are those of `plan_network`.

    Parameters
    ----------
    data : None for the folder that the notebooks were last run with
    """
    plan = plan_network(workspace, network, audience=audience, data=data)
    if data is None:
        told = {
            str(record["parameters"]["data"])
            for run in plan.runs
            if (record := read_record(run)) and run.site_id
        }
        if told - {""}:
            plan = plan_network(workspace, network, audience=audience, data=workspace.root / max(told))
    return replace(plan, chains=(), network_runs=())


def _in_words(agreement: DataAgreement, today: str) -> str:
    """Say what an agreement allows, and whether today; what a run rests on changes with either."""
    force = "in force" if agreement.is_in_force(parse_day(today)) else "not in force"
    return f"{force}: {agreement.model_dump_json(exclude={'note'})}"


def prepare_data(workspace: Workspace, plan: Plan) -> None:
    """See that the data folder of a plan holds data, before notebooks run side by side and read it.

    A simulated network is simulated anew, so that its data are never those of an older evalkit or seed; the
    same seed gives the same bytes, and what rests on them stays up to date.

    Raises
    ------
    ParameterError : the network's sources are files, and no folder was named that holds them.
    """
    declared = workspace.network(plan.network_id)
    sources = [*declared.sources, *(source for site in declared.sites.values() for source in site.sources)]
    folder = workspace.data(plan.network_id, plan.data)
    if any(source.kind != "simulation" for source in sources) and not folder.is_dir():
        raise ParameterError(
            f"{plan.network_id}: its sources are data files; name their folder with --data DIR"
        )
    for source in sources:
        if source.kind == "simulation" and not _is_simulated(folder, seed=source.seed):
            from evalkit.simulate import simulate_network

            simulate_network(seed=source.seed).write(folder)
            content = json.dumps(_describe(folder, seed=source.seed), indent=1) + "\n"
            write_whole(folder.with_name(SIMULATION), content)


def _is_simulated(folder: Path, *, seed: int) -> bool:
    """Tell whether the folder holds, file by file, what this evalkit simulates from that seed."""
    try:
        note = json.loads(folder.with_name(SIMULATION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    described = _describe(folder, seed=seed)
    return bool(described["files"]) and note == described


def _describe(folder: Path, *, seed: int) -> dict[str, Any]:
    files = {name: hash_file(folder / name) for name in SIMULATED if (folder / name).is_file()}
    return {"seed": seed, "evalkit_sha256": hash_evalkit(), "versions": library_versions(), "files": files}
