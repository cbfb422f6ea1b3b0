"""The table of outcomes, and every place that falls short."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from ._outcomes import ACCEPTED, ALLOWED, HANG, NAMED, OUTCOMES, RAW, UNNAMED, Result

MOST_RAW = 0.005
LEAST_NAMED = 0.99


def refusals(results: Sequence[Result]) -> list[Result]:
    """The calls that must be refused, or were."""
    return [result for result in results if result.outcome != ALLOWED]


def reached(results: Sequence[Result]) -> bool:
    """Whether nonsense is refused clearly."""
    bad = refusals(results)
    count = Counter(result.outcome for result in bad)
    named, raw = count[NAMED] / max(len(bad), 1), count[RAW] / max(len(bad), 1)
    return named >= LEAST_NAMED and raw <= MOST_RAW and not count[HANG] and not count[ACCEPTED]


def printed(results: Sequence[Result], total: int, unknown: Mapping[str, list[str]]) -> str:
    """The table, and the places of every outcome that falls short, the most frequent first."""
    count, bad = Counter(result.outcome for result in results), len(refusals(results))
    lines = [f"{len(results)} calls of {total}"]
    for outcome in OUTCOMES:
        share = "" if outcome == ALLOWED else f"{100 * count[outcome] / max(bad, 1):6.1f} %"
        lines.append(f"  {outcome:<40}{count[outcome]:>7} {share}")
    without = [f"{label}({name})" for label, names in unknown.items() for name in names]
    if without:
        lines.append(f"  not tried: {', '.join(without)}")
    for outcome in (HANG, RAW, ACCEPTED, UNNAMED):
        lines += _places(outcome, [result for result in results if result.outcome == outcome])
    return "\n".join(lines)


def _places(outcome: str, results: Sequence[Result]) -> list[str]:
    if not results:
        return []
    places: dict[tuple[str, ...], list[Result]] = defaultdict(list)
    for result in results:
        key = (result.place,) if result.place else (result.case.recipe, result.case.parameter)
        places[key].append(result)
    lines = ["", f"{outcome}: {len(results)} calls, {len(places)} places"]
    for key, group in sorted(places.items(), key=lambda item: -len(item[1])):
        lines.append(f"  {len(group):>5}  {' '.join(key)}  {group[0].text[:160]!r}")
        calls = defaultdict(list)
        for result in group:
            calls[f"{result.case.recipe}({result.case.parameter})"].append(result.case.value)
        for call, values in sorted(calls.items())[:12]:
            lines.append(f"           {call}: {', '.join(sorted(values))}")
        if len(calls) > 12:
            lines.append(f"           and {len(calls) - 12} more")
    return lines
