"""Everything published of the demonstration taken as equations: no hidden count is pinned within 5 persons.

The reader here is a program of its own. He reads the released table and every frame that a public run saves
of a site, writes what they say of the true persons n and counts x of each cell as linear conditions, adds how
cells add up, and finds the range of every hidden number by linear programs.

Numbers that a model estimates say nothing linear of a single cell, and evalkit's design lets them rest on the
full counts: trends, level and slope changes, forecasts, fitted and counterfactual values, probabilities,
beliefs, ceilings, and the intervals around every estimate. Summary measures over groups say how many groups
they rest on; the test checks that these are no more than are shown.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, sparse

import evalkit
from evalkit.workspace import init_workspace

CELL = ["indicator", "site_id", "population", "period", "dimension", "subgroup"]
SITES = sorted(
    path.stem
    for path in (Path(__file__).resolve().parents[2] / "parameters" / "demo" / "sites").glob("*.yml")
)
CLOSE = 1e-6  # persons; rounding of what is published
WIDTH, WIDTH_OF_RANGE = 5, 4  # persons left of a hidden number, and of a count that is shown as a range

TOLD = {
    "rate", "difference", "difference_best_case", "difference_worst_case", "ratio", "ratio_best_case",
    "ratio_worst_case", "additional_to_parity", "change_from_baseline", "change_best_case",
    "change_worst_case", "distance_to_target", "distance_best_case", "distance_worst_case",
}  # fmt: skip
OF_SHOWN_GROUPS = {"range", "range_by_chance"}
ABOUT_CELLS = {
    "cells_reported", "cells_censored", "cells_suppressed", "cells_missing", "cells_on_few_persons",
    "narrowest_range", "middle_range", "widest_range",
}  # fmt: skip
MODEL_METHODS = {
    "interrupted_time_series",
    "its_sensitivity",
    "contribution",
    "performance",
    "comparison_pool",
}
MODEL_TERMS = {
    "verdict", "baseline_forecast", "baseline_forecast_difference", "post_trend", "difference_trend",
    "periods_to_parity", "chance_of_target", "chance_of_target_earlier_trend", "additional_to_parity_trend",
}  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return init_workspace(tmp_path_factory.mktemp("home") / "workspace").root


def published(root, site_id):
    """Do what the site's notebooks do, and read back all that they save."""
    view = evalkit.open_site(network="demo", site_id=site_id, audience="public", workspace=str(root))
    table, site = view.table, view.site
    view.save(
        evalkit.check_quality(table, site),
        evalkit.comparison_pool(view.district, site),
        evalkit.turn_the_curve(table, site),
        evalkit.interrupted_time_series(table, site),
        evalkit.leading_sensitivity(table, site),
        evalkit.equity_gaps(table, site, references=view.references),
        evalkit.performance_measures(site, audience="public", minimum_cell=view.network.minimum_cell),
    )
    view.save(
        evalkit.contribution_analysis(site, view.results(), audience="public", dictionary=view.dictionary)
    )
    return view, view.results()


