"""Terms whose gradients point against each other, or differ by orders of magnitude; terms that are not finite."""

from __future__ import annotations

import itertools

import numpy as np

from ._examination import Examination
from ._record import Finding

_OPPOSED = -0.8
"""Cosine below which two gradients are in conflict."""

_STANDING = 30.0
"""Times the share of a solved term that must be left of two terms in conflict.

In a valley that leads down, the gradients of its sides oppose each other, too.
"""

_RATIO = 100.0
"""Ratio of two norms that keeps the smaller one from being followed."""

_MOST_PAIRS = 3


def non_finite(examination: Examination) -> list[Finding]:
    """Terms, or gradients of terms, that are not finite."""
    finite = np.isfinite(examination.gradients).all(axis=1)
    findings = []
    for term, gradient_is_finite in zip(examination.terms, finite, strict=True):
        if np.isfinite(term.loss) and gradient_is_finite:
            continue
        field = next((field for field in examination.residuals if field.term is term), None)
        bad = 0 if field is None else int(np.sum(~np.isfinite(field.squares)))
        where = f"at {bad} of {len(field.squares)} points" if field is not None and bad else "in its gradient"
        findings.append(
            Finding(
                "non-finite",
                term.name,
                float(bad),
                f"{term.name} is not finite {where}",
                "look for divisions, logarithms and roots near zero; jno.np.where(condition, a, b) keeps the values "
                "finite and not the gradient: change the argument of the root, too",
            )
        )
    return findings


def conflicts(examination: Examination) -> list[Finding]:
    """Pairs of terms that are far from solved and whose gradients oppose each other.

    Near a minimum of the total loss all gradients cancel, so that opposed gradients of solved terms mean nothing.
    """
    norms = np.linalg.norm(examination.gradients, axis=1)
    standing = [
        term
        for term in examination.unsolved
        if norms[term.number] > 0.0 and term.share > _STANDING * examination.solved
    ]
    pairs = []
    for left, right in itertools.combinations(standing, 2):
        i, j = left.number, right.number
        gradients = examination.gradients
        cosine = float(np.vdot(gradients[i] / norms[i], gradients[j] / norms[j]).real)
        if cosine < _OPPOSED and max(norms[i], norms[j]) < _RATIO * min(norms[i], norms[j]):
            pairs.append((cosine, left, right))
    return [
        Finding(
            "conflict",
            f"{left.name}, {right.name}",
            cosine,
            f"the gradients of {left.name} and {right.name} point against each other (cosine {cosine:.2f}), with "
            f"{left.share:.2g} and {right.share:.2g} of their largest losses left",
            "check whether both can hold at once (data, signs, values where they meet); if they can, make one hold by "
            "construction, u = envelope * net, or balance them with jno.fn.adaptive",
        )
        for cosine, left, right in sorted(pairs, key=lambda pair: pair[0])[:_MOST_PAIRS]
    ]


def magnitudes(examination: Examination) -> list[Finding]:
    """Unsolved terms whose gradient is small beside that of another one."""
    norms = np.linalg.norm(examination.gradients, axis=1)
    leading = int(np.argmax(norms))
    findings = []
    for term in examination.unsolved:
        norm = norms[term.number]
        if 0.0 < norm < norms[leading] / _RATIO:
            ratio, name = float(norms[leading] / norm), examination.terms[leading].name
            findings.append(
                Finding(
                    "magnitudes",
                    f"{term.name}, {name}",
                    ratio,
                    f"the gradient of {term.name} is {ratio:.2g} times smaller than that of {name}, and "
                    f"{term.share:.2g} of its largest loss is left",
                    f"multiply {term.name} by a weight, or let jno.fn.adaptive.gradient_norm_balanced follow both",
                )
            )
    return findings[:_MOST_PAIRS]
