"""What lesson 5 writes out does what its text says, its exercises judge, and it met its figures."""

import re
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
    printed,
)

from helpers import (
    anime_models,
    directions,
    face_models,
    gans,
    losses,
    metrics,
    plotting,
    training,
    vae_models,
    vaes,
)
from helpers._backend import keras

CELLS = cells_of("05_vae_gan_anime")


@pytest.fixture
def lesson():
    """Run the cells that define given names, in order; return what is then defined."""
    names = {
        "SEED": 1, "LATENT_DIM": 8, "RATE": 1e-3, "R1": 1.0, "VAE_GAN_RATE": 5e-4,
        "CLASSIC_RATE": 1e-4,
        "anime_models": anime_models, "directions": directions, "face_models": face_models,
        "gans": gans, "keras": keras, "metrics": metrics, "np": np, "ops": keras.ops, "pd": pd,
        "training": training, "vae_models": vae_models, "vaes": vaes,
    }  # fmt: skip
    return definer(CELLS, names)


def rates(model):
    """Kind, learning rate and β₁ of each optimizer."""
    found = {}
    for name, optimizer in model.optimizers().items():
        c = optimizer.get_config()
        rate = round(float(c["learning_rate"]), 6)
        found[name] = (type(optimizer).__name__, rate, c.get("beta_1"))
    return found


# ------------------------------------------------------------------------------------ schedules


@pytest.mark.parametrize("steps", [8, 500])
def test_schedule_b_is_the_recipes(lesson, steps):
    a, b = lesson("schedules").schedules(steps).values()
    half = steps // 2
    assert [a(step) for step in range(steps)] == [(1, 1)] * steps
    first, second = ([b(step) for step in part] for part in (range(half), range(half, steps)))
    assert [d for d, _ in first] == [1] * half
    assert [g for _, g in first] == [int(step % 4 == 0) for step in range(half)]
    assert [g for _, g in second] == [1] * half
    assert sum(d for d, _ in second) == pytest.approx(half / 4, abs=1)


def test_the_watched_gan_has_the_usual_loss_and_notes_its_parts(lesson, build):
    made = lesson("WatchedGAN")
    gan = made.WatchedGAN(build.generator(), build.discriminator())
    gan.begin_step()
    real, fake = np.float32([[2.0], [0.5]]), np.float32([[-1.0], [3.0]])
    found = float(gan.discriminator_loss(real, fake))
    assert found == pytest.approx(float(losses.d_cross_entropy(real, fake)), rel=1e-6)
    parts = [float(gan.noted(name)) for name in ("real_loss", "fake_loss")]
    assert parts[0] == pytest.approx(np.mean(np.log1p(np.exp(-real))), rel=1e-5)
    assert parts[1] == pytest.approx(np.mean(np.log1p(np.exp(fake))), rel=1e-5)


def test_the_three_curves_of_the_original_have_colours_and_names_of_their_own():
    curves = {name: [1.0, 2.0] for name in ("g_loss", "real_loss", "fake_loss")}
    figure = plotting.losses({"a": {"step": [1, 2], **curves}})
    lines = [line for line in figure.axes[0].lines if not line.get_label().startswith("_")]
    shown = {line.get_label(): line.get_color() for line in lines}
    assert {"generator", "D on real", "D on fake"} < set(shown)
    assert len(set(shown.values())) == len(shown)


def test_the_classic_and_the_small_gan_are_compiled_as_the_text_says(lesson):
    made = lesson("WatchedGAN", "classic_gan", "small_gan")
    classic = made.classic_gan(2)
    assert rates(classic) == dict.fromkeys(("generator", "discriminator"), ("Adam", 1e-4, 0.5))
    assert classic.latent_dim == 128
    assert (classic.ema_decay, classic.joint_batch, classic.r1) == (0, False, 0)
    small = made.small_gan(training.every(), 3)
    assert rates(small) == dict.fromkeys(("generator", "discriminator"), ("Adam", 1e-3, 0))
    assert (small.r1, small.seed) == (1.0, 3)
    twin, other = made.small_gan(training.every(gen=4), 3), made.small_gan(training.every(), 4)
    first, same, different = (m.generator.get_weights()[0] for m in (small, twin, other))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, different)


