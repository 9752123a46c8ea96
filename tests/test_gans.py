"""GANs: each uses the losses of its name, and learns what they say."""

import numpy as np
import pytest

from helpers import gans, losses

REAL, FAKE = np.float32([[2], [0]]), np.float32([[-1], [3]])


def test_the_losses_are_found_here_too():
    names = {name for name in vars(losses) if name.startswith(("d_", "g_"))}
    assert len(names) == 7
    assert all(getattr(gans, name) is getattr(losses, name) for name in {*names, "LOSSES"})


@pytest.mark.parametrize("name", gans.LOSSES)
def test_a_gan_uses_the_losses_of_its_name_and_its_smoothing(build, name):
    gan = build.gan(loss=name, smoothing=0.1)
    d_loss, g_loss = gans.LOSSES[name]
    assert float(gan.discriminator_loss(REAL, FAKE)) == float(d_loss(REAL, FAKE, 0.1))
    assert float(gan.generator_loss(FAKE)) == float(g_loss(FAKE))


def test_an_unknown_loss_is_refused_by_name(build):
    with pytest.raises(ValueError, match=r"LOSS is 'wasserstain'.*non_saturating.*hinge"):
        build.gan(loss="wasserstain")


@pytest.mark.parametrize("name", gans.LOSSES)
def test_the_discriminator_learns_that_real_is_1_and_fake_is_0(build, pictures, z, name):
    gan = build.gan(d_rate=0.3, g_rate=0.0, loss=name)
    real = np.abs(pictures) * 0.5 + 0.4
    for _ in range(15):
        gan.update_discriminator(real, z)
    real_logits = gan.discriminator(real, training=False)
    fake_logits = gan.discriminator(gan.generator(z, training=False), training=False)
    assert float(np.mean(real_logits)) > float(np.mean(fake_logits)) + 0.5


@pytest.mark.parametrize("name", gans.LOSSES)
def test_the_generator_learns_to_be_called_real(build, z, name):
    gan = build.gan(loss=name)

    def verdict():
        return float(np.mean(gan.discriminator(gan.generator(z, training=False), training=False)))

    before = verdict()
    for _ in range(5):
        gan.update_generator(z)
    assert verdict() > before + 0.02
