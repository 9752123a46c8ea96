"""What lesson 7 computes is right, its four GANs differ in what it says, its exercises judge."""

import itertools
import re
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from lessons import (
    assert_answers_pass,
    assert_code_passes,
    assert_mistake_is_named,
    cells_of,
    definer,
    layer_list,
    printed,
    solution_code,
)
from scipy import optimize, stats
from scipy.spatial import distance
from scipy.special import rel_entr

from helpers import datasets, gans, metrics, models, training
from helpers._backend import keras, tf

CELLS = cells_of("07_wasserstein_gan")


@pytest.fixture
def lesson():
    """Run the cells that define given names, in order; return what is then defined."""
    names = {
        "SEED": 1, "MOMENTS": 10, "LATENT_DIM": 64, "CRITIC_STEPS": 5, "CLIP": 0.01,
        "PENALTY": 10.0, "distance": distance, "gans": gans, "keras": keras,
        "layers": keras.layers, "metrics": metrics, "models": models, "np": np,
        "ops": keras.ops, "optimize": optimize, "pairwise": itertools.pairwise, "pd": pd,
        "permutations": itertools.permutations, "rel_entr": rel_entr, "stats": stats, "tf": tf,
        "time": time, "training": training,
    }  # fmt: skip
    return definer(CELLS, names)


# ---------------------------------------------------------------------------- moving earth


@pytest.fixture(params=[0, 1, 2])
def piles(request):
    """Two random piles on nine uneven places, and the distances between these."""
    random = np.random.default_rng(request.param)
    places = np.sort(random.uniform(0, 5, 9))
    pile, hole = random.dirichlet(np.full(9, 0.3), size=2)
    return SimpleNamespace(
        places=places, pile=pile, hole=hole, apart=np.abs(places[:, None] - places[None])
    )


def test_the_plan_is_a_plan_and_the_cheapest(lesson, piles):
    transport = lesson("transport").transport
    plan, work = transport(piles.pile, piles.hole, piles.apart)
    assert plan.min() >= 0
    np.testing.assert_allclose(plan.sum(axis=1), piles.pile, atol=1e-7)
    np.testing.assert_allclose(plan.sum(axis=0), piles.hole, atol=1e-7)
    assert (plan * piles.apart).sum() == pytest.approx(work)
    right = stats.wasserstein_distance(piles.places, piles.places, piles.pile, piles.hole)
    assert work == pytest.approx(right, abs=1e-6)


def test_the_plan_of_unequally_many_places(lesson):
    transport = lesson("transport").transport
    plan, work = transport(np.array([1.0]), np.array([0.25, 0.75]), np.array([[2.0, 4.0]]))
    np.testing.assert_allclose(plan, [[0.25, 0.75]])
    assert work == pytest.approx(3.5)


def test_the_best_critic_gains_what_the_best_plan_costs(lesson, piles):
    made = lesson("transport", "best_critic")
    _, work = made.transport(piles.pile, piles.hole, piles.apart)
    prices, gain = made.best_critic(piles.hole, piles.pile, piles.apart)
    assert gain == pytest.approx(work, abs=1e-6)
    assert prices @ (piles.hole - piles.pile) == pytest.approx(gain)
    assert (np.abs(prices[:, None] - prices) <= piles.apart + 1e-9).all()


def test_greedy_pairs_everybody_once_each_with_the_nearest_free(lesson):
    greedy = lesson("greedy").greedy
    assert greedy(np.array([[1.0, 2.0], [1.0, 9.0]])).tolist() == [0, 1]
    assert sorted(greedy(np.random.default_rng(0).uniform(size=(9, 9)))) == list(range(9))


def test_divergences_of_parallel_lines(lesson):
    made = lesson("divergences")
    made.names["heights"] = np.linspace(0, 1, 20)
    together, apart = made.divergences(0.0), made.divergences(-0.3)
    assert together == pytest.approx({"KL": 0, "JS": 0, "W": 0})
    assert apart == pytest.approx({"KL": np.inf, "JS": np.log(2), "W": 0.3})


# ------------------------------------------------------------------------- critics and leashes


def test_the_constraint_and_the_losses_are_those_of_helpers(lesson):
    made = lesson("Clip", "critic_loss", "generator_loss")
    w, real, fake = np.random.default_rng(0).normal(size=(3, 30, 1)).astype("float32")
    np.testing.assert_array_equal(made.Clip(0.3)(w), gans.Clip(0.3)(w))
    critic = models.points_discriminator(4)
    wgan = gans.WassersteinGAN(models.points_generator(), critic)
    wgan.begin_step()
    np.testing.assert_allclose(made.critic_loss(real, fake), wgan.discriminator_loss(real, fake))
    np.testing.assert_allclose(made.generator_loss(fake), wgan.generator_loss(fake))


