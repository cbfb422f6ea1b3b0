"""Options of Bayesian models: what is refused and how the message reads, what is forgotten, what is kept in files."""

import blackjax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import mlp

import jno
from jno.bayesian import GaussianApproximation
from jno.trace import Variational
from jno.utils.callbacks import Callback

MALA = {"step_size": 0.1}


def line(**options):
    return jno.domain.line(mesh_size=0.5, **options)


def parameter(name="k", **options):
    return jno.np.parameter((1,), name=name).initialize(0.5)


def sampled(factory=blackjax.mala, name="k", **options):
    """A parameter that is sampled, by default with what MALA needs."""
    return parameter(name).bayesian(factory, **(options if factory is not blackjax.mala else {**MALA, **options}))


def core_of(*parameters, domain=None):
    return jno.core([(k - 2.0).mse for k in parameters], domain=domain or line())


def refused(message, *parameters, epochs=3, **options):
    with pytest.raises(ValueError, match=message):
        core_of(*parameters).solve(epochs, **options)


# --- the arguments of bayesian() and vi() ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_chains": 0}, r"bayesian\(num_chains=0\): it must be an integer of at least 1"),
        ({"keep": 0}, r"bayesian\(keep=0\): it must be an integer of at least 1"),
        ({"thin": 0}, r"bayesian\(thin=0\): it must be an integer of at least 1"),
        ({"thin": True}, r"bayesian\(thin=True\): it must be an integer"),
        ({"warmup": -1}, r"bayesian\(warmup=-1\): it must be an integer of at least 0"),
        ({"init_jitter": -0.1}, r"bayesian\(init_jitter=-0.1\): it must not be negative"),
        ({"likelihood_scale": 0}, r"bayesian\(likelihood_scale=0\): likelihood_scale must be positive"),
        ({"likelihood_scale": -1.0}, "likelihood_scale must be positive"),
        ({"likelihood_scale": np.inf}, r"bayesian\(likelihood_scale=inf\): it must be a finite number"),
    ],
)
def test_numbers_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        parameter().bayesian(blackjax.mala, **MALA, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_samples": 0}, r"vi\(num_samples=0\): it must be an integer of at least 1"),
        ({"posterior_draws": 0}, r"vi\(posterior_draws=0\): it must be an integer of at least 1"),
        ({"likelihood_scale": 0.0}, r"vi\(likelihood_scale=0.0\): likelihood_scale must be positive"),
        ({"init_log_std": np.nan}, r"vi\(init_log_std=nan\): it must be a finite number"),
    ],
)
def test_numbers_out_of_range_in_vi(options, message):
    with pytest.raises(ValueError, match=message):
        parameter().vi(blackjax.meanfield_vi, optimizer=optax.adam(1e-2), **options)


@pytest.mark.parametrize("factory", [blackjax.meanfield_vi, blackjax.fullrank_vi])
def test_approximations_begin_with_the_deviation_asked_for(factory):
    position = {"a": jnp.array([1.0, -2.0]), "b": jnp.array([[0.5]])}
    for at_position in (True, False):
        record = Variational(factory, None, optax.adam(1e-2), 1, 1, 1.0, -3.0, at_position, {})
        approximation = GaussianApproximation(record, "net")
        draws = approximation.sample(jax.random.PRNGKey(0), approximation.init(position), 4000)
        rows = np.concatenate([draws["a"], draws["b"][:, 0]], axis=1)
        mean = np.array([1.0, -2.0, 0.5]) if at_position else np.zeros(3)
        np.testing.assert_allclose((rows - mean).mean(axis=0) / np.exp(-3.0), 0.0, atol=0.06)
        np.testing.assert_allclose(np.cov(rows.T) / np.exp(-6.0), np.eye(3), atol=0.08)


