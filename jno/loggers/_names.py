"""Labels are the user's and may repeat; names of columns and curves may not."""

from __future__ import annotations

from collections.abc import Iterable


def distinct_names(labels: Iterable[str]) -> tuple[str, ...]:
    """Return the labels in their order, a repeated one with the first free number appended.

    Args:
        labels: any labels; one that is unique stays as it is.

    Returns:
        As many names, no two alike.

    Example:
        >>> from jno.loggers import distinct_names
        >>> distinct_names(["pde", "fit", "fit", "fit_2"])
        ('pde', 'fit', 'fit_3', 'fit_2')
    """
    labels = tuple(labels)
    taken = set(labels)
    names: list[str] = []
    for label in labels:
        name, number = label, 1
        while name in names or (number > 1 and name in taken):
            number += 1
            name = f"{label}_{number}"
        names.append(name)
    return tuple(names)
