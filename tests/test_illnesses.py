"""The rules by themselves: what is unknown shows nothing, what is early is not judged."""

import re

import numpy as np
import pytest

from helpers.illnesses import (
    LOOKS,
    SYMPTOMS,
    Recent,
    gradient_vanished,
    labels_leak,
    mode_collapse,
    too_fast,
)


def looks(**numbers):
    """The same numbers at each of the last looks, late in training."""
    steps = 1e4 + 50 * np.arange(LOOKS)
    return Recent({"step": steps, **{n: np.full(LOOKS, x) for n, x in numbers.items()}})


def test_unknown_numbers_show_nothing():
    recent = Recent({"step": 1e6 + 50 * np.arange(LOOKS)})
    assert [symptom.name for symptom in SYMPTOMS if symptom.shows(recent)] == []


def test_samples_are_not_judged_early():
    alike = {"diversity": np.zeros(LOOKS), "g_loss": np.ones(LOOKS)}
    assert not mode_collapse(Recent({"step": np.arange(1, 5) * 50, **alike}))
    assert mode_collapse(Recent({"step": np.arange(7, 11) * 50, **alike}))


def test_a_gradient_may_vanish_where_the_game_is_solved_or_nobody_answers():
    assert gradient_vanished(looks(g_gradient=0.002, gap=0.9))
    assert not gradient_vanished(looks(g_gradient=0.002, gap=0.05))
    assert not gradient_vanished(looks(g_gradient=0.002, gap=0.9, moved_discriminator=0.0))


def test_beside_a_sure_discriminator_a_short_gradient_tells_the_loss_that_saturates():
    sure = {"d_real": 1.0, "d_fake": 1.0, "d_loss": 0.001, "gap": 0.3}
    assert gradient_vanished(looks(g_gradient=0.1, **sure))
    assert not gradient_vanished(looks(g_gradient=5.0, **sure))
    assert not gradient_vanished(looks(g_gradient=0.1, **{**sure, "d_loss": 0.6}))


def test_a_leak_needs_both_verdicts_on_fakes():
    assert labels_leak(looks(d_fake=1.0, g_fooled=0.3))
    assert not labels_leak(looks(d_fake=0.8, g_fooled=0.3))  # a fair game
    assert not labels_leak(looks(d_fake=1.0, g_fooled=0.01))  # a strong discriminator


def test_large_steps_are_judged_late_only():
    assert too_fast(looks(moved_generator=0.35))
    assert not too_fast(looks(moved_generator=0.13))
    assert not too_fast(
        Recent({"step": np.arange(1, 5) * 50, "moved_generator": np.full(LOOKS, 0.35)})
    )


def test_looks_that_are_further_apart_may_see_more_change():
    sparse = looks(moved_generator=0.35) | {"step": 1e4 + 300 * np.arange(LOOKS)}
    np.testing.assert_allclose(Recent(sparse).pace("generator"), 0.35 / 6)
    assert not too_fast(Recent(sparse))


@pytest.mark.parametrize("symptom", SYMPTOMS, ids=lambda symptom: symptom.name)
def test_every_symptom_names_a_lesson_and_causes_that_exist(symptom):
    assert set(symptom.follows) <= {other.name for other in SYMPTOMS} - {symptom.name}
    assert re.search(r"\(lesson \d\)\.$", symptom.says)