def test_arguments_of_a_wrong_type():
    with pytest.raises(TypeError, match=r"bayesian\(kernel_factory='nuts'\): expected a function, got str"):
        parameter().bayesian("nuts")
    with pytest.raises(TypeError, match=r"bayesian\(prior=3.0\): expected a function, got float"):
        parameter().bayesian(blackjax.mala, prior=3.0)
    with pytest.raises(TypeError, match=r"vi\(optimizer=.*expected an optax transform with its learning rate"):
        parameter().vi(blackjax.meanfield_vi, optimizer=optax.adam)


def test_sampling_and_approximation_exclude_each_other():
    def approximate(model):
        return model.vi(blackjax.meanfield_vi, optimizer=optax.adam(1e-2))

    k = sampled()
    with pytest.raises(ValueError, match=r"k: bayesian\(\) and vi\(\) are mutually exclusive; call reset\(\)"):
        approximate(k)
    approximate(k.optimizer(optax.adam(1e-2)))
    with pytest.raises(ValueError, match="mutually exclusive"):
        k.bayesian(blackjax.mala, **MALA)
    k.reset().bayesian(blackjax.mala, **MALA)
    net = mlp(1, name="net")
    mask = jax.tree_util.tree_map(eqx.is_array, net.module)
    approximate(net.mask(mask))
    with pytest.raises(ValueError, match=r"net: .* mutually exclusive"):
        net.mask(mask).bayesian(blackjax.mala, **MALA)


# --- what a kernel needs and takes ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("factory", "options", "message"),
    [
        (blackjax.mala, {}, r"k.bayesian\(blackjax.mala\) requires a step_size: give step_size=..., or adapt=True"),
        (blackjax.nuts, {"adapt": False}, r"k.bayesian\(blackjax.nuts\) requires a step_size"),
        (blackjax.nuts, {"warmup": 0}, "requires a step_size"),
        (blackjax.sgld, {}, r"k.bayesian\(blackjax.sgld\) requires a step_size: a number, or a schedule of the number"),
        (blackjax.sghmc, {}, "requires a step_size"),
        (blackjax.hmc, {}, r"k.bayesian\(blackjax.hmc\) requires a num_integration_steps: pass it"),
        (
            blackjax.mala,
            {"step_size": 1.0, "stepsize": 1.0},
            r"k.bayesian\(blackjax.mala\) takes no stepsize; it takes step_size",
        ),
        (
            blackjax.nuts,
            {"max_doublings": 3},
            "takes no max_doublings; it takes .*max_num_doublings.* target_acceptance_rate, is_mass_matrix_diagonal",
        ),
        (blackjax.sgld, {"step_size": 1.0, "alpha": 0.1}, "takes no alpha; it takes .*step_size"),
        (
            blackjax.nuts,
            {"adapt": False, "step_size": 1.0, "target_acceptance_rate": 0.9},
            "takes no target_acceptance_rate",
        ),
        (
            blackjax.nuts,
            {"adapt": False, "step_size": 0.1, "inverse_mass_matrix": np.ones(3)},
            r"inverse_mass_matrix has shape \(3,\); for 1 sampled numbers it must be a number, \(1,\) or \(1, 1\)",
        ),
        (
            blackjax.svgd,
            {},
            "the first argument of a kernel factory is named 'logdensity_fn' or 'grad_estimator', .*vi",
        ),
        (
            blackjax.elliptical_slice,
            {},
            "this one 'loglikelihood_fn'; kernels that are supported: .* nuts, hmc",
        ),
        (blackjax.csgld, {}, "this one 'logdensity_estimator'; kernels that are supported: .* nuts, hmc"),
        (blackjax.meads_adaptation, {}, r"requires a num_chains"),
        (
            lambda logdensity_fn: "nothing",
            {},
            "builds str, which is no kernel; kernels that are supported: .* nuts, hmc, .* sgld",
        ),
        (optax.adam, {}, "the first argument of a kernel factory is named .* that of this one 'learning_rate'"),
        (blackjax.meanfield_vi, {}, r"that of this one 'logdensity_fn' beside an optimizer: use vi\(\)"),
    ],
)
def test_kernels_and_their_options(factory, options, message):
    refused(message, parameter().bayesian(factory, **options))


