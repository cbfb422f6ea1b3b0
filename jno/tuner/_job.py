"""One trial as a task for a worker: what runs, where, and under which settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import jax

from jno.utils import ad_mode

from ._device_config import DeviceConfig
from ._pruning import MedianRule
from ._trial import Outcome, Trial

RunTrial = Callable[..., Outcome]
"""``run(trial, *, rule)``, with ``rule`` a `MedianRule` or None."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of JAX and jNO that change what a trial computes, and that other threads or processes do not inherit."""

    x64: bool
    first_order: str | None
    second_order: str | None

    @classmethod
    def current(cls) -> Settings:
        """Those of the calling thread."""
        return cls(
            bool(jax.config.read("jax_enable_x64")), ad_mode.configured_ad_mode(), ad_mode.configured_hessian_mode()
        )

    def apply_modes(self) -> None:
        """Set the differentiation modes of the process, where they differ."""
        if ad_mode.configured_ad_mode() != self.first_order:
            ad_mode.set_ad_mode(self.first_order or "reverse")
        if ad_mode.configured_hessian_mode() != self.second_order:
            ad_mode.set_hessian_mode(self.second_order or "fwd-over-rev")


@dataclasses.dataclass(frozen=True)
class Job:
    """Runs one trial on one device: trial ``n`` on device ``n`` modulo their number.

    With as many trials in flight as devices, that device is free: trial ``n + W`` is proposed after trial ``n``.
    """

    run: RunTrial
    trial: Trial
    rule: MedianRule | None
    devices: DeviceConfig | None
    """None: the devices that the worker finds."""
    settings: Settings

    def __call__(self) -> Outcome:
        """Run the trial."""
        self.settings.apply_modes()
        devices = (self.devices or DeviceConfig.auto_detect()).devices
        device = devices[self.trial.number % len(devices)]
        with jax.enable_x64(self.settings.x64), jax.default_device(device):
            return self.run(self.trial, rule=self.rule)


@dataclasses.dataclass(frozen=True)
class Jobs:
    """Makes the jobs of a sweep."""

    run: RunTrial
    devices: DeviceConfig | None
    settings: Settings
    prune: bool

    def job(self, trial: Trial, reported: Sequence[Outcome]) -> Job:
        """The job of a trial; pruning compares it with trials reported before it was proposed."""
        rule = MedianRule.of(reported) if self.prune else None
        return Job(self.run, trial, rule, self.devices, self.settings)
