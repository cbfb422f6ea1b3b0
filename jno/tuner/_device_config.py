"""Which devices trials run on."""

from __future__ import annotations

import dataclasses
from typing import Any, final

import jax

from jno.utils import is_integer


@final
@dataclasses.dataclass(frozen=True)
class DeviceConfig:
    """Devices of this process that share out the trials of a sweep; each trial runs on one of them.

    Args:
        platform: ``"cpu"``, ``"gpu"``, ``"tpu"``, …: a platform that JAX has devices of.
        indices: which of its devices, counted from 0.

    Raises:
        ValueError: JAX has no such platform or device, or an index is given twice.

    Example:
        >>> from jno.tuner import DeviceConfig
        >>> DeviceConfig.from_spec("cpu").platform
        'cpu'
    """

    platform: str
    indices: tuple[Any, ...]

    def __post_init__(self) -> None:
        available = len(_on(self.platform))
        wrong = [index for index in self.indices if not is_integer(index) or not 0 <= index < available]
        if wrong or not self.indices or len(set(self.indices)) != len(self.indices):
            raise ValueError(
                f"devices: the indices {list(self.indices)} must be different and in 0 … {available - 1}: JAX has "
                f"{available} {self.platform} device{'s' * (available != 1)}"
            )

    @classmethod
    def auto_detect(cls) -> DeviceConfig:
        """All devices of JAX's default platform."""
        return cls.from_spec(jax.default_backend())

    @classmethod
    def from_spec(cls, spec: object) -> DeviceConfig:
        """The devices that `core.sweep(devices=spec)` means.

        Args:
            spec: None: all of the default platform; an int: that many of them; a str: all of that platform; a list of
                ints: those of the default platform; a `DeviceConfig`: itself.

        Raises:
            ValueError: anything else, an unknown platform, more devices than there are.

        Example:
            >>> from jno.tuner import DeviceConfig
            >>> len(DeviceConfig.from_spec(1))
            1
        """
        if isinstance(spec, DeviceConfig):
            return spec
        if spec is None:
            return cls.auto_detect()
        if isinstance(spec, str) and spec:
            return cls(spec, tuple(range(len(_on(spec)))))
        if is_integer(spec):
            available = len(_on(jax.default_backend()))
            if not 1 <= spec <= available:
                raise ValueError(
                    f"devices={spec}: JAX has {available} {jax.default_backend()} device{'s' * (available != 1)}; "
                    f"give a number in 1 … {available}, or run trials in processes with executor="
                )
            return cls(jax.default_backend(), tuple(range(spec)))
        if isinstance(spec, (list, tuple)):
            return cls(jax.default_backend(), tuple(spec))
        raise ValueError(
            f"devices={spec!r}: expected None (all), a number of devices, a platform such as 'gpu', a list of device "
            "indices or a DeviceConfig"
        )

    def __len__(self) -> int:
        """The number of devices."""
        return len(self.indices)

    @property
    def devices(self) -> list[jax.Device]:
        """JAX's own objects."""
        available = _on(self.platform)
        return [available[index] for index in self.indices]


def _on(platform: str) -> list[jax.Device]:
    try:
        return jax.local_devices(backend=platform)
    except RuntimeError as error:
        raise ValueError(f"devices: JAX has no devices of platform {platform!r} here: {error}") from error