def test_an_error_inside_a_kernel_says_what_is_supported():
    k = parameter().bayesian(blackjax.orbital_hmc, step_size=0.1, period=1.5, warmup=0, keep=2)
    with pytest.raises(TypeError, match="'float' object cannot be interpreted as an integer") as caught:
        core_of(k).solve(3)
    notes = " ".join(caught.value.__notes__)
    assert "raised by the kernel of k; kernels that are supported: of Blackjax nuts" in notes


def test_a_number_is_a_multiple_of_the_identity():
    draws = []
    for matrix in (2.0, np.full(1, 2.0)):
        k = sampled(blackjax.nuts, adapt=False, step_size=0.1, warmup=0, keep=3, inverse_mass_matrix=matrix)
        core_of(k).solve(3)
        draws.append(np.asarray(k.posterior_samples))
    np.testing.assert_array_equal(*draws)


def test_a_mass_matrix_of_the_user_beats_that_of_an_initializer(capsys):
    k = sampled(blackjax.nuts, adapt=False, step_size=0.1, warmup=0, keep=2, inverse_mass_matrix=2.0)
    core_of(k.initialize(jno.bayesian.laplace(map_steps=1))).solve(2)
    said = capsys.readouterr().out
    assert "k: the chains start where the initializer says, without its inverse_mass_matrix: that of bayesian()" in said
    assert "k: 1 chain(s) of 2 draws, 0 of 2 transitions divergent (0.0%), mean acceptance rate" in said


def test_a_kernel_is_no_approximation():
    k = parameter().vi(blackjax.nuts, optimizer=optax.adam(1e-2))
    refused(r"k.vi\(blackjax.nuts\): a factory for vi\(\) takes .* kernels are for bayesian\(\)", k)
    k = parameter().vi(blackjax.meanfield_vi, optimizer=optax.adam(1e-2), draws=3)
    refused(r"k.vi\(blackjax.meanfield_vi\) takes no draws; it takes .*objective", k)


def test_priors_and_parameters():
    refused(
        r"prior of k: it must return one number, .* it returns \(1,\) - sum it up", sampled(prior=lambda p: -(p**2))
    )
    refused("prior of k: .* it returns tuple", sampled(prior=lambda p: (p.sum(), 0)))
    z = jno.np.parameter((1,), name="z").initialize(lambda key, shape, dtype: jnp.ones(shape, dtype))
    z.model.module = eqx.tree_at(lambda m: m.value, z.module, jnp.ones(1, jnp.complex64))
    z.bayesian(blackjax.mala, **MALA)
    with pytest.raises(ValueError, match=r"z: .*value is complex; a log density is sampled over real parameters only"):
        jno.core([jno.np.abs(z).mse], domain=line()).solve(3)


def test_a_density_that_is_not_finite():
    k = jno.np.parameter((1,), name="k").bayesian(blackjax.mala, warmup=0, **MALA)
    core = jno.core([jno.np.log(k).mse], domain=line())
    with pytest.raises(ValueError, match=r"k: the log density is not finite where chain\(s\) 0 of 1 start"):
        core.solve(3)


# --- models beside each other ---------------------------------------------------------------------------------
def test_models_of_one_core_agree():
    refused(r"the same num_chains, .* found \[1, 2\]", sampled(num_chains=2), sampled(name="m"))
    refused(r"the same keep, .* found \[5, 6\]", sampled(keep=5), sampled(name="m", keep=6))
    refused(r"the same thin, .* found \[1, 2\]", sampled(thin=2), sampled(name="m"))
    other = parameter("m").vi(blackjax.meanfield_vi, optimizer=optax.adam(1e-2), posterior_draws=7)
    refused(
        r"keep= of bayesian\(\) and posterior_draws= of vi\(\) must be equal in one core, found \[5, 7\]",
        sampled(keep=5),
        other,
    )


