"""The benchmark of the widgets times what it says, and its table names the bound."""

import sys

import numpy as np
import pytest

from benchmarks import widgets as benchmark


def test_each_part_is_timed_as_often_as_asked(build):
    found = benchmark.measure(build.generator(), 3)
    assert {part: len(times) for part, times in found.items()} == {
        "the network alone": 3,
        "slider to picture": 3,
        "a new sheet of 12": 3,
    }
    assert all((times > 0).all() for times in found.values())


def test_warming_up_is_not_counted():
    called = []
    assert len(benchmark.milliseconds(called.append, 5)) == 5
    assert called == list(range(7))


def test_the_generator_of_the_benchmark_has_the_size_of_those_that_ship():
    name, generator = benchmark.generator_of(None)
    assert "size" in name
    assert generator.output_shape == (None, 64, 64, 3)
    assert 500_000 < generator.count_params() < 700_000


@pytest.mark.parametrize(("median", "status"), [(40.0, 0), (200.0, 1)])
def test_a_bound_that_is_missed_is_an_error(build, monkeypatch, capsys, median, status):
    found = {"the network alone": np.array([1.0]), "slider to picture": np.array([median])}
    monkeypatch.setattr(benchmark, "measure", lambda *_: found)
    monkeypatch.setattr(benchmark, "generator_of", lambda _: ("tiny", build.generator()))
    monkeypatch.setattr(sys, "argv", ["widgets.py"])
    assert benchmark.main() == status
    said = capsys.readouterr().out
    assert f"{median:.1f}" in said
    assert "150" in said