def test_a_constraint_of_a_layer_is_kept_in_training(lesson):
    made = lesson("Clip", "critic_loss", "new_points_critic", "train_judge")
    bound = {"kernel_constraint": made.Clip(0.02), "bias_constraint": made.Clip(0.02)}
    critic = made.new_points_critic(width=8, **bound)
    assert critic.layers[-1].activation is keras.activations.linear
    real, fake = np.random.default_rng(0).normal(size=(2, 16, 2)).astype("float32")

    def loss(step):
        return made.critic_loss(critic(real), critic(fake))

    made.train_judge(critic, loss, keras.optimizers.RMSprop(0.01), 5)
    assert max(np.abs(w).max() for w in critic.get_weights()) == pytest.approx(0.02)


def test_points_are_mixed_alike_in_a_picture_and_differently_among_pictures(lesson):
    between = lesson("between").between
    shape = (500, 4, 4, 1)
    points = np.asarray(between(tf.ones(shape), tf.zeros(shape), 3))
    assert points.std(axis=(1, 2, 3)).max() < 1e-6
    shares = points.mean(axis=(1, 2, 3))
    assert stats.kstest(shares, "uniform").pvalue > 0.01
    assert not np.array_equal(points, np.asarray(between(tf.ones(shape), tf.zeros(shape), 4)))


def test_the_penalty_is_that_of_helpers(lesson, build):
    gradient_penalty = lesson("gradient_penalty").gradient_penalty
    critic = build.discriminator()
    x = tf.constant(np.random.default_rng(0).normal(size=(9, 4, 4, 1)), "float32")
    expected = gans.slope_penalty(training.input_gradient(critic, x))
    np.testing.assert_allclose(gradient_penalty(critic, x), expected, rtol=1e-5)


def test_gradients_of_layers_end_at_the_last_hidden_one(lesson):
    made = lesson("critic_loss", "new_points_critic", "gradient_in_layers")
    real, fake = np.random.default_rng(0).normal(size=(2, 16, 2)).astype("float32")
    made.names.update(ring=real, noisy=fake)
    critic = made.new_points_critic(depth=3, width=8)
    lengths = made.gradient_in_layers(critic)
    assert len(lengths) == 3
    # The loss is linear in the last hidden outputs: ± the last kernel / 16, on 32 rows.
    kernel = critic.layers[-1].get_weights()[0]
    assert lengths[-1] == pytest.approx(np.sqrt(32) * np.linalg.norm(kernel) / 16, rel=1e-5)


# ---------------------------------------------------------------------------------- the contest


@pytest.fixture
def contest(lesson):
    """The four recipes."""
    names = "new_generator", "new_critic", "adam", "ordinary", "spectral", "wasserstein"
    names += "clipped", "penalised"
    return lesson(*names)


def kinds(network, width=1):
    """Of each layer but normalisation and activation its kind, units or filters, and stride."""
    found = [(kind, c.get("filters", c.get("units")), c.get("strides")) for kind, c in
             layer_list(network)]  # fmt: skip
    known = [each for each in found if each[1]]
    return [(kind, size * width if size > 1 else 1, strides) for kind, size, strides in known]


def test_the_networks_are_lesson_1s_at_half_their_width(contest):
    assert kinds(contest.new_critic(), 2) == kinds(models.digit_discriminator())
    assert kinds(contest.new_generator(), 2) == kinds(models.digit_generator())
    norms = [
        sum(isinstance(layer, keras.layers.BatchNormalization) for layer in network.layers)
        for network in (contest.new_generator(), contest.new_critic())
    ]
    assert norms == [3, 0]


