"""The numbers of a training under way: right, cheap, and of the networks that are trained."""

import numpy as np
import pytest

from helpers import gans, statistics, training
from helpers._backend import keras, tf
from helpers.cyclegan import CycleGAN
from helpers.statistics import Allowance, Statistics, append, mean_distance, networks_of
from helpers.vaes import VAE, VAEGAN


def fit(model, data, watched, *, steps=4, batch=8):
    stream = tf.data.Dataset.from_tensor_slices(data).repeat().batch(batch)
    model.fit(stream, steps_per_epoch=steps, verbose=0, callbacks=[watched])
    return watched.history


def test_mean_distance_by_hand():
    assert mean_distance([[0, 0], [3, 4], [0, 0]]) == pytest.approx(10 / 3)
    assert mean_distance(np.ones((5, 4, 4, 1))) == pytest.approx(0, abs=1e-6)


def test_samples_are_measured_against_real_pictures(build, pictures, z):
    gan = build.gan(g_rate=0.0, d_rate=0.0, ema_decay=0.9)
    history = fit(gan, pictures, Statistics(pictures, z, every=2, share=1.0))
    samples = gan.generator(z).numpy()
    assert history["step"] == [2, 4]
    assert history["low"] == pytest.approx([samples.min()] * 2)
    assert history["high"] == pytest.approx([samples.max()] * 2)
    assert history["mean"] == pytest.approx([samples.mean()] * 2)
    assert history["std"] == pytest.approx([samples.std()] * 2)
    assert history["diversity"] == pytest.approx(
        [mean_distance(samples) / mean_distance(pictures)] * 2
    )
    assert history["drift"] == pytest.approx([0, 0], abs=1e-6)
    assert history["moved_generator"] == history["moved_discriminator"] == [0, 0]


def test_drift_is_the_way_of_the_mean_sample(build, pictures, z):
    gan = build.gan(g_rate=1.0)
    before = gan.generator(z).numpy().mean(axis=0)
    history = fit(gan, pictures, Statistics(pictures, z, every=4, share=1.0))
    after = gan.generator(z).numpy().mean(axis=0)
    expected = np.linalg.norm(after - before) / mean_distance(pictures)
    assert expected > 0.01
    assert history["drift"] == pytest.approx([expected], rel=1e-4)


def test_the_network_in_training_is_looked_at_and_not_its_average(build, pictures, z):
    gan = build.gan(ema_decay=0.999, g_rate=1.0)
    history = fit(gan, pictures, Statistics(pictures, z, every=4, share=1.0))
    assert history["mean"][-1] == pytest.approx(float(gan.generator(z).numpy().mean()), rel=1e-5)
    assert history["mean"][-1] != pytest.approx(float(gan.sampler(z).numpy().mean()), rel=1e-5)


def test_update_sizes_are_relative_changes_of_the_weights(build, pictures, z):
    gan = build.gan()
    before = np.concatenate([w.numpy().ravel() for w in gan.generator.trainable_variables])
    history = fit(gan, pictures, Statistics(pictures, z, every=4, share=1.0))
    after = np.concatenate([w.numpy().ravel() for w in gan.generator.trainable_variables])
    expected = np.linalg.norm(after - before) / np.linalg.norm(before)
    assert history["moved_generator"] == pytest.approx([expected], rel=1e-4)
    assert history["moved_discriminator"][0] > 0


def test_logged_numbers_are_meaned_over_the_steps_since_the_last_look(build, pictures, z):
    watched = Statistics(pictures, z, every=2, share=1.0)
    watched.set_model(build.gan())
    watched.on_train_begin()
    for value in (1.0, 3.0, 5.0, 9.0):
        watched.on_train_batch_begin(0)
        watched.on_train_batch_end(0, {"d_real": value})
    assert watched.history["d_real"] == [2, 7]


