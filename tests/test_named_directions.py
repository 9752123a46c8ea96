"""Directions by name: checked, and the same again out of their file."""

import json

import numpy as np
import pytest

from helpers import named_directions


def test_directions_come_back_from_their_file(tmp_path):
    file = tmp_path / named_directions.FILE
    ways = {"Smiling": np.array([0.123456, -1, 0]), "z[2]": [0, 0, 1]}
    named_directions.save_directions(file, ways, 3)
    again = named_directions.load_directions(file, 3)
    assert list(again) == list(ways)
    for name, way in ways.items():
        np.testing.assert_allclose(again[name], way, atol=1e-6)
        assert again[name].dtype == np.float32
    assert json.loads(file.read_text())["Smiling"] == [0.123456, -1.0, 0.0]


@pytest.mark.parametrize(
    ("ways", "said"),
    [
        ({"a": [1, 2]}, r"the direction 'a' has shape \(2,\), .* z of 3 numbers"),
        ({"a": [[1, 2, 3]]}, r"has shape \(1, 3\)"),
        ({"a": [1, 2, np.nan]}, "the direction 'a' contains NaN"),
        ({"b": [1, 2, 3], "a": [0, 0, 0]}, "the direction 'a' is all zeros"),
    ],
)
def test_a_direction_that_does_not_fit_is_named_and_no_file_written(tmp_path, ways, said):
    with pytest.raises(ValueError, match=said):
        named_directions.save_directions(tmp_path / "d.json", ways, 3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[1, 2, 3]", '{"a": "b"}', '{"a": [[1], [2, 3]]}'])
def test_a_file_of_something_else_is_refused_with_an_example(tmp_path, text):
    (tmp_path / "d.json").write_text(text)
    with pytest.raises(ValueError, match=r'd\.json holds no directions.*\{"Smiling"'):
        named_directions.load_directions(tmp_path / "d.json", 3)


def test_a_file_for_another_generator_is_named(tmp_path):
    (tmp_path / "d.json").write_text('{"a": [1, 2]}')
    with pytest.raises(ValueError, match=r"d\.json: the direction 'a' has shape \(2,\)"):
        named_directions.load_directions(tmp_path / "d.json", 3)


@pytest.mark.parametrize("index", [-1, 3, True, 1.5])
def test_an_element_that_z_does_not_have(index):
    with pytest.raises(ValueError, match=f"no element {index!r}: z has 3 numbers, 0 to 2"):
        named_directions.element(index, 3)


def test_elements_have_names():
    name = named_directions.element_name(2)
    np.testing.assert_array_equal(named_directions.element_called(name, 3), [0, 0, 1])
    np.testing.assert_array_equal(named_directions.element(np.int64(1), 3), [0, 1, 0])