def test_the_four_differ_in_what_the_table_says(contest):
    four = {name: getattr(contest, name)(3) for name in ("ordinary", "clipped", "penalised",
                                                         "spectral")}  # fmt: skip
    assert {name: type(gan).__name__ for name, gan in four.items()} == {
        "ordinary": "GAN", "clipped": "WassersteinGAN", "penalised": "WassersteinGAN",
        "spectral": "GAN",
    }  # fmt: skip
    assert (four["ordinary"].loss_name, four["spectral"].loss_name) == ("non_saturating", "hinge")
    assert [gan.disc_updates for gan in four.values()] == [1, 5, 5, 1]
    assert (four["clipped"].clip, four["clipped"].gradient_penalty) == (0.01, 0)
    assert (four["penalised"].clip, four["penalised"].gradient_penalty) == (None, 10)
    optimizers = [type(o).__name__ for g in four.values() for o in g.optimizers().values()]
    assert optimizers == ["Adam"] * 2 + ["RMSprop"] * 2 + ["Adam"] * 4
    sizes = {sum(int(np.prod(w.shape)) for w in gan.discriminator.trainable_weights)
             for gan in four.values()}  # fmt: skip
    assert len(sizes) == 1
    assert len({gan.generator.count_params() for gan in four.values()}) == 1
    wrapped = [type(x).__name__ for x in four["spectral"].discriminator.layers if x.weights]
    assert wrapped == ["SpectralNormalization"] * 4
    assert {gan.seed for gan in four.values()} == {3}


def test_a_record_keeps_ten_moments_and_ends_the_run(lesson, clock):
    record = lesson("Record").Record(20.0)
    model = SimpleNamespace(sampler=SimpleNamespace(get_weights=list), stop_training=False)
    record.set_model(model)
    for step in range(1, 100):
        clock.now += 1.0 if step > 1 else 500.0  # the first step compiles
        record.on_train_batch_end(step, {"d_loss": float(step)})
        if model.stop_training:
            break
    seconds, steps, _ = zip(*record.kept, strict=True)
    assert seconds == tuple(np.arange(2.0, 21.0, 2.0))
    assert steps == tuple(range(3, 22, 2))
    assert record.losses == list(range(1, 22))


def test_moments_have_the_mean_loss_since_the_last(lesson, monkeypatch):
    made = lesson("moments_of")
    canvas = SimpleNamespace(set_weights=lambda weights: made.names.update(held=weights))
    made.names.update(canvas=canvas, some_z=None, scorer=None)
    monkeypatch.setattr(
        metrics, "score_generator", lambda *_: {"frechet_distance": made.names["held"]}
    )
    record = SimpleNamespace(losses=[1.0, 3.0, 5.0, 7.0, 9.0], kept=[(0.5, 2, 40), (0.9, 5, 20)])
    found = made.moments_of(record)
    assert found["d_loss"].tolist() == [2.0, 7.0]
    assert found["fréchet"].tolist() == [40, 20]


def test_the_verdict_is_sure_only_if_no_seed_contradicts(lesson):
    made = lesson("compare")
    index = pd.MultiIndex.from_product([["a", "b", "c"], [1, 2]])
    made.names["scores"] = pd.DataFrame({"Fréchet": [10.0, 20, 30, 60, 16, 50]}, index=index)
    assert made.compare("a", "b").startswith("a beats b with every seed, 3.0 times")
    assert made.compare("b", "a") == made.compare("a", "b")
    assert made.compare("a", "c").startswith("a beats c on average, though")


# ----------------------------------------------------------------------------------- the claims


def test_a_loss_that_falls_with_the_distance_correlates_with_it(lesson):
    correlations = lesson("correlations").correlations
    distances = np.array([90.0, 50.0, 30.0, 20.0])
    assert correlations(distances, -2 * distances) == pytest.approx({"r": 1, "ρ": 1})
    found = correlations(distances, np.log(distances))
    assert found["ρ"] == pytest.approx(-1)
    assert -1 < found["r"] < -0.9
    assert np.isnan(list(correlations(distances[:2], distances[:2]).values())).all()


def test_readings_leave_out_the_untrained_critic(lesson):
    readings_of = lesson("readings_of").readings_of
    monitor = SimpleNamespace(
        scores=[(0, 0.0, 500.0), (2, 1.0, 90.0), (5, 2.0, 40.0)],
        history={"d_loss": [-1.0, -3.0, -5.0, -6.0, -7.0]},
    )
    distances, losses = readings_of(monitor)
    assert distances.tolist() == [90.0, 40.0]
    assert losses.tolist() == [-2.0, -6.0]