def test_a_global_posterior_beside_groups():
    net = mlp(1, name="net").bayesian(blackjax.mala, **MALA)
    mask = eqx.tree_at(lambda m: m.hidden_layers[0].bias, jax.tree_util.tree_map(lambda _: False, net.module), True)
    net.mask(mask).optimizer(optax.adam(1e-2))
    x, _ = line().variable("interior")
    with pytest.raises(ValueError, match=r"model 'net': a global .bayesian\(\) or .vi\(\) samples all of its leaves"):
        jno.core([net(x).mse]).solve(3)


def test_scale_of_sampled_leaves():
    k = sampled()
    k.model.scale(0.1)
    refused(r"scale\(\) of k: it multiplies updates of an optimizer; sampled leaves have none", k)


def test_initializers_that_need_a_posterior():
    start = jno.bayesian.pathfinder()
    refused(
        r"model 'k': an initializer that needs the log density starts chains of bayesian\(\)",
        parameter().vi(blackjax.meanfield_vi, optimizer=optax.adam(1e-2)).initialize(start),
    )
    refused(
        r"model 'k' was given an initializer that needs the log density .* call k.bayesian\(...\) too",
        parameter().optimizer(optax.adam(1e-2)).initialize(start),
    )
    refused(
        r"the models of k\+m are sampled together: give all the same initializer object, or none",
        sampled(keep=2, warmup=0).initialize(start),
        sampled(name="m", keep=2, warmup=0),
    )


# --- options of solve -----------------------------------------------------------------------------------------
def test_too_few_epochs():
    refused(
        r"epochs=3 ends before the first draw of k is kept: after 5 transitions of warm-up every 2\. is kept; use "
        "epochs=11",
        sampled(warmup=5, keep=3, thin=2),
    )


def test_a_loss_that_is_random():
    reason = "the kernel of k needs a log density that is the same whenever it is evaluated, and "
    k, domain = sampled(warmup=0), 4 * line()
    y = domain.variable("y", np.arange(4.0)[:, None])
    with pytest.raises(ValueError, match=reason + "batchsize=2 draws mini-batches: .* blackjax.sgld"):
        jno.core([(k - y).mse]).solve(3, batchsize=2)
    noisy = jno.core([(k - 2.0 + jno.noise.gaussian()).mse], domain=line())
    with pytest.raises(ValueError, match=reason + "the constraints contain noise: use fixed data"):
        noisy.solve(3)
    x, t = line(time=(0, 1, 5)).variable("interior")
    timed = jno.core([(k * x - t).mse])
    with pytest.raises(ValueError, match=reason + "time windows are drawn at random: use min_consecutive=None"):
        timed.solve(3)
    x, _ = line().variable("interior", (3, None), resampling_strategy=jno.sampler.random(resample_every=1))
    moving = jno.core([(k * x).mse])
    with pytest.raises(ValueError, match=reason + "points are resampled: leave resampling_strategy= out"):
        moving.solve(3)


def test_options_of_gradient_training():
    k = sampled(warmup=0)
    with pytest.raises(ValueError, match=r"accumulation_steps= averages gradients .* leave it out with .* model k"):
        core_of(k, domain=4 * line()).solve(3, batchsize=1, accumulation_steps=2)
    refused("checkpoint_gradients=True is not available with the Bayesian model k", k, checkpoint_gradients=True)

    class Looks(Callback):
        def on_before_update(self, **given):
            return None

    refused(r"Looks.on_before_update\(\) sees gradients of optimizers; .* the Bayesian model k", k, callbacks=[Looks()])
    losses = [(k - 1.0).mse, (k - 2.0).mse]
    w = jno.fn.adaptive.relobralo(losses)
    balanced = jno.core([w[0] * losses[0], w[1] * losses[1]], domain=line())
    with pytest.raises(ValueError, match="weights that follow the losses change the posterior of k"):
        balanced.solve(3)


