"""Parts of the boundary, and beginnings, that no term knows of."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from jno.compiler import models_of
from jno.domain.shapes import NUMBERED_EDGES

from ._conditions import INITIAL, Conditions, far_from, places_along
from ._examination import Examination
from ._record import Finding
from ._unknowns import Unknown, is_periodic, prescribed, unknowns_of

_MISSED = 0.1
"""Part of the boundary that may be missed."""

_NEARLY_ALL, _MOST = 0.9, 0.5
"""Parts of the points at the first time, and of a named side, that count as all of it."""
_MOST_TAGS = 4


def missed_places(examination: Examination) -> list[Finding]:
    """Sampled points that nothing reads, and parts of the boundary and of the first time without a condition."""
    findings = _unread(examination)
    conditions = Conditions(examination.view)
    if conditions.has_data:
        return findings
    for unknown in unknowns_of(conditions.terms):
        findings += _boundary(examination, conditions, unknown)
        findings += _beginning(examination, conditions, unknown)
    return list({(finding.kind, finding.statement): finding for finding in findings}.values())


def _unread(examination: Examination) -> list[Finding]:
    view, domain = examination.view, examination.view.program.domain
    counts = {
        record.tag: int(np.shape(domain.context[record.tag])[2])
        for record in domain.samples.records
        if record.tag not in view.read_tags and record.tag not in domain.samples.prefilled
    }
    return [
        Finding(
            "boundary",
            tag,
            float(count),
            f"{count} points of {tag!r} are sampled, and no term reads them",
            f"add the condition on {tag!r} to the list of constraints, or leave variable({tag!r}) out",
        )
        for tag, count in counts.items()
    ]


def _boundary(examination: Examination, conditions: Conditions, unknown: Unknown) -> list[Finding]:
    """Where an unknown of second order has neither a term nor a value by construction."""
    domain = conditions.domain
    if unknown.order < 2 or not domain.geometry.has("boundary") or not domain.same_domain:
        return []
    tags = conditions.on_boundary(unknown)
    if domain.dimension == 1 and len(tags) >= unknown.order:
        return []  # all conditions may be at one end
    places = places_along(domain.geometry, "boundary")
    missed = far_from(places, conditions.points(list(dict.fromkeys(tags))))
    if missed.any():
        free = _free(examination, conditions, unknown, places, missed)
        if free is None:
            return []
        missed[missed] = free
    names = _missed_parts(conditions, places, missed)
    share = float(missed.mean())
    if not names and share < _MISSED:
        return []
    where = ", ".join(map(repr, names)) if names else _box(places[missed], domain.spatial)
    models = models_of([unknown.expression])
    subject = unknown.expression.metadata.label or ", ".join(model.model_key for model in models)
    return [
        Finding(
            "boundary",
            subject,
            share,
            f"{100 * share:.0f} % of the boundary has no condition on {subject}: {where}",
            "add a term with points there, or make the values hold by construction; a natural condition needs nothing",
        )
    ]


def _free(
    examination: Examination,
    conditions: Conditions,
    unknown: Unknown,
    places: Float[np.ndarray, "n d"],
    missed: Bool[np.ndarray, " n"],
) -> Bool[np.ndarray, " m"] | None:
    """Of the missed places those where the unknown may take any value; None where that is not known."""
    view, inside = examination.view, conditions.inside()
    time = _middle(conditions)
    if inside is None:
        return None
    holds = prescribed(view, unknown, places[missed], inside, time, time)
    if holds is None:
        return None
    box = np.stack([places.min(axis=0), places.max(axis=0)])
    return ~holds & ~is_periodic(view, unknown, places[missed], box, time)


def _missed_parts(
    conditions: Conditions, places: Float[np.ndarray, "n d"], missed: Bool[np.ndarray, " n"]
) -> list[str]:
    """Names of the parts of the boundary of which most is missed; none where there are many."""
    from scipy.spatial import cKDTree

    tree, parts = cKDTree(places), dict[bytes, str]()
    # of several names for the same edges one that is not a number
    for name in sorted(conditions.domain.boundary_tags(), key=lambda tag: (tag in NUMBERED_EDGES, tag)):
        try:
            part = places_along(conditions.domain.geometry, name)
        except ValueError:  # a part without edges or faces
            continue
        if name != "boundary" and float(missed[tree.query(part)[1]].mean()) > _MOST:
            parts.setdefault(np.sort(part, axis=0).tobytes(), name)
    names = sorted(parts.values())
    return names if len(names) <= _MOST_TAGS else []


def _box(places: Float[np.ndarray, "n d"], names: list[str]) -> str:
    ranges = zip(names, places.min(axis=0), places.max(axis=0), strict=False)
    return ", ".join(f"{name} = {lower:.3g} … {upper:.3g}" for name, lower, upper in ranges)


def _beginning(examination: Examination, conditions: Conditions, unknown: Unknown) -> list[Finding]:
    """An unknown that is differentiated by time, without a value at the first one."""
    axis, inside = conditions.domain.time_axis, conditions.inside()
    if unknown.time_order < 1 or axis is None or conditions.has_beginning or inside is None:
        return []
    start = float(np.ravel(axis.levels)[0])
    holds = prescribed(examination.view, unknown, inside, inside, start, _middle(conditions))
    if holds is None or holds.mean() > _NEARLY_ALL:
        return []
    return [
        Finding(
            "boundary",
            INITIAL,
            1.0,
            f"the equation differentiates by time, and no term gives values at t = {start:.3g}",
            'add a term on variable("initial"), or write u = u0 + t * net(x, t)',
        )
    ]


def _middle(conditions: Conditions) -> float | None:
    axis = conditions.domain.time_axis
    return None if axis is None else float(np.ravel(axis.levels)[axis.n // 2])