def test_the_points_of_a_step_depend_on_seed_and_step(lesson):
    made = lesson("cloud_batches")
    made.names["clouds"], _ = datasets.ring(500, seed=1)
    first, second = (list(made.cloud_batches(2, n=8).take(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert len({np.asarray(batch).tobytes() for batch in first}) == 3
    (other,) = made.cloud_batches(3, n=8).take(1)
    assert not np.array_equal(other, first[0])


def test_modes_are_counted(lesson):
    made = lesson("modes")
    _, centres = datasets.ring(10, seed=1)
    made.names["centres"] = centres
    rows = np.repeat(centres[[0, 1, 2]], [1000, 951, 49], axis=0)
    rows[:200] += 5.0
    assert made.modes(lambda z: tf.constant(rows[: len(z)])) == (2, pytest.approx(0.9))


def test_the_stored_run_met_the_figures():
    said = printed(CELLS)
    (r,) = re.findall(r"snapshots: r = (-?[\d.]+)", said)
    assert float(r) >= 0.8
    assert re.search(r"(penalised beats clipped|clipped beats penalised) with every seed", said)


# --------------------------------------------------------------------------------- exercises


@pytest.mark.parametrize(
    ("number", "name"),
    [(1, "my_distance"), (2, "colleagues_penalty"), (4, "my_largest_singular_value")],
)
def test_solutions_pass_their_checks(lesson, capsys, number, name):
    made = lesson(name, f"check_exercise_{number}")
    assert_code_passes(made, CELLS, number, capsys)


@pytest.mark.parametrize(
    ("mine", "says"),
    [
        (lambda a, b: np.abs(a - b).mean(), "no crossings"),
        (lambda a, b: abs(a.mean() - b.mean()), "how far the means"),
        (lambda a, b: np.abs(np.sort(a) - np.sort(b)).sum(), "the mean, not the sum"),
        (lambda a, b: np.abs(np.sort(a) - np.sort(b)), "One number"),
        (lambda a, b: ((np.sort(a) - np.sort(b)) ** 2).mean(), "It should be"),
    ],
)
def test_check_of_exercise_1_names_the_mistake(lesson, mine, says):
    made = lesson("check_exercise_1")
    assert_mistake_is_named(made, 1, says, my_distance=mine)


def lengths_of(slopes):
    return keras.ops.sqrt(keras.ops.sum(slopes**2, axis=(1, 2, 3)))


@pytest.mark.parametrize(
    ("mine", "says"),
    [
        (lambda s: (lengths_of(s) - 1) ** 2, "A scalar"),
        (lambda s: keras.ops.mean((lengths_of(s) - 1) ** 2), "Now one-sided"),
        (lambda s: keras.ops.sum(keras.ops.relu(lengths_of(s) - 1) ** 2), "not the sum"),
        (lambda s: keras.ops.mean(keras.ops.relu(lengths_of(s) - 1)), "Square what"),
        (lambda s: keras.ops.mean(keras.ops.relu(keras.ops.abs(s) - 1) ** 2), "1.25, yours is"),
    ],
)
def test_check_of_exercise_2_names_the_mistake(lesson, mine, says):
    made = lesson("check_exercise_2")
    assert_mistake_is_named(made, 2, says, colleagues_penalty=mine)


def test_solution_of_exercise_3_passes_its_check(lesson, capsys):
    assert_answers_pass(lesson("check_exercise_3"), CELLS, 3, "my_readings", capsys)


def test_check_of_exercise_3_gives_a_hint_for_each_mistake(lesson, capsys):
    made = lesson("check_exercise_3")
    questions = re.findall(r'^    "(.+?)": None', "".join(c.source for c in CELLS), re.MULTILINE)
    made.names["my_readings"] = dict(zip(questions, (4, 2, -2, 2, 18, 10), strict=True))
    made.check_exercise_3()
    said = capsys.readouterr().out
    wrong = re.findall(r"Exercise 3, (.*?):", said)
    assert wrong == [questions[1], questions[2], questions[4]]
    assert "right." not in said


def normalised(x):
    return x / np.linalg.norm(x)


def power(w, u, steps):
    for _ in range(steps):
        v = normalised(w.T @ u)
        u = normalised(w @ v)
    return u @ w @ v


@pytest.mark.parametrize(
    ("mine", "says"),
    [
        (lambda w, u, steps: w @ w.T @ u, "One number"),
        (lambda w, u, steps: np.linalg.norm(np.linalg.matrix_power(w @ w.T, 9)), "without end"),
        (lambda w, u, steps: power(w, u, 1), "It should be"),
        (lambda w, u, steps: power(w, u, 200), "is `steps` used"),
    ],
)
def test_check_of_exercise_4_names_the_mistake(lesson, mine, says):
    made = lesson("check_exercise_4")
    assert_mistake_is_named(made, 4, says, my_largest_singular_value=mine)


def test_the_solution_of_exercise_4_has_no_more_rounds_than_asked_for():
    names = {"np": np}
    exec(solution_code(CELLS, 4), names)
    w, u = np.random.default_rng(0).normal(size=(5, 3)), np.ones(5)
    assert names["my_largest_singular_value"](w, u, 3) == pytest.approx(power(w, u, 3))