def test_looking_changes_nothing(build, pictures, z, values):
    def weights(*callbacks):
        gan = build.lifelike_gan()
        gan.fit(pictures, batch_size=8, epochs=3, verbose=0, shuffle=False, callbacks=[*callbacks])
        return values(gan.variables)

    watched = weights(Statistics(pictures, z, every=1, share=1.0))
    for one, other in zip(weights(), watched, strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_model_can_be_watched_and_its_networks_are_found(build, pictures, z):
    def encoder():
        x = keras.Input((4, 4, 1))
        flat = keras.layers.Flatten()(x)
        return keras.Model(x, [keras.layers.Dense(3)(flat), keras.layers.Dense(3)(flat)])

    def convolutional():
        conv, flatten = keras.layers.Conv2D(2, 3), keras.layers.Flatten()
        last = keras.layers.Dense(1)
        return keras.Sequential([keras.Input((4, 4, 1)), conv, flatten, last])

    def translator():
        return keras.Sequential(
            [keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 3, padding="same", activation="tanh")]
        )

    sgd = keras.optimizers.SGD
    vae = VAE(encoder(), build.generator(), ema_decay=0.9)
    vae.compile(sgd(1e-3))
    vaegan = VAEGAN(encoder(), build.generator(), convolutional())
    vaegan.compile(sgd(1e-3), sgd(1e-3), sgd(1e-3))
    cycle = CycleGAN(translator(), translator(), convolutional(), convolutional(), ema_decay=0.9)
    cycle.compile(sgd(1e-3), sgd(1e-3))
    found = {
        vae: ["encoder", "decoder"],
        vaegan: ["generator", "discriminator", "encoder"],
        cycle: ["a_to_b", "b_to_a", "a_discriminator", "b_discriminator"],
    }
    for model, names in found.items():
        assert sorted(networks_of(model)) == sorted(names)
        given, data = (pictures, (pictures, pictures)) if model is cycle else (z, pictures)
        history = fit(model, data, Statistics(pictures, given, every=2, share=1.0))
        for name in names:
            assert min(history[f"moved_{name}"]) > 0


def test_a_conditional_generator_is_given_its_condition(build, pictures, z):
    inputs = keras.Input((3,)), keras.Input((2,))
    joined = keras.layers.Concatenate()(list(inputs))
    made = keras.layers.Reshape((4, 4, 1))(keras.layers.Dense(16, "tanh")(joined))
    seen = keras.Input((4, 4, 1)), keras.Input((2,))
    flat = keras.layers.Concatenate()([keras.layers.Flatten()(seen[0]), seen[1]])
    judge = keras.Model(list(seen), keras.layers.Dense(1)(flat))
    gan = gans.ConditionalGAN(keras.Model(list(inputs), made), judge)
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    labels = np.eye(2, dtype=np.float32)[np.arange(16) % 2]
    history = fit(gan, (pictures, labels), Statistics(pictures, [z, labels], every=4, share=1.0))
    expected = gan.generator([z, labels]).numpy().std()
    assert history["std"] == pytest.approx([expected], rel=1e-5)


def test_energy_distance_by_hand_and_of_equal_clouds():
    assert statistics.energy_distance([[0.0], [2.0]], [[10.0], [10.0]]) == pytest.approx(16.0)
    a, b = np.random.default_rng(0).normal(size=(2, 500, 3))
    assert abs(statistics.energy_distance(a, b)) < 0.03
    assert statistics.energy_distance(a, b + 1) > 0.5


def test_told_apart_counts_pairs():
    a, b = np.array([1.0, 3.0]), np.array([0.0, 2.0, 3.0])
    assert statistics.told_apart(a, b) == pytest.approx((1 + 2.5) / 6)
    assert statistics.told_apart(a, a) == 0.5


def test_the_gap_is_that_of_samples_and_real_pictures(build, pictures, z):
    gan = build.gan(g_rate=0.0, d_rate=0.0)
    history = fit(gan, pictures, Statistics(pictures, z, every=4, share=1.0))
    expected = statistics.energy_distance(gan.generator(z), pictures) / mean_distance(pictures)
    assert expected > 0.02
    assert history["gap"] == pytest.approx([expected], rel=1e-4)


