"""Logistic regression of maximum likelihood, with a small penalty on its weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.scoring.reliability import Vector

PENALTY = 1e-3  # on squared weights of standardised evidence: keeps the weights of correlated numbers small
DIGITS = 4  # of offset and weights


def fit_logistic(evidence: NDArray[np.float64], outcome: Vector, importance: Vector) -> tuple[float, tuple[float, ...]]:
    """Return offset and weights: log odds of the outcome without evidence, and per unit of each number.

    Args:
        evidence: shape (cases, numbers).
        outcome: 0 to 1, shape (cases,).
        importance: of each case, shape (cases,).
    """
    mean, spread = evidence.mean(axis=0), evidence.std(axis=0)
    standard = np.column_stack([np.ones(len(outcome)), (evidence - mean) / spread])
    share = importance / importance.sum()

    def loss(parameters: Vector) -> float:
        odds = standard @ parameters
        likelihood = share @ (np.logaddexp(0, odds) - outcome * odds)
        return float(likelihood + PENALTY * (parameters[1:] ** 2).sum())

    parameters = minimize(loss, np.zeros(standard.shape[1])).x
    weights = parameters[1:] / spread
    return round(float(parameters[0] - weights @ mean), DIGITS), tuple(np.round(weights, DIGITS).tolist())