def test_snapshots_hold_the_weights_of_their_step_and_of_the_last(lesson, tmp_path, build):
    made = lesson("Snapshots")
    sampler, step = build.generator(), 0
    model = SimpleNamespace(sampler=sampler, steps_done=lambda: step)
    snapshots = made.Snapshots(tmp_path / "there", 3, 9)
    snapshots.set_model(model)
    for step in range(1, 11):
        sampler.set_weights([np.full_like(w, step) for w in sampler.get_weights()])
        snapshots.on_train_batch_end(step)
    snapshots.on_train_end()
    assert list(snapshots.files) == [3, 6, 9, 10]
    for at, file in snapshots.files.items():
        copy = keras.models.clone_model(sampler)
        copy.load_weights(file)
        assert all((w == at).all() for w in copy.get_weights())


def test_a_snapshot_at_the_last_step_is_not_made_twice(lesson, tmp_path, build, monkeypatch):
    made = lesson("Snapshots")
    saved = []
    model = SimpleNamespace(
        sampler=SimpleNamespace(save_weights=saved.append), steps_done=lambda: 6
    )
    snapshots = made.Snapshots(tmp_path, 2, 6)
    snapshots.set_model(model)
    snapshots.on_train_batch_end(5)
    snapshots.on_train_end()
    assert len(saved) == 1


# -------------------------------------------------------------------------------------- VAE-GAN


@pytest.fixture
def faces():
    """16 pictures of 64×64×3, and as many z of 8 numbers."""
    random = np.random.default_rng(0)
    pictures = random.uniform(-0.9, 0.9, (16, 64, 64, 3)).astype(np.float32)
    return pictures, random.normal(size=(16, 8)).astype(np.float32)


@pytest.mark.parametrize("similarity", ["features", "pixels"])
def test_the_table_of_the_lesson_is_what_is_measured(lesson, faces, similarity):
    """Each loss moves the networks that the table names; all other gradients are exactly 0."""
    made = lesson("tiny_vae_gan", "taken", "by_loss", "table_of")
    moves = made.table_of(made.by_loss(made.tiny_vae_gan(similarity), *faces))
    expected = pd.DataFrame(
        {
            "encoder": [True, True, False, False],
            "generator": [False, True, True, False],
            "discriminator": [False, False, False, True],
        },
        index=["KL", "likeness", "being called real", "telling apart"],
    )
    assert list(moves.index) == list(expected.index)
    pd.testing.assert_frame_equal(moves[list(expected)] > 0, expected)
    (cell,) = (c for c in CELLS if c.source.startswith("x, z = real[:16]"))
    written = eval(re.search(r"MOVES = (\{.*?\})", cell.source, re.DOTALL)[1])
    for loss, who in written.items():
        assert set(who.split()) == set(expected.columns[expected.loc[loss]])


