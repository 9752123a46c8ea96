"""What adversarial models share and how they differ: conditions, Wasserstein, schedules, noise."""

import numpy as np
import pytest

from helpers import gans, models, training
from helpers._backend import keras, tf

layers = keras.layers
CLASSES = 4


def one_hot(n=16):
    return np.eye(CLASSES, dtype=np.float32)[np.arange(n) % CLASSES]


def conditional_networks():
    """Tiny networks of two inputs."""
    keras.utils.set_random_seed(3)
    z, label = keras.Input((3,)), keras.Input((CLASSES,))
    made = layers.Dense(16, activation="tanh")(layers.Concatenate()([z, label]))
    generator = keras.Model([z, label], layers.Reshape((4, 4, 1))(made))
    picture, label = keras.Input((4, 4, 1)), keras.Input((CLASSES,))
    features = layers.Flatten()(models.LabelPlanes()([picture, label]))
    return generator, keras.Model([picture, label], layers.Dense(1)(features))


def compiled(gan, rate=0.1):
    gan.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(rate))
    return gan


def conditional_gan(**kwargs):
    return compiled(gans.ConditionalGAN(*conditional_networks(), **kwargs))


def wasserstein_gan(build, *, rate=0.1, **kwargs):
    return compiled(gans.WassersteinGAN(build.generator(), build.discriminator(), **kwargs), rate)


