"""What else must be hidden, so that no hidden count follows from what is shown.

First the links: where exactly one cell of a sum is hidden, the smallest other cell goes too. Then the
proof: the range an attacker is left with is computed for every hidden count, and where it is too narrow
another cell of its sums goes, until every range is wide enough. A block that cannot be mended in this way
is hidden but for its total.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from evalkit.disclosure.blocks import Block, Floats, Quantity, State, feasible_ranges, witnessed_widths
from evalkit.disclosure.links import Link, is_grand_total
from evalkit.errors import DataError

PROTECTED_WIDTH = 5.0  # persons between the ends of the range an attacker is left with
RANGE_WIDTH = 4.0  # persons, for a count that is shown as a range and so is known to be small
ROUNDING = 1e-6  # persons; the solver's own inaccuracy


def protect(blocks: Sequence[Block]) -> None:
    """Choose what else to hide, in place, until the attack finds no range that is too narrow."""
    open_blocks = {at for at, block in enumerate(blocks) if block.n_unknown.any() or block.x_unknown.any()}
    for at in open_blocks:
        first = blocks[at].state.copy()
        _close_sums(blocks[at])
        _show_again(blocks[at], first)
    while open_blocks:
        failures = too_narrow(blocks, open_blocks)
        for at, found in failures.items():
            if not _widen(blocks[at], found):
                _hide_all(blocks[at])
            _close_sums(blocks[at])
        open_blocks = {at for at in failures if not _is_all_hidden(blocks[at])}


def too_narrow(blocks: Sequence[Block], which: Iterable[int]) -> dict[int, list[tuple[float, Quantity]]]:
    """Attack the blocks; return the quantities whose range is too narrow, narrowest first, by block."""
    everything = [item for at in sorted(which) for item in _at_risk(blocks[at], at)]
    needed = np.array([required_width(blocks[item.block], item) for item in everything])
    doubtful = np.flatnonzero(_attacked(blocks, everything, witnessed_widths) < needed - ROUNDING)
    quantities = [everything[place] for place in doubtful]
    widths = _attacked(blocks, quantities, exact_widths)
    failures: dict[int, list[tuple[float, Quantity]]] = {}
    for item, width, wanted in zip(quantities, widths, needed[doubtful], strict=True):
        if width < wanted - ROUNDING:
            failures.setdefault(item.block, []).append((float(width), item))
    return {at: sorted(found, key=lambda pair: (pair[0], pair[1].cell)) for at, found in failures.items()}


def required_width(block: Block, item: Quantity) -> float:
    """Say how wide a range must stay, in persons; the total, which is shown, may itself allow no more."""
    width = PROTECTED_WIDTH
    if block.state[item.cell] == State.RANGE:
        width = min(RANGE_WIDTH, float(block.most[item.cell] - block.least[item.cell]))
    for cell, name in enumerate(block.names):
        if not is_grand_total(name) or block.state[cell] == State.HIDDEN or item.what == "n":
            continue
        is_range = block.state[cell] == State.RANGE
        most = block.most[cell] if is_range else block.x[cell]
        fewest_left = block.n[cell] - (block.least[cell] if is_range else block.x[cell])
        width = min(width, float(most if item.what == "x" else fewest_left))
    return width


def _at_risk(block: Block, at: int) -> list[Quantity]:
    found = []
    for cell in np.flatnonzero(block.n_unknown | block.x_unknown):
        if block.n_unknown[cell]:
            found.append(Quantity(at, int(cell), "n"))
            if block.counts_matter and block.has_complement:
                found.append(Quantity(at, int(cell), "rest"))
        if block.x_unknown[cell]:
            found.append(Quantity(at, int(cell), "x"))
    return found


def exact_widths(blocks: Sequence[Block], quantities: Sequence[Quantity]) -> Floats:
    """Give the width of each quantity's range."""
    low, high = feasible_ranges(blocks, quantities)
    return high - low