def test_what_layers_note_in_training_is_watched_unless_they_are_frozen(build, pictures, z):
    history = fit(build.lifelike_gan(), pictures, Statistics(pictures, z, every=2, share=1.0))
    assert min(history["state_generator"] + history["state_discriminator"]) > 1e-6
    norm, dropout = keras.layers.BatchNormalization(), keras.layers.Dropout(0.2)
    norm.trainable = False
    gan = build.gan(build.generator(norm), build.discriminator(keras.Sequential([dropout])))
    history = fit(gan, pictures, Statistics(pictures, z, every=2, share=1.0))
    assert "state_generator" not in history
    assert min(history["state_discriminator"]) > 0


def test_a_layer_whose_numbers_are_fixed_is_no_witness(build, pictures, z):
    fixed = keras.layers.Normalization(mean=0.1, variance=2.0)
    adapted = keras.layers.Normalization(axis=None)
    adapted.adapt(pictures)
    judge = build.discriminator(keras.Sequential([fixed, adapted]))
    history = fit(build.gan(None, judge), pictures, Statistics(pictures, z, every=2, share=1.0))
    assert "state_discriminator" not in history


def test_the_discriminator_is_asked_about_held_out_pictures(build, pictures, z):
    gan = build.gan(g_rate=0.0, d_rate=0.0)
    logits = gan.discriminator(pictures).numpy().ravel()
    order = np.argsort(logits)
    low, high = pictures[order[:8]], pictures[order[8:]]
    watched = Statistics(high, z, held_out=low, every=4, share=1.0)
    assert fit(gan, pictures, watched)["told_apart"] == [1.0]
    assert "told_apart" not in fit(gan, pictures, Statistics(high, z, every=4, share=1.0))


def test_held_out_pictures_want_one_discriminator_of_pictures_alone(build, pictures, z):
    encoder_input = keras.Input((4, 4, 1))
    flat = keras.layers.Flatten()(encoder_input)
    codes = [keras.layers.Dense(3)(flat), keras.layers.Dense(3)(flat)]
    vae = VAE(keras.Model(encoder_input, codes), build.generator())
    vae.compile(keras.optimizers.SGD(0.1))
    with pytest.raises(ValueError, match="this VAE has none"):
        fit(vae, pictures, Statistics(pictures, z, held_out=pictures))


# --- waiting for batches --------------------------------------------------------------------


def test_a_watched_stream_gives_the_same_batches(pictures, z):
    watched = Statistics(pictures, z)
    labels = np.arange(16)
    stream = tf.data.Dataset.from_tensor_slices((pictures, labels)).batch(4)
    for (x, y), (same_x, same_y) in zip(stream, watched.watch(stream), strict=True):
        np.testing.assert_array_equal(x, same_x)
        np.testing.assert_array_equal(y, same_y)
    alone = stream.map(lambda x, y: x)
    assert watched.watch(alone).element_spec == alone.element_spec
    assert watched.watch(pictures) is pictures
    stream.start_step = 700
    assert watched.watch(stream).start_step == 700


def test_waiting_is_the_share_from_the_steps_begin_to_its_batchs_arrival(build, pictures, z, clock):
    watched = Statistics(pictures, z, every=2, share=1.0)
    watched.set_model(build.gan())
    watched.on_train_begin()
    for _ in range(2):
        watched.on_train_batch_begin(0)
        clock.now += 3
        watched._arrived = clock.now
        clock.now += 1
        watched.on_train_batch_end(0, {})
    assert watched.history["waiting"] == [pytest.approx(0.75)]


def test_an_array_has_no_waiting(build, pictures, z):
    statistics = Statistics(pictures, z, every=2, share=1.0)
    build.gan().fit(pictures, batch_size=4, verbose=0, callbacks=[statistics])
    assert statistics.history["step"]
    assert "waiting" not in statistics.history


