"""Everything that is wrong with a workspace, found without running or writing anything."""

from collections.abc import Iterator

from evalkit.contribution import check_theory
from evalkit.errors import EvalkitError
from evalkit.views import read_site_table, with_evidence
from evalkit.workspace import Workspace


def check_workspace(workspace: Workspace, *, network: str | None = None, data: str = "") -> list[str]:
    """List every problem of the dictionary, the parameters, the theories of change and the data.

    Parameters
    ----------
    network : the one to check; all of the workspace by default
    data : the folder with its data files, where they are not in outputs/<network>/data

    Returns
    -------
    One sentence for each problem; empty where all is well. Nothing is run and nothing is written.
    """
    try:
        names = [network] if network else workspace.networks()
        _ = workspace.dictionary, [workspace.network_folder(name) for name in names]
    except EvalkitError as error:
        return list(error.problems)
    return [
        problem for name in names for problem in _network_problems(workspace, name, data, named=bool(network))
    ]


def _network_problems(workspace: Workspace, name: str, data: str, *, named: bool) -> Iterator[str]:
    try:
        network = workspace.network(name)
    except EvalkitError as error:
        yield from error.problems
        return
    for site in network.sites.values():
        needs_data = any(source.kind != "simulation" for source in (*network.sources, *site.sources))
        if needs_data and not data and not named:
            continue
        try:
            table = read_site_table(workspace, network, site, data=data, keep_simulation=False)[0]
            if table.empty:
                yield f"{site.site_id}: the data hold no row of this site; check its ids and its sources"
            if site.contribution is not None:
                complete = with_evidence(workspace, network, site, data=data, keep_simulation=False)
                yield from (
                    f"{site.site_id}.yml: {problem}"
                    for problem in check_theory(complete.contribution, workspace.dictionary)
                )
        except EvalkitError as error:
            yield from error.problems