def test_what_is_taken_is_the_gradient_and_the_weights_are_put_back(lesson, faces):
    made = lesson("tiny_vae_gan", "taken")
    model = made.tiny_vae_gan("features")
    before = model.get_weights()
    x, _ = faces
    found = made.taken(model, "autoencoder", x, beta=1.0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    again = made.taken(model, "autoencoder", x, beta=1.0)
    np.testing.assert_allclose(found["encoder"], again["encoder"], rtol=1e-5, atol=1e-7)
    model.begin_step()
    model.update_autoencoder(x)
    length = float(model.noted("vae_gradient"))
    assert np.linalg.norm(found["encoder"]) == pytest.approx(length, rel=1e-3)


def test_as_printed_is_minus_twice_bounded_by_nothing(lesson, build):
    made = lesson("AsPrinted")
    gan = made.AsPrinted(build.generator(), build.discriminator())
    for size in (1.0, 100.0):
        real, fake = np.float32([[-size]]), np.float32([[size]])  # real called fake, and back
        assert float(gan.discriminator_loss(real, fake)) <= -size
    assert float(gan.generator_loss(np.float32([[-9.0]]))) < float(
        gan.generator_loss(np.float32([[9.0]]))
    ), "G wants to be called fake"


def test_the_classic_vae_gan_doubles_the_error_against_one_kl(lesson):
    made = lesson("schedules", "classic_vae_gan")
    model = made.classic_vae_gan(8)
    assert rates(model) == {
        "generator": ("Adam", 1e-4, 0.5), "discriminator": ("Adam", 2e-4, 0.5),
        "autoencoder": ("SGD", 6e-4, None),
    }  # fmt: skip
    assert (model.similarity, model.reduction, model.latent_dim) == ("pixels", "mean", 256)
    # rate · (error + β KL) = 0.0003 · (2 error + KL)
    assert 2 * model.beta == 1
    assert [model.schedule(step) for step in (0, 1, 4, 5)] == [(1, 1), (1, 0), (1, 1), (0, 1)]


@pytest.mark.parametrize("similarity", ["features", "pixels"])
def test_the_vae_gans_begin_where_the_vae_ended(lesson, similarity):
    made = lesson("middle_layer", "adams", "plain_vae", "vae_gan")
    vae = made.plain_vae()
    assert rates(vae) == {"autoencoder": ("Adam", 1e-3, 0.5)}
    assert (vae.beta, vae.reduction, vae.ema_decay) == (1.0, "sum", 0.999)
    for network in (vae.encoder, vae.sampler):
        network.set_weights([w + 0.5 for w in network.get_weights()])
    model = made.vae_gan(similarity, 0.5, 0.25, vae)
    assert set(rates(model).values()) == {("Adam", 5e-4, 0.5)}
    assert (model.similarity, model.beta, model.gamma) == (similarity, 0.5, 0.25)
    assert (model.r1, model.ema_decay, model.reduction) == (1.0, 0.999, "sum")
    assert model.feature_network.output_shape == (None, 16, 16, 32)
    assert isinstance(model.feature_network.layers[-1], keras.layers.LeakyReLU)
    for mine, its in ((model.encoder, vae.encoder), (model.generator, vae.sampler)):
        for a, b in zip(mine.get_weights(), its.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    for a, b in zip(model.sampler.get_weights(), vae.sampler.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


# ------------------------------------------------------------------------------- what is measured


def a_face(seed=0):
    """A smooth picture, so that it fits itself moved by a pixel less well than itself."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).normal(size=(64, 64, 3))
    return gaussian_filter(noise, (2, 2, 0)).astype(np.float32)


@pytest.mark.parametrize("move", [(0, 0), (3, 0), (0, -2), (-4, 1)])
def test_the_best_shift_is_found(lesson, move):
    best_shift = lesson("best_shift").best_shift
    face = a_face()
    assert best_shift(face, np.roll(face, (-move[0], -move[1]), (0, 1))) == move
    assert best_shift(face, 0.5 * face + 0.3) == (0, 0), "contrast does not matter"


def test_what_is_kept_of_faces(lesson):
    made = lesson("best_shift", "kept")
    reads = np.array([[0.9, 0.1, 0.2], [0.2, 0.8, 0.7]])

    def network(images):
        """What hair each face has, by its brightness at a corner."""
        return images[:, :4, 0, 0], reads[(images[:, 0, 0, 0] > 0).astype(int)]

    faces = np.clip(np.stack([a_face(seed) for seed in range(6)]), -1, 1)
    faces[:, 0, 0, 0] = np.repeat([-0.5, 0.5], 3)
    features = network(faces)[0]
    scorer = SimpleNamespace(reference=features)
    made.names.update(network=network, hair=[0, 1], scorer=scorer, N_MEASURED=6)
    same = made.kept(faces, faces)
    assert same["sharpness"] == pytest.approx(1)
    assert same["pixel error"] == 0
    assert same["Fréchet distance"] == pytest.approx(0, abs=1e-6)
    assert {same[f"{what} kept"] for what in ("hair colour", "pose", "attributes")} == {1.0}
    moved = made.kept(faces, np.roll(faces, 3, axis=2))
    assert moved["pose kept"] == 0
    other = faces.copy()
    other[0, 0, 0, 0] = 0.5
    changed = made.kept(faces, other)
    assert changed["hair colour kept"] == pytest.approx(5 / 6)
    assert changed["attributes kept"] == pytest.approx(15 / 18)


def test_codes_are_drawn_as_the_encoder_says(lesson):
    codes_of = lesson("codes_of").codes_of
    mean, log_variance = np.full((4000, 2), 3.0), np.full((4000, 2), np.log(4.0))
    encoder = SimpleNamespace(predict=lambda pictures, verbose: (mean, log_variance))
    codes, means = codes_of(encoder, None)
    np.testing.assert_array_equal(means, mean)
    assert codes.mean() == pytest.approx(3, abs=0.1)
    assert codes.std() == pytest.approx(2, abs=0.1)


def test_side_effects_leave_out_the_hair_that_must_go(lesson):
    made = lesson("effects_of")
    effect = directions.Effect("blue", 2.0, 10, 0.9, np.array([0.9, 0.8, 0.1, 0.3]), 0.5)
    glasses = directions.Effect("glasses", 2.0, 10, 0.3, np.array([0.0, 0.2, 0.1, 0.3]), 0.5)
    made.names.update(
        directions=SimpleNamespace(effects=lambda *_, **__: [effect, glasses]), at_home=None,
        names=["blue", "red", "hat", "glasses"], hair=[0, 1], N_MEASURED=10,
    )  # fmt: skip
    blue, glasses = made.effects_of({}, ()).to_dict("records")
    assert blue["others changed"] == pytest.approx(0.2)
    assert (blue["most"], blue["in"]) == ("glasses", 0.3)
    assert glasses["others changed"] == pytest.approx(0.1)
    assert (glasses["most"], glasses["in"]) == ("red", 0.2)


def test_the_stored_run_met_the_figures():
    said = printed(CELLS)
    for what in ("hair colour", "pose"):
        (share,) = re.findall(rf"{what} kept: (\d+)% of faces", said)
        assert int(share) >= 80, what
    (ours, plain, verdict) = re.findall(
        r"sharpness: VAE-GAN ([\d.]+), VAE ([\d.]+), of the faces'; (not )?sharper", said
    )[0]
    assert float(ours) > float(plain)
    assert not verdict


# ----------------------------------------------------------------------------------- exercises


@pytest.mark.parametrize(
    ("number", "names"),
    [(1, ["my_schedule"]), (2, ["my_losses", "right_losses", "mistake_in"])],
)
def test_solutions_pass_their_checks(lesson, capsys, number, names):
    made = lesson(*names, f"check_exercise_{number}")
    assert_code_passes(made, CELLS, number, capsys)


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        ((1, 1), "a function of the step"),
        (lambda step: (1, 1), "For 5 steps only D moves"),
        (lambda step: (1, 0), "After that G moves at every step"),
        (lambda step: (1, 0) if step < 5 else (int(step % 2 == 0), 1), "D begins with step 6"),
        (lambda step: (1, 0) if step < 5 else (1, 1), "D should move at 5, 7, 9"),
    ],
)
def test_check_of_exercise_1_names_the_mistake(lesson, schedule, says):
    made = lesson("check_exercise_1")
    assert_mistake_is_named(made, 1, says, my_schedule=lambda warm_up: schedule)


ops = keras.ops


def parts(real, rec, sample, x, x_rec, mean, log_variance):
    """D's loss, likeness, KL, and being called real."""
    fakes = ops.concatenate([rec, sample])
    return (
        gans.d_cross_entropy(real, fakes),
        0.5 * vaes.squared_error(x, x_rec, "sum"),
        vaes.kl_divergence(mean, log_variance),
        gans.g_non_saturating(fakes),
    )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda d, like, kl, g: (2 * d, like + 3 * kl, g + 0.1 * like), "D: twice too large"),
        (lambda d, like, kl, g: (-d, like + 3 * kl, g + 0.1 * like), "D: its sign is wrong"),
        (lambda d, like, kl, g: (d, like - 3 * kl, g + 0.1 * like), "the KL's sign is wrong"),
        (lambda d, like, kl, g: (d, like + kl, g + 0.1 * like), "beta is missing"),
        (lambda d, like, kl, g: (d, 2 * like + 3 * kl, g + 0.1 * like), "half the sum"),
        (lambda d, like, kl, g: (d, like / 50 + 3 * kl, g + 0.1 * like), "sum over the features"),
        (lambda d, like, kl, g: (d, like + 3 * kl, g + like), "gamma is missing"),
        (lambda d, like, kl, g: (d, like + 3 * kl, g - 0.1 * like), "kept small, too"),
        (lambda d, like, kl, g: (d, like + 3 * kl, 5 * g), "G: not yet"),
        (lambda d, like, kl, g: (d, like), "Three losses are wanted"),
        (lambda d, like, kl, g: (d, like + 3 * kl, g * np.ones(6)), "should be one number"),
    ],
)
def test_check_of_exercise_2_names_the_mistake(lesson, make, says):
    made = lesson("right_losses", "mistake_in", "check_exercise_2")
    assert_mistake_is_named(made, 2, says, my_losses=lambda *given: make(*parts(*given[:7])))


def test_solution_of_exercise_3_passes_its_check(lesson, capsys):
    assert_answers_pass(lesson("check_exercise_3"), CELLS, 3, "my_remedy", capsys)


def test_check_of_exercise_3_gives_a_hint_for_each_mistake(lesson, capsys):
    made = lesson("check_exercise_3")
    made.names["my_remedy"] = {
        "a": "beta up", "b": "beta up", "c": "gamma down", "d": "gamma up", "e": "gamma down",
    }  # fmt: skip
    made.check_exercise_3()
    said = capsys.readouterr().out
    assert re.findall(r"Exercise 3, (.):", said) == ["a", "c", "d"]
    assert "right." not in said