def test_fit_watches_a_stream_and_the_range_of_the_input_is_noted(build, pictures, z):
    watched = Statistics(pictures, z, every=2, share=1.0)
    stream = tf.data.Dataset.from_tensors(pictures).repeat()
    build.gan().fit(stream, steps_per_epoch=2, verbose=0, callbacks=[watched])
    assert watched.history["input_low"] == [pytest.approx(pictures.min())]
    assert watched.history["input_high"] == [pytest.approx(pictures.max())]
    assert "waiting" in watched.history


# --- cost and record ------------------------------------------------------------------------


def test_an_allowance_of_everything_has_no_limit():
    allowance = Allowance(1.0)
    for _ in range(5):
        assert allowance.permits(0.001)
        allowance.spent += 10.0


def test_an_allowance_keeps_to_its_share(clock):
    allowance, began, spent = Allowance(0.05), clock.now, 0
    for _ in range(1000):
        clock.now += 1
        if allowance.permits(clock.now - began):
            with allowance:
                clock.now += 2
                spent += 2
            assert spent <= 0.05 * (clock.now - began) + 2
    assert 0.04 < spent / (clock.now - began) <= 0.05


def test_looks_are_thinned_to_their_share_of_the_time(build, pictures, z, clock, monkeypatch):
    watched = Statistics(pictures, z, every=1, share=0.01)
    watched.set_model(build.gan())
    watched.on_train_begin()
    samples = watched._samples()

    def costly():
        clock.now += 1
        return samples

    monkeypatch.setattr(watched, "_samples", costly)
    for _ in range(1000):
        watched.on_train_batch_begin(0)
        clock.now += 1
        watched.on_train_batch_end(0, {})
    assert 8 <= len(watched.history["step"]) <= 11


def test_append_keeps_all_lists_equally_long():
    history = {}
    append(history, {"a": 1.0})
    append(history, {"b": 2.0})
    append(history, {"a": 3.0, "b": 4.0})
    np.testing.assert_array_equal(history["a"], [1, np.nan, 3])
    np.testing.assert_array_equal(history["b"], [np.nan, 2, 4])


def test_a_loaded_record_goes_on(build, pictures, z):
    gan = build.gan()
    first = Statistics(pictures, z, every=2, share=1.0)
    fit(gan, pictures, first)
    second = Statistics(pictures, z, every=2, share=1.0)
    second.load_state(first.state())
    assert second.history == first.history
    assert fit(gan, pictures, second)["step"] == [2, 4, 6, 8]
    assert second.history["seconds"] == sorted(second.history["seconds"])
    assert fit(gan, pictures, second)["step"] == [10, 12]  # a new run is a new record


def test_of_large_weights_a_part_is_looked_at():
    network = keras.Sequential([keras.Input((100,)), keras.layers.Dense(1000)])
    kernel, bias = statistics._some_of(network)
    assert 4096 <= len(kernel) < 8192
    assert len(bias) == 1000


def test_tensorboard_works_for_a_model_of_ours(build, pictures, tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    board = keras.callbacks.TensorBoard(tmp_path, update_freq=1)
    build.gan().fit(pictures, batch_size=8, epochs=2, verbose=0, callbacks=[board])
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "train")).Reload()
    assert {"epoch_d_loss", "epoch_g_loss", "epoch_d_real"} <= set(events.Tags()["tensors"])


def test_the_schedule_tells_who_rested(build, pictures, z):
    gan = build.gan(schedule=training.in_phases({0: lambda s: (1, 0), 2: lambda s: (0, 1)}))
    history = fit(gan, pictures, Statistics(pictures, z, every=2, share=1.0))
    assert np.isnan(history["moved_generator"]).tolist() == [True, False]
    assert np.isnan(history["moved_discriminator"]).tolist() == [False, True]
