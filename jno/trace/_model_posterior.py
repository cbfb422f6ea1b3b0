"""Methods of a `Model` whose parameters are sampled: from the posterior, or from an approximation of it."""

from __future__ import annotations

from ._model_handle import H
from ._posterior import Posterior, Sampling, Variational


def bayesian(
    self: H,
    /,
    kernel_factory: object,
    *,
    prior: object = None,
    warmup: int = 500,
    keep: int = 1000,
    thin: int = 1,
    adapt: bool = True,
    num_chains: int = 1,
    init_jitter: float | int = 0.0,
    likelihood_scale: float | int = 1.0,
    **kernel_kwargs: object,
) -> H:
    """Sample the parameters from their posterior instead of optimising them; after ``mask(M)`` the selected ones.

    The log density is ``-likelihood_scale * loss + prior``, with the loss `core.solve` minimises: the mean over
    constraints.  For ``N`` measurements with Gaussian noise of standard deviation σ as the mean square of the
    only constraint, ``likelihood_scale = N / (2 σ²)`` (times the number of constraints, of which the loss is the
    mean).  Every epoch of ``solve`` makes one transition of the kernel; models with optimizers are trained beside
    it, on the mean over chains.  Models with equal settings are sampled together, others in
    turn, each conditional on the current values of the rest (Gibbs).

    Args:
        kernel_factory: a function of Blackjax such as ``blackjax.nuts``, ``hmc``, ``mala``, ``sgld``, ``sghmc``, or
            any that returns ``init`` and ``step`` as these do.  Its first argument is a log density
            (``logdensity_fn``) or a stochastic gradient of it (``grad_estimator``); the name tells which.
        prior: log density of the parameters (see `jno.bayesian.priors`): a function of what
            `posterior_samples` holds of one draw; default ``N(0, 10²)`` for every parameter.
        warmup: transitions before the first draw is kept.  With window adaptation they come before the first
            epoch, otherwise they are the first epochs.
        keep: most draws that are kept: the newest.
        thin: every ``thin``-th draw is kept.
        adapt: let window adaptation (as in Stan) choose ``step_size`` and ``inverse_mass_matrix`` of kernels that
            have both and an acceptance rate (NUTS, HMC).  ``step_size`` is then where it starts;
            ``target_acceptance_rate`` (0.8) and ``is_mass_matrix_diagonal`` (True) are passed on.
        num_chains: independent chains, vectorised.
        init_jitter: standard deviation of the noise added to the start of every chain.
        likelihood_scale: see above.
        kernel_kwargs: passed to the factory; for stochastic gradients ``step_size`` may be a schedule
            ``count -> value``.

    Raises:
        ValueError: numbers out of range; after `vi`; when training begins: a kernel without ``step_size``,
            unknown keywords, a loss that is random for a kernel that needs the log density.
        TypeError: arguments of a wrong type.

    Example:
        >>> import blackjax, jno
        >>> domain = jno.domain.line(mesh_size=0.5)
        >>> k = jno.np.parameter((), name="k")
        >>> k = k.bayesian(blackjax.mala, step_size=0.1, warmup=10, keep=20, num_chains=2)
        >>> history = jno.core([(k - 1.0).mse], domain=domain).solve(30)  # doctest: +ELLIPSIS
        INFO: ...
        >>> k.posterior_samples.shape
        (2, 20)

    Source: BlackJAX (Cabezas et al. 2024, arXiv:2402.10797); B-PINNs (Yang, Meng, Karniadakis 2021).
    """
    record = Sampling(
        kernel_factory, prior, warmup, keep, thin, adapt, num_chains, init_jitter, likelihood_scale, kernel_kwargs
    )
    return _sampled(self, record)


def vi(
    self: H,
    /,
    factory: object,
    *,
    optimizer: object,
    num_samples: int = 8,
    posterior_draws: int = 500,
    prior: object = None,
    likelihood_scale: float | int = 1.0,
    init_log_std: float | int = -3.0,
    init_mu_at_position: bool = True,
    **options: object,
) -> H:
    """Approximate the posterior of `bayesian` by a Gaussian instead; after ``mask(M)`` of the selected ones.

    Every epoch of ``solve`` makes one step on the evidence lower bound.  The module then holds the mean.

    Args:
        factory: ``blackjax.meanfield_vi``, ``blackjax.fullrank_vi``, or any that returns ``init``, ``step`` and
            ``sample`` as these do.
        optimizer: optax transform with its learning rate.
        num_samples: draws that estimate the gradient of a step.
        posterior_draws: draws put into `posterior_samples` after ``solve``.
        prior: as in `bayesian`.
        likelihood_scale: as in `bayesian`.
        init_log_std: logarithm of the standard deviations at the start.
        init_mu_at_position: whether the mean starts at the weights the model has, or at zero.
        options: passed to the factory.

    Raises:
        ValueError: numbers out of range; after `bayesian`; when training begins: unknown options, an
            initializer that needs the log density.
        TypeError: arguments of a wrong type.

    Example:
        >>> import blackjax, jno, optax
        >>> domain = jno.domain.line(mesh_size=0.5)
        >>> k = jno.np.parameter((), name="k")
        >>> k = k.vi(blackjax.meanfield_vi, optimizer=optax.adam(0.1), posterior_draws=50)
        >>> history = jno.core([(k - 1.0).mse], domain=domain).solve(30)  # doctest: +ELLIPSIS
        INFO: ...
        >>> k.posterior_samples.shape
        (1, 50)

    Source: Kucukelbir et al. 2017, "Automatic differentiation variational inference", JMLR 18(14).
    """
    record = Variational(
        factory,
        prior,
        optimizer,
        num_samples,
        posterior_draws,
        likelihood_scale,
        init_log_std,
        init_mu_at_position,
        options,
    )
    return _sampled(self, record)


def _sampled(self: H, posterior: Posterior) -> H:
    mask = self.take_mask()
    group = self.controls.group(mask)
    if group.posterior is not None and type(group.posterior) is not type(posterior):
        raise ValueError(
            f"{self.model_key}: bayesian() and vi() are mutually exclusive; call reset() or optimizer(...) before "
            "changing from one to the other"
        )
    # a scale goes with its optimizer; one that never had any is kept, and refused when training begins
    scale = group.scale if group.optimizer is None else None
    self._change(frozen=False, freeze_masks=() if mask is None else self.controls.freeze_masks)
    return self._set(self.controls.with_group(mask, optimizer=None, scale=scale, posterior=posterior))