class Reader:
    """What a reader of the released table and of the results knows of every cell."""

    def __init__(self, view, truth):
        self.frame = view.table.frame.set_index(CELL)
        self.truth = truth.set_index(CELL)
        self.site_id = view.site.site_id
        self.references = view.references
        self.per = {name: item.scale for name, item in view.dictionary.indicators.items()}
        self.events = {name for name, item in view.dictionary.indicators.items() if item.may_exceed_one}
        self.higher_is_better = {
            name for name, item in view.dictionary.indicators.items() if item.favourable == "higher"
        }
        self.rate = (self.frame["numerator"] / self.frame["denominator"]).dropna().to_dict()
        self.status = self.frame["status"].to_dict()
        self.rows = []  # ({(what, cell): weight}, low, high)

    def say(self, weights, low, high):
        self.rows.append((weights, low, high))

    def say_rate(self, cell, low, high):
        """Say that x lies between low · n and high · n."""
        if cell in self.status and not np.isnan(low) and not np.isnan(high):
            if low == high:
                self.rate.setdefault(cell, low)
            self.say({("x", cell): 1, ("n", cell): -low}, -CLOSE, np.inf)
            self.say({("x", cell): 1, ("n", cell): -high}, -np.inf, CLOSE)

    def say_persons(self, cells, n):
        if not np.isnan(n):
            self.say({("n", cell): 1 for cell in cells}, n - CLOSE, n + CLOSE)

    def say_gap(self, cell, other, low, high, *, ratio=False):
        """Say that two rates differ by low to high (or one is so many times the other)."""
        if np.isnan(low) or np.isnan(high):
            return
        if other in self.rate:
            known = self.rate[other]
            self.say_rate(cell, *((known * low, known * high) if ratio else (known + low, known + high)))
        elif cell in self.rate:
            known = self.rate[cell]
            self.say_rate(other, *((known / high, known / low) if ratio else (known - high, known - low)))
        else:  # both are shown as ranges, and so is their gap; neither may be hidden
            assert {self.status[cell], self.status[other]} == {"censored"}, (cell, other)
            ends = [self.frame.loc[key, ["lower", "upper"]].to_numpy(dtype=float) for key in (cell, other)]
            if not ratio:
                assert low == pytest.approx(ends[0][0] - ends[1][1], abs=1e-9)
                assert high == pytest.approx(ends[0][1] - ends[1][0], abs=1e-9)

    def read(self, results):
        """Take in every result; what is not known to this test fails it."""
        for method, result in results.items():
            self.read_series(result.augment, result.glance)
            if method in MODEL_METHODS:
                continue
            terms = set(result.tidy["term"])
            assert terms <= TOLD | OF_SHOWN_GROUPS | ABOUT_CELLS | MODEL_TERMS, terms
            baseline = {
                item["indicator"]: item["baseline"]
                for item in result.glance.to_dict("records")
                if "baseline" in item
            }
            self.read_tidy(result.tidy, baseline)
        self.read_groups(results["data_quality"].augment.rename(columns={"n": "denominator"}))
        gaps = results["equity_gaps"]
        self.read_groups(gaps.augment)
        self.read_gaps(gaps.frames["gaps"])
        self.read_generations(gaps.frames["two_generation"])
        self.check_measures(gaps.frames["measures"])

    def key(self, item, **other):
        values = {"site_id": self.site_id, **item, **other}
        return tuple(values[name] for name in CELL)

    def read_tidy(self, tidy, baseline):
        cases = {}
        for item in tidy.to_dict("records"):
            name, per = item["term"], self.per.get(item["indicator"], 1.0)
            if name not in TOLD:
                continue
            cell = self.key(item)
            reference = self.key(item, subgroup=self.references.get(item["dimension"], ""))
            estimate = item["estimate"]
            if name.endswith("_case"):
                cases.setdefault((cell, name.rsplit("_", 2)[0]), {})[name.rsplit("_", 2)[1]] = estimate
            if name == "rate":
                self.say_rate(cell, estimate / per, estimate / per)
                self.say_persons([cell], item["n"])
            elif name == "difference":
                self.say_gap(cell, reference, estimate / per, estimate / per)
                self.say_persons([cell, reference], item["n"])
            elif name == "ratio":
                self.say_gap(cell, reference, estimate, estimate, ratio=True)
            elif name == "additional_to_parity" and not np.isnan(estimate):
                # the fewest who would bring the group to the reference's rate, 0 where it is there
                assert reference in self.rate
                sign = 1 if cell[0] in self.higher_is_better else -1
                short = {("n", cell): sign * self.rate[reference], ("x", cell): -sign}
                self.say(short, estimate - 1 if estimate > 0 else -np.inf, estimate + CLOSE)
            elif name == "change_from_baseline" and not np.isnan(estimate):
                self.say_gap(cell, self.key(item, period=baseline[item["indicator"]]), *[estimate / per] * 2)
        for (cell, what), ends in cases.items():
            values = sorted(ends.values())
            if what == "difference" and len(values) == 2:
                other = (*cell[:-1], self.references[cell[-2]])
                self.say_gap(cell, other, *(value / self.per[cell[0]] for value in values))

    def read_series(self, augment, glance):
        """Read the points of charts over time, and the smallest and largest number of persons behind them."""
        if "observed" not in augment:
            return
        population = {item["indicator"]: item["population"] for item in glance.to_dict("records")}
        for item in augment.to_dict("records"):
            whole = {"population": population[item["indicator"]], "dimension": "all", "subgroup": "All"}
            per = self.per[item["indicator"]]
            self.say_rate(self.key({**item, **whole}), item["low"] / per, item["high"] / per)
        totals = [cell for cell, status in self.status.items() if cell[4] == "all" and status != "missing"]
        for item in glance.to_dict("records"):
            for cell in totals:
                same = cell[:3] == (item["indicator"], item["site_id"], item["population"])
                if same and not np.isnan(item["denominator_low"]):
                    ends = item["denominator_low"], item["denominator_high"]
                    self.say({("n", cell): 1}, ends[0] - CLOSE, ends[1] + CLOSE)

    def read_groups(self, frame):
        for item in frame.to_dict("records"):
            cell, per = self.key(item), self.per[item["indicator"]]
            self.say_rate(cell, item["rate_low"] / per, item["rate_high"] / per)
            if cell in self.status:
                self.say_persons([cell], item["denominator"])

    def read_gaps(self, gaps):
        for item in gaps.to_dict("records"):
            cell, per = self.key(item), self.per[item["indicator"]]
            reference = self.key(item, subgroup=item["reference"])
            self.say_gap(cell, reference, item["difference"] / per, item["difference"] / per)
            self.say_gap(cell, reference, item["least"] / per, item["most"] / per)

    def read_generations(self, frame):
        for item in frame.to_dict("records"):
            per = self.per[item["indicator"]]
            self.say_rate(self.key(item), item["rate"] / per, item["rate"] / per)

    def check_measures(self, measures):
        """Hold that summary measures rest on no more groups than are shown exactly."""
        exact = pd.Series([cell[:5] for cell in self.rate], dtype=object).value_counts()
        for item in measures.dropna(subset="estimate").to_dict("records"):
            assert item["groups"] <= exact[self.key({**item, "subgroup": ""})[:5]], item

    def sums(self, cells) -> Iterator[tuple[tuple, list[tuple]]]:
        """Yield each total with the cells that make it up."""
        for cell in cells:
            parts = {}
            for other in cells:
                if other[:4] != cell[:4] or other == cell:
                    continue
                names = dict(zip(other[4].split("*"), other[5].split("*"), strict=True))
                own = {} if cell[4] == "all" else {cell[4]: cell[5]} if "*" not in cell[4] else None
                if own is not None and other[4] != "all" and own.items() < names.items():
                    parts.setdefault(other[4], []).append(other)
            yield from ((cell, group) for group in parts.values())

    def pinned(self, *, only=None):
        """Attack every block; return the hidden numbers left less than allowed, and how many are hidden."""
        told = {}
        for row in self.rows:
            for place in {cell[1:4] for _, cell in row[0]}:
                told.setdefault(place, []).append(row)
        found, attacked = [], 0
        cells_of = {}
        for cell in self.status:
            cells_of.setdefault(cell[1:4], []).append(cell)
        for place, cells in cells_of.items():
            if only is not None and place not in only:
                continue
            if all(self.status[cell] in {"reported", "missing"} for cell in cells):
                continue
            block = _BlockProgram(self, cells, told.get(place, []))
            block.check_that_the_truth_fits()
            wanted = block.wanted()
            attacked += len(wanted)
            found += [(what, cell) for what, cell in block.narrower(wanted)]
        return found, attacked


