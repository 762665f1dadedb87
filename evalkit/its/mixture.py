"""Quantiles and tail areas of mixtures of Student's t, for many mixtures at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.its import student

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

MAXIMUM_STEPS = 80  # safeguarded steps of third order; two or three are usual
RELATIVE_TOLERANCE = 1e-4  # of the spread: a step of third order this small leaves an error below 1e-9
BLOCK = 24_000  # numbers held at once while solving, so that they stay in the processor's cache
NEGLIGIBLE = 1e-12  # largest weight in a block below which a component is left out


@dataclass(frozen=True, eq=False)
class TMixture:
    """N mixtures of G components; component g of mixture i is location + spread · t(df).

    Attributes
    ----------
    location, spread : (G, N)
    weight : (G, N), every column sums to 1
    df : (N,) degrees of freedom, above 0; endless for normal components
    """

    location: Floats
    spread: Floats
    weight: Floats
    df: Floats

    def mean(self) -> Floats:
        """Return the weighted mean of the locations, (N,)."""
        mean: Floats = np.einsum("gn,gn->n", self.weight, self.location)
        return mean

    def standard_error(self) -> Floats:
        """Return the root of the mean squared spread plus the variance of the locations, (N,).

        It leaves the tail factor df / (df − 2) out: a mixture of one component has the usual standard error.
        """
        between = self.location - self.mean()
        between *= between
        between += self.spread**2
        variance: Floats = np.einsum("gn,gn->n", self.weight, between)
        return np.asarray(np.sqrt(variance))

    def below(self, value: Floats) -> Floats:
        """Return the probability of lying below `value` (N,)."""
        answer = np.full(self.df.shape, np.nan)
        exact = len(self.location) == 1
        for part, df, columns in self._blocks():
            with np.errstate(all="ignore"):
                z = (value[columns] - part.location) / part.spread
                area = student.distribution(z, df) if exact else student.below(z, df)
            answer[columns] = np.einsum("gn,gn->n", part.weight, area)
        return answer

    def two_sided(self) -> Floats:
        """Return twice the smaller tail area beyond 0, (N,): read like a p-value."""
        below = self.below(np.zeros_like(self.df))
        return np.asarray(np.clip(2 * np.minimum(below, 1 - below), 0.0, 1.0))

    def quantile(self, probability: float) -> Floats:
        """Return the value with this probability below it, (N,); NaN where a part of the mixture is NaN."""
        return np.asarray(self.quantiles((probability,))[0])

    def quantiles(self, probabilities: tuple[float, ...]) -> Floats:
        """Return the values with these probabilities below them, (number of probabilities, N)."""
        if len(self.location) == 1:
            return np.stack(
                [self.location[0] + self.spread[0] * student.quantile(self.df, p) for p in probabilities]
            )
        answer = np.full((len(probabilities), self.df.size), np.nan)
        for part, df, columns in self._blocks():
            mean, scale = part.mean(), part.standard_error()
            for row, probability in enumerate(probabilities):
                answer[row, columns] = part._solve(probability, df, mean, scale)
        return answer

    def _blocks(self) -> "Iterator[tuple[TMixture, float, Indices]]":
        """Cut into blocks of the same degrees of freedom, without components that count nothing."""
        for df in np.unique(self.df[np.isfinite(self.location).all(axis=0)]):
            same = np.flatnonzero(self.df == df)
            step = max(1, BLOCK // len(self.location))
            for first in range(0, same.size, step):
                columns = same[first : first + step]
                span = (
                    columns
                    if columns.size < columns[-1] + 1 - columns[0]
                    else slice(columns[0], columns[-1] + 1)
                )
                weight = self.weight[:, span]
                counted = np.flatnonzero(weight.max(axis=1) > NEGLIGIBLE)
                if counted.size < len(weight):
                    kept = (counted[:, None], columns) if span is columns else (counted, span)
                    yield (
                        TMixture(self.location[kept], self.spread[kept], self.weight[kept], self.df[span]),
                        df,
                        columns,
                    )
                else:
                    yield (
                        TMixture(self.location[:, span], self.spread[:, span], weight, self.df[span]),
                        df,
                        columns,
                    )

    def _take(self, which: Indices) -> "TMixture":
        return TMixture(self.location[:, which], self.spread[:, which], self.weight[:, which], self.df[which])

    def _solve(self, probability: float, df: float, mean: Floats, scale: Floats) -> Floats:
        tail = float(student.quantile(np.array(df), probability))
        # the quantile lies between the smallest and the largest of the components' own quantiles
        own = self.spread * tail
        own += self.location
        if not (self.weight > 0).all():
            counted = self.weight > 0
            low, high = (
                np.where(counted, own, np.inf).min(axis=0),
                np.where(counted, own, -np.inf).max(axis=0),
            )
        else:
            low, high = own.min(axis=0), own.max(axis=0)
        value = np.clip(mean + tail * scale, low, high)
        open_ones = np.flatnonzero(np.isfinite(value) & (scale > 0))
        part = self if open_ones.size == value.size else self._take(open_ones)
        for _ in range(MAXIMUM_STEPS):
            if open_ones.size == 0:
                break
            at = value[open_ones]
            excess, slope, bend = part._local(at, df, probability)
            low[open_ones] = np.where(excess < 0, at, low[open_ones])
            high[open_ones] = np.where(excess > 0, at, high[open_ones])
            with np.errstate(all="ignore"):
                newton = excess / slope
                moved = at - newton / np.maximum(1 - 0.5 * newton * bend / slope, 0.5)
            inside = (moved >= low[open_ones]) & (moved <= high[open_ones])
            moved = np.where(inside, moved, (low[open_ones] + high[open_ones]) / 2)
            value[open_ones] = moved
            still = np.abs(moved - at) > RELATIVE_TOLERANCE * scale[open_ones]
            if not still.all():
                open_ones = open_ones[still]
                part = part._take(np.flatnonzero(still))
        return np.asarray(value)

    def _local(self, at: Floats, df: float, probability: float) -> tuple[Floats, Floats, Floats]:
        """Return the distribution function less the probability, its slope and its bend at a value (N,)."""
        inverse = 1 / self.spread
        z = at - self.location
        z *= inverse
        area, density = student.both(z, df)
        density *= self.weight
        density *= inverse
        excess = np.einsum("gn,gn->n", self.weight, area) - probability
        slope = density.sum(axis=0)
        # t density: f'(z) = −f(z) (df + 1) z / (df + z²); of a normal one −f(z) z
        if np.isinf(df):
            z *= -1.0
        else:
            divisor = z * z
            divisor += df
            z /= divisor
            z *= -(df + 1)
        z *= inverse
        bend = np.einsum("gn,gn->n", density, z)
        return excess, slope, bend
