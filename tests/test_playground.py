"""What the controls of a playground say is what is drawn; nothing here needs a widget."""

import json

import numpy as np
import pytest
from PIL import Image

from helpers import latent, playground
from helpers.playground import Playground

DIM = 4
WAYS = {"Smiling": [0, 2, 0, 0], "Age": np.array([0.5, 0, 0, 0.5])}


def draw(z):
    """Pictures of 2×2 in which z can be seen: each pixel's level is one of its numbers."""
    levels = np.clip(np.asarray(z) / 16, -1, 1)
    return levels.reshape(-1, 2, 2, 1).astype(np.float32)


def level(z):
    return np.rint((np.asarray(z, np.float32) / 16 + 1) * 127.5)


@pytest.fixture
def play():
    return Playground(draw, WAYS, elements=(3,), latent_dim=DIM)


def test_at_first_there_is_a_random_picture_of_the_seed(play):
    again = Playground(draw, latent_dim=DIM)
    np.testing.assert_array_equal(play.z(), again.z())
    np.testing.assert_array_equal(play.picture().ravel(), level(play.z()))
    assert not np.array_equal(play.z(), Playground(draw, latent_dim=DIM, seed=1).z())
    assert play.z().dtype == np.float32
    assert play.picture().dtype == np.uint8


def test_steps_add_their_directions_each_as_often_as_its_control_says(play):
    before = play.z()
    play.step("Smiling", 1.5)
    play.step("Age", -2)
    np.testing.assert_allclose(play.z() - before, [-1, 3, 0, -1], atol=1e-6)
    play.step("Smiling", 0)
    np.testing.assert_allclose(play.z() - before, [-1, 0, 0, -1], atol=1e-6)


@pytest.mark.parametrize("name", ["z[3]", "z[0]"])
def test_any_element_can_be_moved_whether_it_has_a_slider_or_not(play, name):
    before = play.z()
    play.step(name, -2)
    np.testing.assert_allclose(play.z() - before, -2 * np.eye(DIM)[int(name[2])], atol=1e-6)


def test_a_mix_goes_from_one_picture_to_the_other_on_either_path(play):
    c = play.controls
    c.base, c.pair = "mix", (4, 7)
    a, b = play.faces[[4, 7]]
    for c.path in ("straight", "spherical"):
        c.share = 0.0
        np.testing.assert_allclose(play.z(), a, atol=1e-6)
        c.share = 1.0
        np.testing.assert_allclose(play.z(), b, atol=1e-6)
    c.share, c.path = 0.25, "straight"
    np.testing.assert_allclose(play.z(), 0.75 * a + 0.25 * b, atol=1e-6)
    c.path = "spherical"
    np.testing.assert_allclose(play.z(), latent.spherical(a, b, 0.25)[0], atol=1e-6)


def test_a_sum_is_a_minus_b_plus_c_and_directions_come_on_top(play):
    play.controls.base, play.controls.terms = "sum", (2, 0, 5)
    expected = play.faces[2] - play.faces[0] + play.faces[5]
    np.testing.assert_allclose(play.z(), expected, atol=1e-6)
    play.step("Smiling", 1)
    np.testing.assert_allclose(play.z(), expected + WAYS["Smiling"], atol=1e-6)


def test_a_picture_of_the_sheet_or_the_random_one(play):
    play.controls.face = 6
    np.testing.assert_array_equal(play.z(), play.faces[6])
    play.controls.face = None
    np.testing.assert_array_equal(play.z(), play.face)


def test_the_usual_length_keeps_the_direction_of_z(play):
    play.controls.base, play.controls.terms = "sum", (2, 0, 5)
    free = play.z()
    play.controls.usual_length = True
    np.testing.assert_allclose(np.linalg.norm(play.z()), latent.shell(DIM).mean(), rtol=1e-5)
    np.testing.assert_allclose(play.z() / np.linalg.norm(play.z()), free / np.linalg.norm(free),
                               rtol=1e-5)  # fmt: skip


def test_a_code_of_zeros_has_no_length_to_keep():
    play = Playground(draw, start=np.zeros(DIM), latent_dim=DIM)
    play.controls.usual_length = True
    np.testing.assert_array_equal(play.z(), np.zeros(DIM))


