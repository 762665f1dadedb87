"""Quantiles and tail areas of mixtures of Student's t, for many mixtures at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

MAXIMUM_STEPS = 60  # safeguarded Newton steps; four are usual
RELATIVE_TOLERANCE = 1e-9  # of the spread of the mixture, far below what any report prints
BLOCK = 2_000_000  # numbers held at once while solving: bounds memory, not results


@dataclass(frozen=True, eq=False)
class TMixture:
    """N mixtures of G components; component g of mixture i is location + spread · t(df).

    Attributes
    ----------
    location, spread : (G, N)
    weight : (G, N), every column sums to 1
    df : (N,) degrees of freedom, above 0
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
        variance: Floats = np.einsum("gn,gn->n", self.weight, self.spread**2 + between**2)
        return np.sqrt(variance)

    def below(self, value: Floats) -> Floats:
        """Return the probability of lying below `value` (N,)."""
        with np.errstate(all="ignore"):
            areas = special.stdtr(self.df, (value - self.location) / self.spread)
        probability: Floats = np.einsum("gn,gn->n", self.weight, areas)
        return probability

    def two_sided(self) -> Floats:
        """Return twice the smaller tail area beyond 0, (N,): read like a p-value."""
        below = self.below(np.zeros_like(self.df))
        return np.asarray(np.minimum(1.0, 2 * np.minimum(below, 1 - below)))

    def quantile(self, probability: float) -> Floats:
        """Return the value with this probability below it, (N,); NaN where a part of the mixture is NaN."""
        if len(self.location) == 1:
            return np.asarray(self.location[0] + self.spread[0] * special.stdtrit(self.df, probability))
        step = max(1, BLOCK // len(self.location))
        answer = np.full(self.df.shape, np.nan)
        for first in range(0, self.df.size, step):
            part = slice(first, first + step)
            answer[part] = self._take(np.arange(self.df.size)[part])._solve(probability)
        return answer

    def _take(self, which: NDArray[np.intp]) -> "TMixture":
        return TMixture(self.location[:, which], self.spread[:, which], self.weight[:, which], self.df[which])

    def _solve(self, probability: float) -> Floats:
        tail = special.stdtrit(self.df, probability)
        # the quantile lies between the smallest and the largest of the components' own quantiles
        own = self.location + self.spread * tail
        counted = self.weight > 0
        low = np.min(np.where(counted, own, np.inf), axis=0)
        high = np.max(np.where(counted, own, -np.inf), axis=0)
        scale = self.standard_error()
        value = np.clip(self.mean() + tail * scale, low, high)
        constant = np.exp(special.gammaln((self.df + 1) / 2) - special.gammaln(self.df / 2)) / np.sqrt(
            self.df * np.pi
        )
        open_ones = np.flatnonzero(np.isfinite(value) & (scale > 0))
        for _ in range(MAXIMUM_STEPS):
            if open_ones.size == 0:
                break
            part, at = self._take(open_ones), value[open_ones]
            standardized = (at - part.location) / part.spread
            excess = np.einsum("gn,gn->n", part.weight, special.stdtr(part.df, standardized)) - probability
            density = np.einsum(
                "gn,gn->n",
                part.weight / part.spread,
                constant[open_ones] * (1 + standardized**2 / part.df) ** (-(part.df + 1) / 2),
            )
            low[open_ones] = np.where(excess < 0, at, low[open_ones])
            high[open_ones] = np.where(excess > 0, at, high[open_ones])
            with np.errstate(all="ignore"):
                newton = at - excess / density
            inside = (newton >= low[open_ones]) & (newton <= high[open_ones])
            moved = np.where(inside, newton, (low[open_ones] + high[open_ones]) / 2)
            value[open_ones] = moved
            open_ones = open_ones[np.abs(moved - at) > RELATIVE_TOLERANCE * scale[open_ones]]
        return np.asarray(value)
