"""How much each option of a sweep matters for the objective."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Num

from jno.utils import from_extra

from ._trial import Outcome

FEWEST_TRIALS = 4
_TREES = 100
_SHUFFLES = 10


def importances(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Permutation importances of the options by name, from the largest to the smallest.

    Options that have one value in all finished trials are left out; the result is empty when there are fewer than
    four finished trials or nothing varies.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    finished = [outcome for outcome in outcomes if outcome.is_ranked]
    values = {name: _encoded([o.labels.get(name) for o in finished]) for name in _names(finished)}
    values = {name: column for name, column in values.items() if np.ptp(column) > 0}
    objectives = np.array([outcome.value for outcome in finished])
    if len(finished) < FEWEST_TRIALS or not values or np.ptp(objectives) == 0:
        return {}
    target = np.log(objectives) if (objectives > 0).all() else objectives
    importance = _permuted(np.stack(list(values.values()), axis=1), target)
    pairs = zip(values, importance.tolist(), strict=True)
    return dict(sorted(pairs, key=lambda pair: -pair[1]))


def _permuted(columns: Float[np.ndarray, "n P"], target: Float[np.ndarray, " n"]) -> Float[np.ndarray, " P"]:
    with from_extra("tune", "importances of options need scikit-learn"):
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.inspection import permutation_importance
    forest = RandomForestRegressor(_TREES, random_state=0).fit(columns, target)
    return np.asarray(
        permutation_importance(forest, columns, target, n_repeats=_SHUFFLES, random_state=0).importances_mean
    )


def _names(outcomes: Sequence[Outcome]) -> list[str]:
    return list(dict.fromkeys(name for outcome in outcomes for name in outcome.labels))


def _encoded(labels: Sequence[Any]) -> Num[np.ndarray, " n"]:
    """Numbers as they are (trees see their order only), anything else by its place among the sorted names."""
    if all(isinstance(label, (int, float)) for label in labels):
        return np.array(labels, float)
    texts = [json.dumps(label) for label in labels]
    places = {text: place for place, text in enumerate(sorted(set(texts)))}
    return np.array([places[text] for text in texts], float)