def test_masked_models_refuse_the_same():
    net = mlp(1, name="net").optimizer(optax.adam(1e-2))
    mask = eqx.tree_at(lambda m: m.hidden_layers[0].bias, jax.tree_util.tree_map(lambda _: False, net.module), True)
    net.mask(mask).bayesian(blackjax.sgld, warmup=0, **MALA)
    x, _ = (4 * line()).variable("interior")
    with pytest.raises(ValueError, match=r"accumulation_steps= .* the Bayesian model net\[0\]"):
        jno.core([net(x).mse]).solve(3, batchsize=1, accumulation_steps=2)
    net.mask(mask).scale(0.5)
    with pytest.raises(ValueError, match=r"scale\(\) of net\[0\]"):
        jno.core([net(x).mse]).solve(3)


def test_substeps():
    two = (sampled(blackjax.nuts), sampled(blackjax.nuts, "m"))
    refused(
        r"substeps= and window adaptation \(adapt=True\) of k, m are not compatible: use adapt=False",
        *two,
        substeps=[[0], [1]],
    )
    k = sampled(warmup=0)
    shared = jno.core([(k - 1.0).mse, (k - 2.0).mse], domain=line())
    with pytest.raises(
        ValueError, match=r"k is sampled, so the constraints of exactly one substep .* found substep 0,"
    ):
        shared.solve(3, substeps=[[0], [1]])


# --- what is forgotten ----------------------------------------------------------------------------------------
def test_a_posterior_clears_freezing():
    k = parameter().freeze().bayesian(blackjax.mala, **MALA)
    assert not k.model.controls.frozen
    net = mlp(1)
    net.mask(jax.tree_util.tree_map(eqx.is_array, net.module)).freeze()
    net.vi(blackjax.meanfield_vi, optimizer=optax.adam(1e-2))
    assert net.controls.freeze_masks == ()


def test_a_file_keeps_the_draws_and_an_optimizer_replaces_them(tmp_path):
    m, k = (sampled(name=name, warmup=2, keep=8, num_chains=2, init_jitter=0.1) for name in "mk")
    core = core_of(k, m)
    core.solve(10)
    draws = np.asarray(k.posterior_samples)
    assert draws.shape == (2, 8, 1)

    jno.save(core, str(tmp_path / "core.pkl"))
    loaded = jno.load(str(tmp_path / "core.pkl"), expected_type=jno.core)
    model, other = loaded._models
    np.testing.assert_array_equal(model.posterior_samples, draws)
    np.testing.assert_array_equal(
        model.posterior_diagnostics["acceptance_rate"], k.posterior_diagnostics["acceptance_rate"]
    )
    np.testing.assert_allclose(loaded.eval(loaded.constraints[0]), (draws[..., 0] - 2.0) ** 2, rtol=1e-5)
    # training goes on where it was: the same draws in both
    core.solve(3)
    loaded.solve(3)
    np.testing.assert_array_equal(model.posterior_samples, k.posterior_samples)
    np.testing.assert_array_equal(model.posterior_samples[:, :5], draws[:, 3:])
    np.testing.assert_array_equal(other.posterior_samples, m.posterior_samples)

    for parameter in (k, m):
        parameter.optimizer(optax.adam(1e-2))
    assert k.posterior_samples is not None  # until it is trained
    core.solve(2)
    assert k.posterior_samples is None
    assert k.posterior_diagnostics is None
    assert core.eval(k).shape == (1,)
    model.reset()
    assert model.posterior_samples is None
    assert model.controls.default_group.posterior is None
    with pytest.raises(ValueError, match="model 'k' has no optimizer"):
        loaded.solve(2)
