"""View factors of sampled boundary tags."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from .._regions import Regions
from ..mesh._arcs import Arcs
from ..sampling._context import SampleRecord
from ._surfaces import slack_of, surface, walls
from ._view_factors import exchange

Blocks = dict[tuple[str, str], np.ndarray]


class Enclosures(Regions, ABC):
    """Exchange of diffuse radiation between boundary tags of the plane."""

    @abstractmethod
    def _attach(self, name: str, values: Any, split: bool = False) -> Any:
        """Data in the context, as a tensor tag."""

    def compute_enclosure_view_factor(self, tags: Any, opaque_tags: Any = None) -> tuple[tuple[Any, ...], ...]:
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
        records = [self._sampled(tag) for tag in self._tag_list(tags)]
        self._check_plane(records[0].tag)
        opaque = () if opaque_tags is None else tuple(self._tag_list(opaque_tags))
        arcs = [self._arcs(record) for record in records]
        geometry = self._geometry
        return self._enclosure(records, arcs, walls(geometry, opaque), same_tag=True)

    def _enclosure(
        self, records: list[SampleRecord], arcs: list[Arcs], blockers: Float[np.ndarray, "K 2 2"], *, same_tag: bool
    ) -> tuple[tuple[Any, ...], ...]:
        """All blocks, in the context and as tensor tags."""
        slack = slack_of(self._geometry)
        # a piece that does not touch the medium still belongs to its point
        lengths = [self._arcs(record).measures for record in records]
        factors: list[list[np.ndarray]] = [[np.zeros(0)] * len(arcs) for _ in arcs]
        seen = [list(row) for row in factors]
        for i, first in enumerate(arcs):
            for j, second in enumerate(arcs[i:], start=i):
                if i == j and not same_tag:
                    factors[i][j] = np.zeros((first.count, first.count))
                    seen[i][j] = np.zeros((first.count, first.count))
                    continue
                found = exchange(first, second, blockers, slack)
                for a, b, areas, visible in (
                    (i, j, found.areas, found.visible),
                    (j, i, found.areas.T, found.visible.T),
                ):
                    factors[a][b] = _per_area(areas, lengths[a])
                    seen[a][b] = visible.astype(np.float64)
        names = [record.tag for record in records]
        made = []
        for i, source in enumerate(names):
            row = []
            for j, target in enumerate(names):
                self._attach(f"v_{source}__{target}", seen[i][j][None, None])
                row.append(self._attach(f"f_{source}__{target}", factors[i][j][None, None]))
            made.append(tuple(row))
        joined = "+".join(names)
        self._attach(f"v_{joined}", np.block(seen)[None, None])
        self._attach(f"f_{joined}", np.block(factors)[None, None])
        _warn_if_dark(joined, factors)
        return tuple(made)

    def _view_factor(self, record: SampleRecord) -> Any:
        """`f_<tag>` of a boundary tag with itself."""
        self._check_plane(record.tag)
        arcs = self._arcs(record)
        found = exchange(arcs, arcs, walls(self._geometry), slack_of(self._geometry))
        factors = _per_area(found.areas, arcs.measures)
        _warn_if_dark(record.tag, [[factors]])
        self._attach(f"v_{record.tag}", found.visible.astype(np.float64)[None, None])
        return self._attach(f"f_{record.tag}", factors[None])

    def _arcs(self, record: SampleRecord) -> Arcs:
        return surface(self._geometry, record, self._one_row(record))

    def _one_row(self, record: SampleRecord) -> Float[np.ndarray, "n 2"]:
        """The points of all rows, which must be the same ones."""
        points = self.context[record.tag]
        if points.shape[0] > 1 and points.strides[0] != 0:
            raise NotImplementedError(
                f"View factors of {record.tag!r}: the {points.shape[0]} batch rows have points of their own, and one "
                "matrix cannot serve them. Compute view factors on a domain with one row, or sample all nodes."
            )
        return np.asarray(points[0, 0])

    def _check_plane(self, tag: str) -> None:
        if self.dimension != 2:
            raise NotImplementedError(
                f"View factors of {tag!r}: available in the plane only; this domain has {self.dimension} dimension(s)."
            )

    def _tag_list(self, tags: Any) -> list[str]:
        names = [tags] if isinstance(tags, str) else list(tags) if isinstance(tags, Sequence) else []
        if not names:
            raise ValueError(f"compute_enclosure_view_factor(tags) needs one or more boundary tags; got {tags!r}.")
        for name in names:
            record = self._store.find(name)
            region = name if record is None else record.region
            if not self._geometry.has(region):
                raise self._unknown_tag(name)
            if not self._geometry.is_boundary(region):
                raise ValueError(f"The tag {name!r} is not a boundary tag; view factors need outward normals.")
        return names

    def _sampled(self, tag: str) -> SampleRecord:
        """The points of a boundary tag."""
        record = self._store.find(tag)
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


def _warn_if_dark(name: str, blocks: list[list[np.ndarray]]) -> None:
    if not any(np.any(block) for row in blocks for block in row):
        warnings.warn(
            f"View factors of {name!r}: no point sees another one along its normal. Normals point out of the domain; "
            "sample with reverse_normals=True if the radiation passes through the domain.",
            UserWarning,
            stacklevel=4,
        )
