"""`ModelHandle`: the record of what was asked of a network, and how it changes."""

from __future__ import annotations

import dataclasses
from abc import ABC
from typing import Any, TypeVar

from ._controls import Controls, Mask

S = TypeVar("S", bound="ModelHandle")

UNUSED_MASK = (
    "A mask selects leaves for the next optimizer(), scale(), freeze(), lora(), constrain(), bayesian(), vi() or "
    "u.grad(net); mask(None) clears it"
)
"""What to do with a mask that nothing uses."""


class ModelHandle(ABC):
    """What the methods of a `Model` act on; they stand in files of their own and are listed in the class.

    Attributes:
        name: display name, empty for none.
        weight_path: pretrained weights of the constructor.
        layer_id: number of the model in this process.
        controls: what was asked, immutable.
        open_mask: the leaves that the next method is for.
        version: number of changes of the controls that need another compilation.
    """

    name: str
    weight_path: str | None
    layer_id: int
    controls: Controls
    posterior_samples: Any
    posterior_diagnostics: dict[str, Any] | None
    open_mask: Mask
    version: int

    @property
    def model_key(self) -> str:
        """Name shown to users: `name`, or ``model_<id>``."""
        return self.name or f"model_{self.layer_id}"

    def take_mask(self) -> Any:
        """The open mask scope, which is closed by this."""
        mask, self.open_mask = self.open_mask, None
        return mask

    def _change(self: S, **changes: Any) -> S:
        return self._set(dataclasses.replace(self.controls, **changes))

    def _set(self: S, controls: Controls) -> S:
        """Take other controls; what was compiled for the old ones is not used again."""
        self.controls = controls
        self.version += 1
        return self

    def _refuse_mask(self, method: str) -> None:
        if self.open_mask is not None:
            raise ValueError(
                f"{self.model_key}.mask(...).{method}(): the mask acts on nothing, {method}() has no use for it. "
                f"{UNUSED_MASK}"
            )


H = TypeVar("H", bound=ModelHandle)
"""The type of the model whose method it is; bound to the class itself, since other files name it."""