class Logs(keras.callbacks.Callback):
    """The logs of every step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append({name: float(value) for name, value in logs.items()})


# --- conditional ---------------------------------------------------------------------------


def test_label_planes_are_constant_and_only_the_own_class_is_1(pictures):
    joined = np.asarray(models.LabelPlanes()([pictures, one_hot()]))
    assert joined.shape == (16, 4, 4, 1 + CLASSES)
    np.testing.assert_array_equal(joined[..., :1], pictures)
    for i, planes in enumerate(joined[..., 1:]):
        for k in range(CLASSES):
            assert (planes[..., k] == float(k == i % CLASSES)).all(), f"picture {i}, plane {k}"


@pytest.mark.parametrize("half", ["discriminator", "generator"])
@pytest.mark.parametrize("joint_batch", [False, True])
def test_each_half_of_a_conditional_gan_moves_its_own_network(
    pictures, z, values, moved, half, joint_batch
):
    gan = conditional_gan(joint_batch=joint_batch)
    own, other = (
        (gan.discriminator, gan.generator)
        if half == "discriminator"
        else (gan.generator, gan.discriminator)
    )
    before = values(own.trainable_variables), values(other.variables)
    if half == "discriminator":
        gan.update_discriminator(pictures, z, one_hot())
    else:
        gan.update_generator(z, one_hot())
    assert all(moved(before[0], own.trainable_variables))
    assert not any(moved(before[1], other.variables))


def test_a_discriminator_can_use_the_label_and_a_generator_learns_to_obey():
    """Pictures of class k are all of one grey; nothing but the label tells which grey is right."""
    greys = np.linspace(-0.9, 0.9, CLASSES, dtype=np.float32)
    real = np.tile(greys[np.arange(64) % CLASSES][:, None, None, None], (1, 4, 4, 1))
    keras.utils.set_random_seed(5)
    generator, _ = conditional_networks()
    picture, label = keras.Input((4, 4, 1)), keras.Input((CLASSES,))
    x = layers.Dense(32)(layers.Flatten()(models.LabelPlanes()([picture, label])))
    x = layers.Dense(32)(layers.LeakyReLU(negative_slope=0.2)(x))
    logit = layers.Dense(1)(layers.LeakyReLU(negative_slope=0.2)(x))
    gan = gans.ConditionalGAN(generator, keras.Model([picture, label], logit), instance_noise=0.3)
    gan.compile(keras.optimizers.Adam(5e-3, 0.5), keras.optimizers.Adam(5e-3, 0.5))
    stream = tf.data.Dataset.from_tensors((real, one_hot(64))).repeat()
    gan.fit(stream, steps_per_epoch=600, verbose=0)
    labels = np.repeat(np.arange(CLASSES), 20)
    drawn = gan.draw(labels).mean(axis=(1, 2, 3)).reshape(CLASSES, 20).mean(axis=1)
    assert np.abs(drawn - greys).max() < 0.3, drawn


def test_draw_gives_each_picture_the_label_at_its_place():
    gan = conditional_gan()
    both = gan.draw([2, 0, 2], seed=4)
    z = training.noise(3, 3, seed=4, step=-1)
    by_hand = gan.sampler([z, tf.constant(one_hot()[[2, 0, 2]])], training=False)
    np.testing.assert_allclose(both, by_hand, atol=1e-6)


@pytest.mark.parametrize("n", [1, 3])
def test_a_condition_too_many_or_too_few_is_named(n):
    with pytest.raises(ValueError, match=f"{n} pictures are asked for with 2 conditions"):
        conditional_gan().generate(n, condition=one_hot()[:2])


def test_best_of_keeps_the_best_for_each_label_of_its_own():
    gan = conditional_gan()
    labels = one_hot()[[1, 3]]
    best = gan.generate(2, condition=labels, best_of=5, seed=1)
    z = training.noise(10, 3, seed=1, step=-1)
    given = tf.repeat(labels, 5, axis=0)
    made = gan.sampler([z, given], training=False)
    logits = np.asarray(gan.discriminator([made, given], training=False))[:, 0].reshape(2, 5)
    expected = np.asarray(made).reshape(2, 5, 4, 4, 1)[[0, 1], logits.argmax(axis=1)]
    np.testing.assert_allclose(best, expected, atol=1e-6)


@pytest.mark.parametrize("labels", [[0, 4], [-1], [0.5], [[1, 2]]])
def test_a_label_that_is_no_class_is_refused(labels):
    with pytest.raises(ValueError, match="whole numbers from 0 to 3"):
        conditional_gan().draw(labels)


def test_conditions_that_are_missing_or_of_another_shape_are_named(pictures):
    gan = conditional_gan()
    with pytest.raises(ValueError, match=r"want a condition of shape \(4,\)"):
        gan.fit(pictures, verbose=0)
    with pytest.raises(ValueError, match=r"has shape \(3,\) a picture"):
        gan.fit(pictures, one_hot()[:, :3], verbose=0)
    with pytest.raises(ValueError, match=r"want a condition"):
        gan.generate(2)
    assert gan.steps_done() == 0


def test_labels_that_do_not_match_the_pictures_are_refused_before_training(pictures):
    gan = conditional_gan()
    with pytest.raises(ValueError, match="16 pictures but 15 labels"):
        gan.check_batch((pictures, one_hot(15)))
    beyond, soft, two = one_hot(), one_hot(), one_hot()
    beyond[3] = 0  # what tf.one_hot makes of a label that is no class
    soft[3] = [0.5, 0.5, 0, 0]
    two[3] = [1, 1, 0, 0]
    for wrong in (beyond, soft, two):
        with pytest.raises(ValueError, match=r"label 3 of the batch is .* must be\s+one-hot"):
            gan.fit(pictures, wrong, verbose=0)
    assert gan.steps_done() == 0
    gan.check_batch((pictures, one_hot()))


def test_plain_networks_are_refused_for_a_conditional_gan_and_mixed_ones_for_any(build):
    with pytest.raises(ValueError, match="two inputs"):
        gans.ConditionalGAN(build.generator(), build.discriminator())
    generator, _ = conditional_networks()
    with pytest.raises(ValueError, match="Give both the same second input"):
        gans.GAN(generator, build.discriminator())


def test_builders_of_conditional_networks_fit_together_and_depend_on_the_label():
    keras.utils.set_random_seed(0)
    for generator in (models.conditional_generator(10), models.character_generator(10)):
        z = np.zeros((10, generator.input_shape[0][1]), np.float32)
        made = np.asarray(generator([z, np.eye(10, dtype=np.float32)], training=False))
        assert made.shape == (10, 28, 28, 1)
        assert np.abs(made).max() <= 1
        assert len({picture.tobytes() for picture in made}) == 10
    one_picture = np.repeat(made[:1], 10, axis=0)
    for builder in (models.conditional_discriminator, models.projection_discriminator):
        discriminator = builder(10)
        gans.ConditionalGAN(generator, discriminator)
        logits = discriminator([one_picture, np.eye(10, dtype=np.float32)], training=False)
        assert tuple(logits.shape) == (10, 1)
        assert len(np.unique(logits)) == 10


def test_the_projection_is_an_inner_product_with_the_vector_of_the_class():
    keras.utils.set_random_seed(0)
    network = models.projection_discriminator(5)
    (product,) = (x for x in network.layers if isinstance(x, layers.Dot))
    _, class_vector, plain = (x for x in network.layers if isinstance(x, layers.Dense))
    assert (class_vector.units, plain.units) == (128, 1)
    assert not class_vector.use_bias
    picture = np.random.default_rng(0).uniform(-1, 1, (1, 28, 28, 1)).astype(np.float32)
    features = keras.Model(network.inputs[0], product.input[0])
    described = features(picture, training=False).numpy()
    label = np.eye(5, dtype=np.float32)[[3]]
    by_hand = plain(described).numpy() + (described * class_vector.kernel.numpy()[3]).sum()
    np.testing.assert_allclose(network([picture, label], training=False), by_hand, rtol=1e-4)


# --- Wasserstein ---------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "cost"), [(0.0, 1.0), (1.0, 0.0), (3.0, 4.0), (0.5, 0.25)])
def test_the_slope_penalty_by_hand(length, cost):
    slopes = np.zeros((6, 4, 4, 1), np.float32)
    slopes[:, 1, 2, 0], slopes[:, 0, 0, 0] = 0.6 * length, 0.8 * length
    assert float(gans.slope_penalty(slopes)) == pytest.approx(cost, abs=1e-5)


def test_the_slope_penalty_is_meaned_over_the_batch_and_has_a_slope_at_zero():
    slopes = tf.Variable(np.zeros((2, 4, 4, 1), np.float32))
    slopes[0, 0, 0, 0].assign(1.0)
    with tf.GradientTape() as tape:
        cost = gans.slope_penalty(slopes)
    assert float(cost) == pytest.approx(0.5, abs=1e-5)
    assert np.isfinite(tape.gradient(cost, slopes)).all()


def test_the_penalty_is_on_the_critics_own_slope(build, pictures):
    """A linear critic has the same slope everywhere: the length of its weights."""
    critic = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(1)])
    gan = compiled(gans.WassersteinGAN(build.generator(), critic, gradient_penalty=7.0))
    length = np.linalg.norm(critic.layers[-1].kernel.numpy())
    penalty = float(gan.penalty(pictures, pictures[::-1]))
    assert penalty == pytest.approx(7.0 * (length - 1) ** 2, rel=1e-4)


def test_the_penalty_looks_at_uniformly_mixed_pictures(build, pictures, monkeypatch):
    gan = wasserstein_gan(build)
    seen = []
    plain = training.input_gradient
    monkeypatch.setattr(
        training, "input_gradient", lambda f, x: seen.append(np.asarray(x)) or plain(f, x)
    )
    real, fake = np.ones((500, 4, 4, 1), np.float32), -np.ones((500, 4, 4, 1), np.float32)
    gan.penalty(real, fake)
    (mixed,) = seen
    parts = (mixed[:, 0, 0, 0] + 1) / 2
    assert (mixed == mixed[:, :1, :1]).all(), "one part a picture, not one a pixel"
    assert 0 <= parts.min() < 0.02
    assert 0.98 < parts.max() <= 1
    np.testing.assert_allclose(np.quantile(parts, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.07)


def test_the_penalty_moves_the_critic_towards_slope_1(build, pictures):
    gan = wasserstein_gan(build, disc_updates=1, gradient_penalty=10.0, rate=0.02)
    gan.discriminator_loss = lambda real, fake: 0.0 * keras.ops.sum(real + fake)
    z = np.zeros((16, 3), np.float32)
    first = float(gan.update_discriminator(pictures, z))
    for _ in range(60):
        last = float(gan.update_discriminator(pictures, z))
    assert last < 0.1 * first


def test_clipping_really_clips_after_every_step(build, pictures):
    gan = wasserstein_gan(build, gradient_penalty=0, clip=0.01, rate=1.0)
    weights = gan.discriminator.trainable_variables
    assert max(float(np.abs(w).max()) for w in weights) <= 0.01, "from the first step on"
    before = [w.numpy().copy() for w in weights]
    for _ in range(3):
        gan.train_step(pictures)
    assert max(float(np.abs(w).max()) for w in weights) <= 0.01
    assert any(not np.array_equal(a, b) for a, b in zip(before, weights, strict=True))
    assert max(float(np.abs(w).max()) for w in gan.generator.trainable_variables) > 0.01


def test_the_critic_is_updated_five_times_a_step_and_its_loss_is_minus_the_distance(
    build, pictures, z
):
    gan = wasserstein_gan(build, gradient_penalty=0, clip=0.1)
    logs = gan.train_step(pictures)
    assert int(gan.d_optimizer.iterations) == 5
    assert int(gan.optimizer.iterations) == 1
    assert float(logs["wasserstein"]) == pytest.approx(-float(logs["d_loss"]))
    real, fake = np.float32([[3], [1]]), np.float32([[0], [-1]])
    assert float(gan.discriminator_loss(real, fake)) == pytest.approx(-2.5)
    assert float(gan.generator_loss(fake)) == pytest.approx(0.5)
    assert "d_real" not in logs, "a critic has no accuracy"


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({"clip": 0.01}, "one bound"),
        ({"gradient_penalty": 0}, "one bound"),
        ({"gradient_penalty": -1.0}, "GRADIENT_PENALTY is -1.0"),
        ({"gradient_penalty": 0, "clip": 0.0}, "limit of Clip is 0.0"),
    ],
)
def test_a_critic_has_exactly_one_bound_on_its_slope(build, wrong, names):
    with pytest.raises(ValueError, match=names):
        wasserstein_gan(build, **wrong)


def test_batch_normalization_in_a_penalised_critic_is_refused(build):
    critic = build.discriminator(layers.BatchNormalization(name="norm"))
    with pytest.raises(ValueError, match=r"BatchNormalization \(norm\)"):
        gans.WassersteinGAN(build.generator(), critic)
    with pytest.raises(ValueError, match=r"BatchNormalization \(norm\)"):
        gans.WassersteinGAN(build.generator(), keras.Sequential([critic, layers.Dense(1)]))
    gans.WassersteinGAN(build.generator(), critic, gradient_penalty=0, clip=0.01)


@pytest.mark.parametrize("option", ["r1", "smoothing", "label_noise"])
def test_what_a_critic_makes_no_use_of_is_refused(build, option):
    with pytest.raises(ValueError, match=f"a WassersteinGAN makes no use of {option}=0.5"):
        wasserstein_gan(build, **{option: 0.5})
    wasserstein_gan(build, **{option: 0.0})


# --- R1 ------------------------------------------------------------------------------------


def linear_gan(build, **kwargs):
    """A GAN whose discriminator has the same slope everywhere: its weights."""
    judge = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(1)])
    return compiled(gans.GAN(build.generator(), judge, **kwargs), rate=0.02), judge.layers[-1]


def test_r1_is_half_gamma_times_the_squared_slope_times_its_period(build, pictures):
    gan, last = linear_gan(build, r1=3.0, r1_every=4)
    squared = float(np.square(last.kernel.numpy()).sum())
    assert float(gan.penalty(pictures, pictures)) == pytest.approx(0.5 * 3 * 4 * squared, rel=1e-4)


def test_r1_looks_at_the_real_pictures(build, pictures, monkeypatch):
    gan, _ = linear_gan(build, r1=1.0)
    seen = []
    plain = training.input_gradient
    monkeypatch.setattr(
        training, "input_gradient", lambda f, x: seen.append(np.asarray(x)) or plain(f, x)
    )
    gan.penalty(pictures, 0 * pictures)
    np.testing.assert_array_equal(seen[0], pictures)


def test_r1_is_added_at_every_so_many_updates_of_the_discriminator_and_in_between_is_0(
    build, pictures, z
):
    gan, _ = linear_gan(build, r1=1.0, r1_every=3)
    costs = []
    for _ in range(7):
        costs.append(float(gan.penalty(pictures, pictures)))
        gan.update_discriminator(pictures, z)
    assert [cost > 0 for cost in costs] == [True, False, False, True, False, False, True]


def test_r1_keeps_the_discriminator_flatter_and_moves_no_other_network(build, pictures, values, z):
    lengths = {}
    for r1 in (0.0, 10.0):
        keras.utils.set_random_seed(0)
        gan, last = linear_gan(build, r1=r1, r1_every=2)
        before = values(gan.generator.variables)
        step = tf.function(gan.update_discriminator)
        for _ in range(30):
            step(pictures, z)
        lengths[r1] = float(np.linalg.norm(last.kernel.numpy()))
        for old, new in zip(before, gan.generator.variables, strict=True):
            if "moving" not in new.path:
                np.testing.assert_array_equal(old, new)
    assert lengths[10.0] < 0.5 * lengths[0.0]


def test_r1_reaches_the_discriminator_of_a_conditional_gan_and_passes_the_label(pictures):
    gan = conditional_gan(r1=2.0)
    assert float(gan.penalty(pictures, pictures, one_hot())) > 0
    gan.train_step((pictures, one_hot()))


@pytest.mark.parametrize(
    ("wrong", "names"),
    [({"r1": -1.0}, "R1 is -1.0"), ({"r1": 1.0, "r1_every": 0}, "R1_EVERY is 0")],
)
def test_r1_out_of_range_is_refused(build, wrong, names):
    with pytest.raises(ValueError, match=names):
        linear_gan(build, **wrong)


def test_r1_refuses_batch_normalization_in_the_discriminator_by_name(build):
    judge = build.discriminator(layers.BatchNormalization(name="norm"))
    with pytest.raises(ValueError, match=r"BatchNormalization \(norm\).*R1"):
        gans.GAN(build.generator(), judge, r1=1.0)


# --- schedules -----------------------------------------------------------------------------


def turns_of(gan, pictures, steps):
    """For each step of a ``.fit``, the updates that each network then had."""
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    counts = []
    count = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: counts.append(
            (int(gan.d_optimizer.iterations), int(gan.optimizer.iterations))
        )
    )
    logs = Logs()
    stream = tf.data.Dataset.from_tensors(pictures).repeat()
    gan.fit(stream, steps_per_epoch=steps, verbose=0, callbacks=[count, logs])
    turns = np.diff([(0, 0), *counts], axis=0)
    return [tuple(int(n) for n in turn) for turn in turns], logs.seen


def test_the_two_phase_schedule_of_recipe_r5_b_has_exactly_its_pattern(build, pictures):
    schedule = training.in_phases({0: training.every(gen=4), 8: training.every(disc=4)})
    turns, logs = turns_of(build.gan(schedule=schedule), pictures, 16)
    phase_1 = [(1, 1), (1, 0), (1, 0), (1, 0)]
    phase_2 = [(1, 1), (0, 1), (0, 1), (0, 1)]
    assert turns == 2 * phase_1 + 2 * phase_2
    assert logs[1]["g_loss"] == logs[0]["g_loss"], "a network at rest keeps its last loss"
    assert logs[4]["g_loss"] != logs[3]["g_loss"]
    assert logs[9]["d_loss"] == logs[8]["d_loss"]


def test_a_schedule_multiplies_the_updates_of_a_step(build, pictures):
    gan = build.gan(schedule=training.every(gen=3), disc_updates=2, gen_updates=1)
    assert turns_of(gan, pictures, 6)[0] == 2 * [(2, 1), (2, 0), (2, 0)]


def test_without_a_schedule_a_run_is_that_with_everyone_at_every_step(build, pictures, values):
    plain, scheduled = build.gan(seed=3), build.gan(seed=3, schedule=training.every())
    for gan in (plain, scheduled):
        turns_of(gan, pictures, 5)
    for a, b in zip(values(plain.weights), values(scheduled.weights), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_schedule_goes_on_where_the_last_fit_stopped(build, pictures):
    gan = build.gan(schedule=training.every(gen=4))
    stream = tf.data.Dataset.from_tensors(pictures).repeat()
    for steps in (3, 3):
        gan.fit(stream, steps_per_epoch=steps, verbose=0)
    assert int(gan.optimizer.iterations) == 2  # at steps 0 and 4


def test_a_schedule_that_does_not_say_how_to_begin_is_refused():
    with pytest.raises(ValueError, match="one must begin at step 0"):
        training.in_phases({5: training.every()})
    with pytest.raises(ValueError, match="gen is 0"):
        training.every(gen=0)


# --- noise on labels and pictures ----------------------------------------------------------


def test_label_noise_moves_both_labels_inwards_by_at_most_its_size(build, monkeypatch):
    seen = []
    monkeypatch.setitem(
        gans.LOSSES,
        "non_saturating",
        (lambda *args: seen.append([np.asarray(a) for a in args]) or 0.0, None),
    )
    gan = build.gan(label_noise=0.2, smoothing=0.1)
    logits = np.zeros((1000, 1), np.float32)
    gan.discriminator_loss(logits, logits)
    ((_, _, smoothing, fake_label),) = seen
    for label, low, high in ((1 - smoothing, 0.7, 0.9), (fake_label, 0.0, 0.2)):
        assert label.shape == (1000, 1)
        assert low - 1e-6 <= label.min() < low + 0.01
        assert high - 0.01 < label.max() <= high + 1e-6
    assert not np.allclose(smoothing - 0.1, fake_label), "each label has noise of its own"


def test_a_noisy_fake_label_is_the_minimum_of_its_loss():
    """Cross-entropy with label t is least where sigmoid(logit) = t."""
    logit = tf.Variable([[float(np.log(0.1 / 0.9))]])
    with tf.GradientTape() as tape:
        loss = gans.d_cross_entropy(np.zeros((1, 1), np.float32), logit, 0.0, 0.1)
    assert float(tape.gradient(loss, logit)[0, 0]) == pytest.approx(0.0, abs=1e-6)
    far = gans.d_least_squares(np.float32([[1.0]]), np.float32([[0.1]]), 0.0, 0.1)
    assert float(far) == pytest.approx(0.0, abs=1e-7)


def seen_by_the_discriminator(gan, pictures, step):
    """What the discriminator gets for these pictures at a step."""
    seen = []

    class Spy:
        def __call__(self, x, training):
            seen.append(np.asarray(x))
            return keras.ops.zeros((len(x), 1))

    gan.step.assign(step)
    object.__setattr__(gan, "discriminator", Spy())
    gan._logits(pictures)
    return seen[0]


@pytest.mark.parametrize(("step", "strength"), [(0, 0.5), (50, 0.25), (100, 0.0), (500, 0.0)])
def test_instance_noise_fades_linearly(build, step, strength):
    gan = build.gan(instance_noise=0.5, instance_noise_steps=100)
    noise = seen_by_the_discriminator(gan, np.zeros((400, 4, 4, 1), np.float32), step)
    assert noise.std() == pytest.approx(strength, rel=0.05, abs=1e-7)
    assert abs(noise.mean()) < 0.03


def test_instance_noise_stays_if_no_end_is_given_and_is_new_at_every_call(build, pictures):
    gan = build.gan(instance_noise=0.5)
    late = seen_by_the_discriminator(gan, np.zeros((400, 4, 4, 1), np.float32), 10_000)
    assert late.std() == pytest.approx(0.5, rel=0.05)
    again = seen_by_the_discriminator(gan, np.zeros((400, 4, 4, 1), np.float32), 10_000)
    assert not np.array_equal(late, again)


# --- what a step logs ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "boundary"), [("non_saturating", 0.0), ("hinge", 0.0), ("least_squares", 0.5)]
)
def test_the_shares_judged_rightly_are_counted_at_the_losses_own_boundary(build, loss, boundary):
    gan = build.gan(loss=loss)
    logits = np.float32([[boundary + 0.1], [boundary - 0.1], [boundary + 1], [boundary + 2]])
    gan.note_verdicts(logits, logits)
    assert float(gan.noted("d_real")) == pytest.approx(0.75)
    assert float(gan.noted("d_fake")) == pytest.approx(0.25)
    gan.note_fooled(logits)
    assert float(gan.noted("g_fooled")) == pytest.approx(0.75)


def test_in_a_joint_batch_the_generators_turn_is_judged_otherwise_than_the_discriminators(build, z):
    gan = build.gan(build.generator(), build.discriminator(layers.BatchNormalization()))
    gan.update_generator(z)
    logits = gan.discriminator(gan.generator(z), training=True)
    assert 0 < float(gan.noted("g_fooled")) == pytest.approx(float(np.mean(logits > 0)), abs=0.1)


def test_of_several_updates_of_the_generator_the_first_says_how_many_were_fooled(build, z):
    gan = build.gan(g_rate=0.0)
    gan.begin_step()
    gan.update_generator(z)
    first = float(gan.noted("g_fooled"))
    flat = gan.discriminator.layers[-1]
    flat.bias.assign(flat.bias + (9.0 if first < 0.5 else -9.0))  # so that the next differs
    gan.update_generator(z)
    assert float(gan.noted("g_fooled")) == first
    gan.begin_step()
    gan.update_generator(z)
    assert float(gan.noted("g_fooled")) == float(first < 0.5)


def test_a_critic_says_of_nothing_that_it_is_real(build, pictures, z):
    gan = wasserstein_gan(build)
    gan.update_discriminator(pictures, z)
    gan.update_generator(z)
    notes = gan.end_step()
    assert {"g_gradient", "wasserstein"} <= set(notes)
    assert not {"d_real", "d_fake", "g_fooled"} & set(notes)


def test_the_gradients_lengths_are_those_worked_by_hand(build, pictures, z):
    gan = build.gan(ema_decay=0)
    fake = gan.generator(z, training=True)
    with tf.GradientTape() as tape:
        judged = gan.discriminator(pictures, training=True), gan.discriminator(fake, training=True)
        loss = gans.d_cross_entropy(*judged)
    gradients = tape.gradient(loss, gan.discriminator.trainable_variables)
    by_hand = np.sqrt(sum(float(np.sum(np.square(g))) for g in gradients))
    gan.update_discriminator(pictures, z)
    assert float(gan.noted("d_gradient")) == pytest.approx(by_hand, rel=1e-4)


@pytest.mark.parametrize("kind", ["float32", "mixed_float16"])
def test_in_float16_both_losses_are_scaled_and_the_lengths_are_not(
    build, pictures, z, precision, kind
):
    precision(kind)
    gan = build.gan(g_rate=1e-3, d_rate=1e-3)
    scaled = kind == "mixed_float16"
    for optimizer in gan.optimizers().values():
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer) == scaled
    gan.update_discriminator(pictures, z)
    gan.update_generator(z)
    lengths = [float(gan.noted(name)) for name in ("d_gradient", "g_gradient")]
    assert all(1e-3 < length < 10 for length in lengths), lengths


def test_saving_a_whole_model_is_refused_with_what_to_do(build, tmp_path):
    with pytest.raises(NotImplementedError, match=r"model\.sampler\.save"):
        build.gan().save(tmp_path / "gan.keras")
