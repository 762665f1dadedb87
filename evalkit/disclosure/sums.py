"""How the cells of any table add up, whom a total holds beyond the parts listed, and where a sum is wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from evalkit.disclosure.entries import ALL, Entries, Groups, Key, name_of
from evalkit.disclosure.ranges import ROUNDING
from evalkit.disclosure.system import Flags, Floats
from evalkit.errors import DataError

UNLISTED = "\0"  # begins the label of persons who are in none of the parts listed; no text that is read does


@dataclass(frozen=True)
class Sums:
    """Every number of a table, and the sums that hold for them: `equal` · numbers = 0.

    First come the cells as given, then one number for each rest (whom a total holds beyond the parts listed;
    it is printed nowhere, and anybody can compute it), then one for each error (by how much parts exceed
    their total; it is fixed, so that the cells of such a sum still protect or betray one another).

    Attributes
    ----------
    low, high : what is known of each number before anything is hidden
    equal : shape (sums, numbers)
    """

    low: Floats
    high: Floats
    equal: Floats
    is_rest: Flags
    is_error: Flags


@dataclass(frozen=True)
class _Link:
    """A total, its parts by position, the name of the rest, and the dimensions or the group added up over."""

    total: int
    parts: tuple[int, ...]
    rest: Key
    over: tuple[int | str, ...]


def sums_of(entries: Entries, low: Floats, high: Floats) -> Sums:
    """Find all sums of a table.

    A sum with a count that is not known holds as it stands, unless a sum over the same dimensions is known to
    leave some out.

    Parameters
    ----------
    low, high : the least and the greatest that each count may be, persons; equal where it is known

    Raises
    ------
    DataError : parts exceed their total by more than a miscount; some group overlaps others.
    """
    place = {key: at for at, key in enumerate(entries.keys)}
    ends = list(zip(low.tolist(), high.tolist(), strict=True))
    while True:
        links = _links(place, entries.dimensions, entries.groups)
        gaps = [_gap(link, ends) for link in links]
        incomplete = {link.over for link, (least, _) in zip(links, gaps, strict=True) if least > ROUNDING}
        rests = {
            link.rest: (max(least, 0.0), most)
            for link, (least, most) in zip(links, gaps, strict=True)
            if link.over in incomplete and most > ROUNDING and link.rest not in place
        }
        if not rests:
            break
        for rest, between in rests.items():  # a rest may have parts of its own, and these a rest
            place[rest] = len(place)
            ends.append(between)
    errors = [at for at, (least, most) in enumerate(gaps) if most < -ROUNDING and np.isfinite(least)]
    _check_errors([links[at] for at in errors], [gaps[at] for at in errors], tuple(place), ends)
    equal = np.zeros((len(links), len(place) + len(errors)))
    for line, link in zip(equal, links, strict=True):
        line[link.total], line[list(link.parts)] = -1, 1
    equal[errors, len(place) + np.arange(len(errors))] = -1
    ends += [(-gaps[at][1], -gaps[at][0]) for at in errors]
    number = np.arange(len(ends))
    return Sums(
        low=np.array([least for least, _ in ends]),
        high=np.array([most for _, most in ends]),
        equal=equal,
        is_rest=(number >= len(entries.keys)) & (number < len(place)),
        is_error=number >= len(place),
    )


def _gap(link: _Link, ends: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Say by how much the total exceeds its parts, at least and at most."""
    low, high = ends[link.total]
    return (
        low - sum(ends[part][1] for part in link.parts),
        high - sum(ends[part][0] for part in link.parts),
    )


def _check_errors(
    links: Sequence[_Link],
    gaps: Sequence[tuple[float, float]],
    keys: Sequence[Key],
    ends: Sequence[tuple[float, float]],
) -> None:
    """Turn back groups that overlap others undeclared.

    A group listed twice, or beside a group that holds it, adds at least the smallest part to the sum. An
    error of that size may be such an overlap, through which a reader goes round whatever is hidden; only a
    smaller one is certainly none.
    """
    for link, (_, most) in zip(links, gaps, strict=True):
        names = [keys[at] for at in (link.total, *link.parts)]
        parts = [ends[part][0] for part in link.parts if ends[part][0] > 0]
        if -most >= min(parts) and not any(part.startswith(UNLISTED) for key in names for part in key):
            raise DataError(
                f"{name_of(names[0])}: its parts ({'; '.join(map(name_of, names[1:4]))}"
                f"{'; …' if len(names) > 4 else ''}) exceed it by {-most:g}, too many for a miscount; "
                f"declare groups that overlap others in `groups`, or correct the counts"
            )


def _links(place: Mapping[Key, int], dimensions: Sequence[str], groups: Groups) -> list[_Link]:
    """Find every way in which cells add up, as a total and its parts."""

    def overlaps(key: Key, at: int) -> bool:
        inside = groups.get(dimensions[at], {})
        members = inside.get(key[at].removeprefix(UNLISTED))
        if members is None or key[at] not in inside:
            return members is not None
        # a group whose members stand nowhere beside it is a part like any other
        return not members or any((*key[:at], member, *key[at + 1 :]) in place for member in members)

    by_split: dict[tuple[int, ...], list[Key]] = {}
    for key in place:
        by_split.setdefault(tuple(at for at, part in enumerate(key) if part != ALL), []).append(key)
    links = []
    for split, members in by_split.items():
        for kept in (some for size in range(len(split)) for some in combinations(split, size)):
            between = any(set(kept) < set(other) < set(split) for other in by_split)
            if kept not in by_split or between:
                continue
            over = tuple(at for at in split if at not in kept)
            sums: dict[Key, list[int]] = {}
            for key in members:
                if any(overlaps(key, at) for at in over):
                    continue
                total = tuple(ALL if at in over else part for at, part in enumerate(key))
                sums.setdefault(total, []).append(place[key])
            for total, parts in sums.items():
                rest = tuple(UNLISTED if at in over else part for at, part in enumerate(total))
                if total in place:
                    links.append(_Link(place[total], tuple(parts), rest, over))
    for at, name in enumerate(dimensions):
        for group, inside in groups.get(name, {}).items():
            labels = (*inside, UNLISTED + group)
            for key in (key for key in place if key[at] == group):
                names = [(*key[:at], label, *key[at + 1 :]) for label in labels]
                within = tuple(place[part] for part in names if part in place)
                if within:
                    links.append(_Link(place[key], within, names[-1], (at, group)))
    return links
