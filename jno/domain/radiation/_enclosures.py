"""View factors of sampled boundary tags."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from jno.trace import TensorTag

from ..mesh import Arcs
from ..sampling import DomainView, SampleRecord, attach, unknown_tag
from ._surfaces import surface, walls
from ._view_factors import exchange

Matrix: TypeAlias = Float[np.ndarray, "_ _"]
ViewFactors: TypeAlias = tuple[tuple[TensorTag, ...], ...]


def compute_enclosure_view_factor(self: DomainView, tags: object, opaque_tags: object = None) -> ViewFactors:
    """View factors between boundary tags that enclose a cavity.

    Every sampled point stands for the piece of its tag's curve that lies nearest to it. The view factor from one
    point to another is exact for pieces that see each other completely (crossed strings); what stands in between is
    found with rays. Radiation leaves a boundary in the direction of its sampled normals: out of the domain, or
    through it when the tag was sampled with `reverse_normals=True`.

    Args:
        tags: boundary tags, sampled before with normals; a name or a list of names.
        opaque_tags: further boundary tags that block the view, such as interfaces; the whole boundary always does.

    Returns:
        `F[a][b]`, a `TensorTag` `f_<a>__<b>` of the view factors from every point of `a` to every point of `b`. The
        context holds `f_<a>__<b>` and the visibilities `v_<a>__<b>` of shape `(1, 1, N_a, N_b)`, and `f_<a+b>` and
        `v_<a+b>` for all tags together. Rows of a closed cavity sum to one; with the lengths `A` of the pieces
        `A_i F_ij = A_j F_ji`.

    Raises:
        ValueError: no tags, a tag that is unknown, no boundary, or not sampled with normals.
        NotImplementedError: domains in one or three dimensions, and batches whose rows differ.

    Example:
        >>> import jno
        >>> d = jno.domain.rect(mesh_size=0.1)
        >>> for tag in ("left", "right"):
        ...     _ = d.variable(tag, normals=True, reverse_normals=True)
        >>> F = d.compute_enclosure_view_factor(["left", "right"])
        >>> d.context["f_left__right"].shape
        (1, 1, 11, 11)
    """
    records = [sampled_boundary(self, tag) for tag in boundary_list(self, tags)]
    _check_plane(self, records[0].tag)
    opaque = () if opaque_tags is None else tuple(boundary_list(self, opaque_tags, "opaque_tags"))
    arcs = [arcs_of_record(self, record) for record in records]
    return enclosure(self, records, arcs, walls(self.geometry, opaque), same_tag=True)


def enclosure(
    domain: DomainView,
    records: Sequence[SampleRecord],
    arcs: Sequence[Arcs],
    blockers: Float[np.ndarray, "K 2 2"],
    *,
    same_tag: bool,
) -> ViewFactors:
    """The view factors between all pairs of tags, in the context and as tensor tags; `same_tag`: also with itself."""
    # a piece that does not touch the medium still belongs to its point
    lengths = [arcs_of_record(domain, record).measures for record in records]
    factors: list[list[Matrix]] = [[np.zeros((a.count, b.count)) for b in arcs] for a in arcs]
    visible: list[list[Matrix]] = [[np.zeros((a.count, b.count)) for b in arcs] for a in arcs]
    for i, source in enumerate(arcs):
        for j in range(i if same_tag else i + 1, len(arcs)):
            exchanged = exchange(source, arcs[j], blockers, domain.geometry.slack)
            factors[i][j] = _per_area(exchanged.areas, lengths[i])
            factors[j][i] = _per_area(exchanged.areas.T, lengths[j])
            visible[i][j] = exchanged.visible.astype(np.float64)
            visible[j][i] = exchanged.visible.T.astype(np.float64)
    names = [record.tag for record in records]
    rows = []
    for i, source_tag in enumerate(names):
        row = []
        for j, target_tag in enumerate(names):
            attach(domain, f"v_{source_tag}__{target_tag}", visible[i][j][None, None])
            row.append(_attached(domain, f"f_{source_tag}__{target_tag}", factors[i][j][None, None]))
        rows.append(tuple(row))
    joined = "+".join(names)
    attach(domain, f"v_{joined}", np.block(visible)[None, None])
    attach(domain, f"f_{joined}", np.block(factors)[None, None])
    _warn_if_dark(joined, factors)
    return tuple(rows)


def self_view_factor(domain: DomainView, record: SampleRecord) -> TensorTag:
    """`f_<tag>` of a boundary tag with itself."""
    _check_plane(domain, record.tag)
    arcs = arcs_of_record(domain, record)
    exchanged = exchange(arcs, arcs, walls(domain.geometry), domain.geometry.slack)
    factors = _per_area(exchanged.areas, arcs.measures)
    _warn_if_dark(record.tag, [[factors]])
    attach(domain, f"v_{record.tag}", exchanged.visible.astype(np.float64)[None, None])
    return _attached(domain, f"f_{record.tag}", factors[None])


def _attached(domain: DomainView, name: str, values: np.ndarray) -> TensorTag:
    leaf = attach(domain, name, values)
    assert isinstance(leaf, TensorTag)  # not split
    return leaf


def arcs_of_record(domain: DomainView, record: SampleRecord) -> Arcs:
    """The pieces of a boundary that belong to its sampled points."""
    return surface(domain.geometry, record, _one_row(domain, record))


def _one_row(domain: DomainView, record: SampleRecord) -> Float[np.ndarray, "n 2"]:
    """The points of all rows, which must be the same ones."""
    points = domain.context[record.tag]
    if points.shape[0] > 1 and points.strides[0] != 0:
        raise NotImplementedError(
            f"View factors of {record.tag!r}: the {points.shape[0]} batch rows have points of their own, and one "
            "matrix cannot serve them. Compute view factors on a domain with one row, or sample all nodes."
        )
    return np.asarray(points[0, 0])


def _check_plane(domain: DomainView, tag: str) -> None:
    if domain.dimension != 2:
        raise NotImplementedError(
            f"View factors of {tag!r}: available in the plane only; this domain has {domain.dimension} dimension(s)."
        )


def boundary_list(domain: DomainView, tags: object, argument: str = "tags") -> list[str]:
    """A tag or a sequence of tags, each a boundary."""
    names = [tags] if isinstance(tags, str) else list(tags) if isinstance(tags, Sequence) else []
    if not names:
        raise ValueError(f"compute_enclosure_view_factor({argument}) needs one or more boundary tags; got {tags!r}.")
    for name in names:
        record = domain.samples.find(name)
        region = name if record is None else record.region
        if not domain.geometry.has(region):
            raise unknown_tag(domain, name)
        if not domain.geometry.is_boundary(region):
            raise ValueError(f"The tag {name!r} is not a boundary tag; view factors need outward normals.")
    return names


def sampled_boundary(domain: DomainView, tag: str) -> SampleRecord:
    """The points of a boundary tag, sampled with normals and not replaced."""
    record = domain.samples.find(tag)
    if record is None:
        raise ValueError(
            f"The tag {tag!r} has not been sampled; first call domain.variable({tag!r}, sample=(n, None), "
            "normals=True)."
        )
    if not record.normals:
        raise ValueError(
            f"The tag {tag!r} was sampled without normals; call domain.variable({tag!r}, ..., normals=True)."
        )
    if record.resampling_strategy is not None:
        raise ValueError(
            f"the points of {tag!r} are resampled, and view factors belong to fixed points; leave out its "
            "resampling_strategy."
        )
    return record


def _per_area(areas: Float[np.ndarray, "N M"], measures: Float[np.ndarray, " N"]) -> Float[np.ndarray, "N M"]:
    return np.divide(areas, measures[:, None], out=np.zeros_like(areas), where=measures[:, None] > 0.0)


def _warn_if_dark(name: str, blocks: Sequence[Sequence[Matrix]]) -> None:
    if not any(np.any(block) for row in blocks for block in row):
        warnings.warn(
            f"View factors of {name!r}: no point sees another one along its normal. Normals point out of the domain; "
            "sample with reverse_normals=True if the radiation passes through the domain.",
            UserWarning,
            stacklevel=4,
        )