class _BlockProgram:
    """The linear program of one site, population and period."""

    def __init__(self, reader, cells, told):
        self.reader, self.cells = reader, cells
        frame, truth = reader.frame.loc[cells], reader.truth.loc[cells]
        place, same = {}, {}
        for cell, n in zip(cells, truth["denominator"], strict=True):
            # whoever counts as many persons in a group takes them for the same persons
            key = (cell[4:], n) if n > 0 else cell
            place["n", cell] = same.setdefault(key, len(same))
        size = len(same)
        place |= {("x", cell): size + at for at, cell in enumerate(cells)}
        self.place, self.size = place, size + len(cells)
        low, high = np.zeros(self.size), np.full(self.size, np.inf)
        self.lines, self.line_low, self.line_high = [], [], []
        for cell, item in zip(cells, frame.itertuples(), strict=True):
            n, x = place["n", cell], place["x", cell]
            missing = item.status == "missing"
            if not np.isnan(item.denominator):
                low[n] = high[n] = item.denominator
            elif not missing:
                low[n] = max(low[n], 1)
            if item.status == "reported":
                low[x] = high[x] = item.numerator
            elif item.status == "censored":
                low[x] = np.ceil(item.lower * item.denominator - CLOSE)
                high[x] = np.floor(item.upper * item.denominator + CLOSE)
            if cell[0] not in reader.events:
                self.line({("x", cell): 1, ("n", cell): -1}, -np.inf, 0)
        self.bounds = np.stack([low, high], axis=1)
        for total, parts in reader.sums(cells):
            unknown = any(reader.status[cell] == "missing" for cell in (total, *parts))
            for what in "nx":
                weights = {(what, total): -1, **{(what, cell): 1 for cell in parts}}
                if not unknown:
                    self.line(weights, 0, 0)
        for weights, lowest, highest in told:
            if all(key in place for key in weights):
                self.line(weights, lowest, highest)

    def line(self, weights, low, high):
        row = np.zeros(self.size)
        for key, weight in weights.items():
            row[self.place[key]] += weight
        self.lines.append(row)
        self.line_low.append(low)
        self.line_high.append(high)

    def check_that_the_truth_fits(self):
        """Hold that nothing was misread: what is said of the cells must be true of them."""
        values = np.zeros(self.size)
        for cell, item in zip(self.cells, self.reader.truth.loc[self.cells].itertuples(), strict=True):
            values[self.place["n", cell]] = np.nan_to_num(item.denominator)
            values[self.place["x", cell]] = np.nan_to_num(item.numerator)
        said = np.array(self.lines) @ values
        assert (said >= np.array(self.line_low) - 2 * CLOSE).all(), self.cells[0]
        assert (said <= np.array(self.line_high) + 2 * CLOSE).all(), self.cells[0]
        assert (values >= self.bounds[:, 0] - CLOSE).all(), self.cells[0]
        assert (values <= self.bounds[:, 1] + CLOSE).all(), self.cells[0]

    def wanted(self):
        """Say which numbers are hidden, and how wide the range of each must be."""
        widths = {}
        for cell, item in zip(self.cells, self.reader.frame.loc[self.cells].itertuples(), strict=True):
            if item.status == "suppressed":
                widths["x", cell] = WIDTH
                if np.isnan(item.denominator):
                    widths["n", cell] = WIDTH
                    if cell[0] not in self.reader.events:
                        widths["rest", cell] = WIDTH
            elif item.status == "censored":
                low, high = self.bounds[self.place["x", cell]]
                widths["x", cell] = min(WIDTH_OF_RANGE, high - low)
        return widths

    def aim(self, what, cell):
        row = np.zeros(self.size)
        if what != "x":
            row[self.place["n", cell]] = 1
        if what != "n":
            row[self.place["x", cell]] = 1 if what == "x" else -1
        return row

    def solve(self, aim):
        lines = sparse.csr_array(np.array(self.lines))
        finite_low, finite_high = np.isfinite(self.line_low), np.isfinite(self.line_high)
        answer = optimize.linprog(
            aim,
            A_ub=sparse.vstack([lines[finite_high], -lines[finite_low]]),
            b_ub=np.concatenate(
                [np.array(self.line_high)[finite_high], -np.array(self.line_low)[finite_low]]
            ),
            bounds=np.clip(self.bounds, 0, 1e5),
        )
        assert answer.status == 0, (self.cells[0], answer.message)
        return answer.x

    def narrower(self, wanted):
        """Move all at once first; what has not moved far enough is asked for by itself."""
        aims = {key: self.aim(*key) for key in wanted}
        rng = np.random.default_rng(0)
        some = []
        for _ in range(4):
            aim = sum(rng.choice([-1, 1]) * row for row in aims.values())
            some += [self.solve(aim), self.solve(-aim)]
        for key, row in aims.items():
            enough = wanted[key] - 1e-3
            if np.ptp(np.array(some) @ row) < enough:
                some += [self.solve(row), self.solve(-row)]
                if np.ptp(np.array(some) @ row) < enough:
                    yield key