def _attacked(
    blocks: Sequence[Block],
    quantities: Sequence[Quantity],
    attack: Callable[[Sequence[Block], Sequence[Quantity]], Floats],
) -> Floats:
    """Attack all at once; where a source contradicts itself, block by block without its uncertain sums."""
    if not quantities:
        return np.zeros(0)
    try:
        return attack(blocks, quantities)
    except DataError:
        widths = np.full(len(quantities), np.nan)
        for at in {item.block for item in quantities}:
            own = [place for place, item in enumerate(quantities) if item.block == at]
            asked = [quantities[place] for place in own]
            try:
                widths[own] = attack(blocks, asked)
            except DataError:
                blocks[at].leave_out_uncertain_sums()
                widths[own] = attack(blocks, asked)
        return widths


def _close_sums(block: Block) -> None:
    """Hide a second cell wherever a sum has exactly one hidden; repeat until no such sum is left."""
    changed = True
    while changed:
        changed = False
        for link in block.exact_n:
            if block.n_unknown[list(link.cells)].sum() == 1:
                changed |= _hide_persons(block, [link])
        if block.counts_matter:
            for link in block.exact_x:
                if block.x_unknown[list(link.cells)].sum() == 1:
                    changed |= _hide_count(block, [link], (State.SHOWN,))


def _show_again(block: Block, first: NDArray[np.int64]) -> None:
    """Show again, largest first, what need not have been hidden: each of its sums keeps two hidden cells."""
    added = np.flatnonzero(block.state != first)
    for cell in added[np.argsort(-block.n[added], kind="stable")]:
        hidden_as = block.state[cell]
        block.state[cell] = first[cell]
        if any(_is_open(block, link, cell) for link in (*block.exact_n, *block.exact_x)):
            block.state[cell] = hidden_as


def _is_open(block: Block, link: Link, cell: np.int64) -> bool:
    """Tell whether a sum that holds the cell gives its only hidden cell away."""
    if cell not in link.cells:
        return False
    own = list(link.cells)
    counts_open = block.counts_matter and link in block.exact_x and block.x_unknown[own].sum() == 1
    return bool(counts_open or (link in block.exact_n and block.n_unknown[own].sum() == 1))


def _widen(block: Block, failures: Sequence[tuple[float, Quantity]]) -> bool:
    """Hide one more cell in a sum of the narrowest range; say whether there was one."""
    for _, item in failures:
        links = block.exact_n if item.what == "n" else block.exact_x
        own = [link for link in links if item.cell in link.cells]
        if item.what == "n":
            done = _hide_persons(block, own)
        else:
            done = _hide_count(block, own, (State.SHOWN, State.RANGE)) or _hide_persons(block, own)
        if done:
            return True
    return False


def _hide_persons(block: Block, links: Sequence[Link]) -> bool:
    cell = _smallest(block, links, (State.SHOWN, State.RANGE, State.COUNT_HIDDEN))
    if cell is not None:
        block.state[cell] = State.HIDDEN
    return cell is not None


def _hide_count(block: Block, links: Sequence[Link], states: tuple[State, ...]) -> bool:
    cell = _smallest(block, links, states)
    if cell is not None:
        block.state[cell] = State.COUNT_HIDDEN
    return cell is not None


def _smallest(block: Block, links: Sequence[Link], states: tuple[State, ...]) -> int | None:
    """Find the best cell in one of these states.

    A part goes before its total, then the cell that opens the fewest further sums (by being the first hidden
    one in them), then the smallest.
    """
    every = (*block.exact_n, *block.exact_x)
    candidates = [
        (cell == link.total, _sums_opened(block, every, cell), float(np.nan_to_num(block.n[cell])), cell)
        for link in links
        for cell in link.cells
        if block.state[cell] in states and block.n[cell] != 0 and not is_grand_total(block.names[cell])
    ]
    return min(candidates)[-1] if candidates else None


def _sums_opened(block: Block, links: Sequence[Link], cell: int) -> int:
    own = [link for link in links if cell in link.cells]
    return sum(all(block.state[other] == State.SHOWN for other in link.cells) for link in own)


def _hide_all(block: Block) -> None:
    """Hide everything but the total, empty groups too, so that the marks do not tell who is there at all."""
    for cell, name in enumerate(block.names):
        if not is_grand_total(name):
            block.state[cell] = State.HIDDEN
            block.may_be_empty[cell] = True


def _is_all_hidden(block: Block) -> bool:
    return all(
        block.state[cell] == State.HIDDEN or is_grand_total(name) for cell, name in enumerate(block.names)
    )