def test_random_is_another_picture_with_the_directions_as_they_stand(play):
    play.controls.base, play.controls.face = "mix", 3
    play.step("Age", 1)
    first = play.face
    play.random()
    assert (play.controls.base, play.controls.face) == ("face", None)
    assert not np.array_equal(play.face, first)
    np.testing.assert_allclose(play.z(), play.face + WAYS["Age"], atol=1e-6)


def test_other_faces_are_other_faces(play):
    faces, sheet = play.faces, play.sheet()
    play.other_faces()
    assert play.faces.shape == faces.shape
    assert not np.isclose(play.faces, faces).any()
    assert not np.array_equal(play.sheet(), sheet)


def test_reset_stands_all_as_it_was_at_first(play):
    first, faces = play.z(), play.faces
    play.random()
    play.step("Age", 1)
    play.controls.usual_length = True
    play.reset()
    np.testing.assert_array_equal(play.z(), first)
    assert play.controls == playground.Controls()
    assert play.faces is faces


def test_a_start_of_ones_own():
    play = Playground(draw, start=[1, 2, 3, 4], latent_dim=DIM)
    play.random()
    play.reset()
    np.testing.assert_array_equal(play.z(), [1, 2, 3, 4])


def test_the_line_below_says_what_is_shown(play):
    assert play.description().startswith("a random picture; length of z ")
    assert play.description().endswith("(usual: 1.9)")
    play.controls.face = 6
    play.step("Smiling", 1.5)
    play.step("Age", 0)
    play.step("z[3]", -0.25)
    assert play.description().startswith("picture 7, Smiling +1.5, z[3] −0.25; ")
    play.controls.base = "mix"
    assert play.description().startswith("spherical mix of 1 and 2, 50 % of 2, Smiling")
    play.controls.base = "sum"
    assert play.description().startswith("picture 1 − 2 + 3, Smiling")


def test_the_sheet_frames_what_is_picked(play):
    frames = lambda: [tuple(play.sheet()[0, 78 * i]) for i in range(6)]  # noqa: E731
    white, red, blue = (255, 255, 255), (214, 39, 40), (31, 119, 180)
    assert play.sheet().shape == (2 * 96 - 6, 6 * 78 - 6, 3)
    assert frames() == [white] * 6
    play.controls.base, play.controls.pair = "mix", (3, 1)
    assert frames() == [white, blue, white, red, white, white]
    play.controls.base, play.controls.face = "face", 5
    assert frames() == [*[white] * 5, red]


def test_a_face_that_is_picked_twice_has_both_letters(play):
    play.controls.base, play.controls.terms = "sum", (0, 1, 2)
    once = play.sheet()[:96, :72]
    play.controls.terms = (0, 0, 2)
    twice = play.sheet()[:96, :72]
    assert (twice != once).any()
    assert tuple(twice[0, 0]) == tuple(once[0, 0])


def test_saved_pictures_are_numbered_and_know_their_z(play, tmp_path):
    play.step("Age", 1)
    files = [play.save(tmp_path / "new"), play.save(tmp_path / "new")]
    assert [file.name for file in files] == ["picture-001.png", "picture-002.png"]
    np.testing.assert_array_equal(np.asarray(Image.open(files[0])), play.picture()[..., 0])
    np.testing.assert_array_equal(playground.load_z(files[0]), play.z())
    np.testing.assert_array_equal(
        Playground(draw, start=playground.load_z(files[1]), latent_dim=DIM).z(), play.z()
    )
    assert len(list((tmp_path / "new").iterdir())) == 2


def test_a_picture_from_elsewhere_has_no_z(tmp_path):
    Image.new("L", (2, 2)).save(tmp_path / "other.png")
    with pytest.raises(ValueError, match=r"other\.png has no z in it"):
        playground.load_z(tmp_path / "other.png")


def test_a_folder_that_cannot_be_written_is_named(play, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"folder for pictures .*file.* cannot be written"):
        play.save(tmp_path / "file")


