"""How much each autocorrelation ρ counts: for one series, or for a family of them that learns it together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# hyper-prior of the network's ρ: centers and spreads of a truncated normal, all equally likely beforehand
NETWORK_CENTERS = tuple(np.round(np.arange(-0.3, 0.91, 0.1), 1))
NETWORK_SPREADS = (0.05, 0.1, 0.2, 0.3, 0.5)


def lone_prior(rho: Floats, log_share: Floats) -> Floats:
    """Return the log of the prior 1 + ρ times the share (G,) of each point of the integration rule."""
    return np.asarray(np.log1p(rho) + log_share)


def network_prior(
    log_restricted: Floats,
    rho: Floats,
    log_share: Floats,
    *,
    centers: Sequence[float] = NETWORK_CENTERS,
    spreads: Sequence[float] = NETWORK_SPREADS,
) -> Floats:
    """Learn from the restricted likelihoods (G, S) of a family what ρ its series have.

    The prior is a truncated normal averaged over every pair of center and spread; a pair counts as much as it
    makes the S series likely together.

    Returns
    -------
    The log (G,) of that prior, each point's share of the integration rule included.
    """
    center, spread = (grid.reshape(-1) for grid in np.meshgrid(centers, spreads, indexing="ij"))
    log_prior = -0.5 * ((rho[:, None] - center) / spread) ** 2 + log_share[:, None]
    log_prior -= log_prior.max(axis=0)
    prior = np.exp(log_prior)
    prior /= prior.sum(axis=0)
    likelihood = np.exp(log_restricted - log_restricted.max(axis=0))
    with np.errstate(divide="ignore"):
        joint = np.log(prior.T @ likelihood).sum(axis=1)
        share = np.exp(joint - joint.max())
        return np.asarray(np.log(prior @ (share / share.sum())))


def posterior(log_restricted: Floats, log_prior: Floats) -> Floats:
    """Weigh each ρ of a grid by prior (G,) × restricted likelihood (G, S); every column sums to 1."""
    log_weight = log_restricted + log_prior[:, None]
    weight = np.exp(log_weight - log_weight.max(axis=0))
    return np.asarray(weight / weight.sum(axis=0))


def prior_ends(rho: Floats, log_weight: Floats, *, share: float = 0.8) -> tuple[float, float, float]:
    """Sum up a distribution of ρ (G,): lower end, middle and upper end of the given central share."""
    weight = np.exp(log_weight - log_weight.max())
    total = np.cumsum(weight / weight.sum()) - 0.5 * weight / weight.sum()
    ends = np.interp([(1 - share) / 2, 0.5, (1 + share) / 2], total, rho)
    return float(ends[0]), float(ends[1]), float(ends[2])