def read_site(root, site_id):
    view, results = published(root, site_id)
    assert (
        view.release.record["attack"]["narrower_than_wanted"] == 0
    )  # so that every number is left its width
    full = evalkit.open_site(network="demo", site_id=site_id, audience="internal", workspace=str(root))
    reader = Reader(view, full.table.frame)
    reader.read(results)
    return reader


@pytest.fixture(scope="module")
def cedar_flats(workspace):
    return read_site(workspace, "cedar-flats")


def recent(site_id):
    return {
        (site_id, population, period)
        for population in ("resident", "target_school")
        for period in ("2013", "2024")
    }


def test_nothing_published_of_a_site_gives_a_hidden_number_away(cedar_flats):
    found, attacked = cedar_flats.pinned(only=recent("cedar-flats"))
    assert not found
    assert attacked > 100


def test_nothing_published_of_another_site_gives_a_hidden_number_away(workspace):
    found, attacked = read_site(workspace, "hawthorn-bend").pinned(only=recent("hawthorn-bend"))
    assert not found
    assert attacked > 50


def test_a_gap_computed_from_the_full_table_is_caught(cedar_flats):
    reader = cedar_flats
    before = len(reader.rows)
    cell = next(
        cell
        for cell, item in reader.frame.iterrows()
        if item["status"] == "suppressed"
        and not np.isnan(item["denominator"])
        and cell[3] == "2024"
        and cell[1] == reader.site_id
        and cell[4] in reader.references
        and (*cell[:-1], reader.references[cell[4]]) in reader.rate
    )
    full = reader.truth["numerator"] / reader.truth["denominator"]
    gap = full[cell] - full[(*cell[:-1], reader.references[cell[4]])]
    planted = {**dict(zip(CELL, cell, strict=True)), "term": "difference", "n": np.nan}
    per = reader.per[cell[0]]
    reader.read_tidy(pd.DataFrame([{**planted, "estimate": gap * per}]), {})
    found, _ = reader.pinned(only={cell[1:4]})
    del reader.rows[before:], reader.rate[cell]
    assert ("x", cell) in found


def test_a_number_of_persons_beside_a_hidden_group_is_caught(cedar_flats):
    reader = cedar_flats
    cell = next(
        cell
        for cell, item in reader.frame.iterrows()
        if item["status"] == "suppressed" and np.isnan(item["denominator"]) and cell[3] == "2024"
    )
    before = len(reader.rows)
    reader.say_persons([cell], reader.truth.loc[cell, "denominator"])
    found, _ = reader.pinned(only={cell[1:4]})
    del reader.rows[before:]
    assert ("n", cell) in found


@pytest.mark.slow
@pytest.mark.parametrize("site_id", SITES)
def test_nothing_published_of_the_demonstration_gives_a_hidden_number_away(workspace, site_id):
    found, attacked = read_site(workspace, site_id).pinned()
    assert not found
    assert attacked > 500