def test_a_network_is_a_generator_too(build):
    play = Playground(build.generator(), {"a": [1, 0, 0]})
    assert play.latent_dim == 3
    expected = np.asarray(build.generator()(play.z()[None], training=False))[0]
    np.testing.assert_array_equal(play.picture(), np.rint((expected + 1) * 127.5))


def test_what_does_not_fit_is_named(build):
    from helpers._backend import keras

    z, label = keras.Input((3,)), keras.Input((2,))
    both = keras.layers.Concatenate()([z, label])
    with pytest.raises(ValueError, match=r"shapes \[\(3,\), \(2,\)\]"):
        Playground(keras.Model([z, label], both))
    with pytest.raises(ValueError, match=r"makes \(8,\) of a code; .* \(height, width, 1\)"):
        Playground(keras.Sequential([keras.Input((3,)), keras.layers.Dense(8)]))
    with pytest.raises(ValueError, match=r"makes \(2, 1, 2\) of a code"):
        Playground(lambda z: np.reshape(z, (-1, 2, 1, 2)), latent_dim=DIM)
    with pytest.raises(ValueError, match="say with latent_dim="):
        Playground(draw)
    with pytest.raises(ValueError, match=r"'Age' has shape \(4,\), but this .* z of 3"):
        Playground(build.generator(), {"Age": WAYS["Age"]})
    with pytest.raises(ValueError, match=r"^start has shape \(1, 4\)"):
        Playground(draw, start=np.zeros((1, 4)), latent_dim=DIM)
    with pytest.raises(ValueError, match="no element 4: z has 4 numbers, 0 to 3"):
        Playground(draw, elements=[4], latent_dim=DIM)
    with pytest.raises(ValueError, match="faces is 2; A − B \\+ C needs three"):
        Playground(draw, faces=2, latent_dim=DIM)
    with pytest.raises(ValueError, match="path is 'bent'; there is: straight, spherical"):
        playground.mix(np.ones(2), np.ones(2), 0.5, "bent")


@pytest.mark.parametrize("name", ["smiling", "z[x]", "z[-1]", "z3"])
def test_an_unknown_direction_is_named(play, name):
    with pytest.raises(ValueError, match=r"there is no direction .* called z\[0\] to z\[3\]"):
        play.step(name, 1)
    assert name not in play.directions


# On paper -------------------------------------------------------------------------------


def test_the_figure_has_a_row_for_each_direction_and_a_column_for_each_step():
    seen = []

    def watched(z):
        seen.append(np.asarray(z))
        return draw(z)

    figure = playground.steps_figure(watched, {"Age_old": WAYS["Age"]}, elements=[1], seed=3,
                                     latent_dim=DIM, steps=(-2, 0, 0.5))  # fmt: skip
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["−2", "0", "+0.5"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["Age old", "z[1]"]
    start = Playground(draw, latent_dim=DIM, seed=3).z()
    ways = [WAYS["Age"], np.eye(DIM)[1]]
    expected = [start + k * way for way in ways for k in (-2, 0, 0.5)]
    np.testing.assert_allclose(seen[-1], expected, atol=1e-6)
    (picture,) = axes.get_images()
    corner = picture.get_array()[4:6, 8:10]  # the last of the second row
    np.testing.assert_array_equal(corner.ravel(), level(expected[-1]))


def test_no_name_in_the_figure_is_cut_off():
    long = {f"A_name_that_is_{'very ' * n}long": np.eye(DIM)[0] for n in range(3)}
    names = [*long, *(f"way {i}" for i in range(6))]
    ways = dict.fromkeys(names, np.eye(DIM)[0])
    figure = playground.steps_figure(draw, ways, latent_dim=DIM)
    figure.canvas.draw()
    (axes,) = figure.axes
    assert all(label.get_window_extent().x0 >= 0 for label in axes.get_yticklabels())
    assert axes.get_window_extent().x1 <= figure.bbox.x1


def test_a_figure_of_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing to show: give directions or elements"):
        playground.steps_figure(draw, latent_dim=DIM)


def test_z_in_a_picture_is_plain_json(play, tmp_path):
    with Image.open(play.save(tmp_path)) as picture:
        assert json.loads(picture.text["z"]) == [float(x) for x in play.z()]
