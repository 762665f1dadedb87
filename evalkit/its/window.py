"""One series made ready for a regression, and the reasons why it may not be."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalkit.errors import DesignError
from evalkit.indicators import IndicatorSeries
from evalkit.its.design import Design
from evalkit.its.timing import NO_PLACE, season_places, season_problem
from evalkit.periods import PANDAS_FREQUENCY, from_period, reader_label, to_period

Floats = NDArray[np.float64]

# observed periods: a trend before needs four, a level and a slope after two
FEWEST_BEFORE, FEWEST_AFTER = 4, 2


@dataclass(frozen=True, eq=False)
class Window:
    """The n periods of a series.

    Attributes
    ----------
    name : "site, indicator", for messages
    periods : PeriodIndex without holes
    low, high : (n,) bounds in the indicator's unit (percent for rates), equal where exact, NaN where hidden
    observed : (n,) whether anything is known of the period
    censored : (n,) whether only bounds are known
    season : place of each period in its year, or None
    """

    name: str
    frequency: str
    periods: pd.PeriodIndex
    low: Floats
    high: Floats
    observed: NDArray[np.bool_]
    censored: NDArray[np.bool_]
    season: list[int] | None

    @classmethod
    def of(cls, series: IndicatorSeries) -> "Window":
        """Take a series to the reader's unit."""
        scale = series.indicator.scale
        low = series.frame["rate_low"].to_numpy(dtype=np.float64) * scale
        high = series.frame["rate_high"].to_numpy(dtype=np.float64) * scale
        observed = np.isfinite(low) & np.isfinite(high)
        return cls(
            name=f"{series.site_id}, {series.indicator.id}",
            frequency=series.frequency,
            periods=series.frame.index,
            low=low,
            high=high,
            observed=observed,
            censored=observed & (series.frame["status"] == "censored").to_numpy(),
            season=season_places(series.frame.index, observed, series.frequency),
        )

    @classmethod
    def of_rows(cls, rows: pd.DataFrame, *, name: str, frequency: str) -> "Window":
        """Take the rows of one series from a saved `augment` frame."""
        index = pd.PeriodIndex(
            [to_period(str(text), frequency) for text in rows["period"]], freq=PANDAS_FREQUENCY[frequency]
        )
        every = pd.period_range(index.min(), index.max())
        full = rows.set_index(index)[["low", "high", "status"]].reindex(every)
        low, high = (full[end].to_numpy(dtype=np.float64) for end in ("low", "high"))
        observed = np.isfinite(low) & np.isfinite(high)
        return cls(
            name=name,
            frequency=frequency,
            periods=every,
            low=low,
            high=high,
            observed=observed,
            censored=observed & full["status"].eq("censored").to_numpy(),
            season=season_places(every, observed, frequency),
        )

    @property
    def last(self) -> int:
        """Position of the last observed period."""
        return int(np.flatnonzero(self.observed)[-1])

    def shown(self) -> NDArray[np.bool_]:
        """Tell which periods belong to the year at all: a month in which no year has a value does not."""
        if self.season is None:
            return np.ones(len(self.periods), dtype=np.bool_)
        return np.array([place != NO_PLACE for place in self.season])

    def label(self, position: int) -> str:
        """Write a period as a reader knows it."""
        return reader_label(from_period(self.periods[position]), self.frequency)

    def position(self, period: pd.Period) -> int:
        """Count periods from the first; a month without school moves on to the next one with."""
        place = int(period.ordinal - self.periods[0].ordinal)
        shown = self.shown()
        while 0 <= place < len(shown) and not shown[place]:
            place += 1
        return place

    def refuse_breaks(self, series: IndicatorSeries) -> None:
        """Raise where the definition or the test changes inside the window."""
        for period, reason in series.breaks():
            label = reader_label(from_period(period), self.frequency)
            raise DesignError(
                f"{self.name}: the definition changes in {label} ({reason}); cut the series there"
            )

    def refuse_interruption(
        self, start: int, period: pd.Period, fitted: NDArray[np.bool_], *, by_place: bool = True
    ) -> None:
        """Raise where an interruption at this position cannot be told from the trend.

        Parameters
        ----------
        fitted : (n,) periods whose values are in the fit
        by_place : whether each place of the year has an effect of its own
        """
        label = reader_label(from_period(period), self.frequency)
        if not self.observed.any():
            raise DesignError(f"{self.name}: every period is hidden or missing; there is nothing to fit")
        if not 0 < start < len(self.periods):
            raise DesignError(
                f"{self.name}: the interruption in {label} lies outside the window, "
                f"{self.label(0)} to {self.label(len(self.periods) - 1)}"
            )
        before, after = int(fitted[:start].sum()), int(fitted[start:].sum())
        if before < FEWEST_BEFORE or after < FEWEST_AFTER:
            raise DesignError(
                f"{self.name}: {before} periods before {label} and {after} from then on; an interrupted time "
                f"series needs at least {FEWEST_BEFORE} before and {FEWEST_AFTER} after"
            )
        if np.ptp(self.low[fitted]) == 0 and np.ptp(self.high[fitted]) == 0 and not self.censored.any():
            raise DesignError(
                f"{self.name}: every value is {self.low[fitted][0]:g}, so there is no error to measure; "
                "check that the values are not a constant filled in, a copy or a target"
            )
        if self.season is not None and by_place and (why := season_problem(self.season, fitted, start)):
            raise DesignError(f"{self.name}: {why}")

    def refuse_too_few(self, fitted: NDArray[np.bool_], design: Design) -> None:
        """Raise where the values are too few for the design, or cannot tell its columns apart."""
        count, columns = int(fitted.sum()), len(design.terms)
        if count <= columns:
            raise DesignError(
                f"{self.name}: {count} values for {columns} terms, {', '.join(design.terms)}; leave some out"
            )
        if np.linalg.matrix_rank(design.matrix[fitted]) < columns:
            raise DesignError(
                f"{self.name}: the values cannot tell all of {', '.join(design.terms)} apart; a covariate "
                "that runs with the trend or the interruption must be left out"
            )

    def refuse_no_error(self, exact: bool) -> None:
        """Raise where the line runs through every point."""
        if exact:
            raise DesignError(
                f"{self.name}: every value lies exactly on the fitted line, so there is no error to measure; "
                "check that the values are counts of persons, not copies or targets"
            )
