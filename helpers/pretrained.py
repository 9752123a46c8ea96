"""Generators that ship, trained for longer than a lesson can wait, each with its card.

They lie in ``data/weights/generators``. A card says what a generator was trained on, by which
recipe and command, and how it scores; ``tools/train_generator.py`` makes both.
"""

from typing import Any

from helpers import feature_networks
from helpers._backend import keras

GENERATORS_FOLDER = feature_networks.WEIGHTS_FOLDER / "generators"
MEND = "Restore both with `git checkout -- data/weights` in the repository's folder."


def load(name: str, *, latent_dim: int | None = None) -> keras.Model:
    """A generator that ships, its checksum verified against its card.

    All map z (n, latent_dim), drawn from N(0, 1), to pictures in [-1, 1]; those with classes take
    the one-hot label (n, classes) as a second input.

    Args:
        name: one of

            - ``"digits"``: 28×28×1, the 10 classes of MNIST;
            - ``"characters"``: 28×28×1, the 47 classes of EMNIST Balanced, in its order, as
              :mod:`helpers.characters` draws them;
            - ``"faces"``: 64×64×3, the central 150 pixels of the drawn portraits;
            - ``"anime"``: 64×64×3, the drawn anime faces;
            - ``"vae_gan_generator"`` and ``"vae_gan_encoder"``: the two halves of a VAE-GAN of
              the drawn anime faces; the encoder maps pictures to [mean, log-variance], each
              (n, latent_dim).
        latent_dim: how many numbers the caller's z has, to be told at once if they do not fit.

    Returns:
        The network, not compiled.

    Raises:
        ValueError: no such generator, a file that is missing, damaged or not the one on the card,
            or a network of another architecture or latent size.
    """
    about = card(name)
    file = feature_networks.verified(GENERATORS_FOLDER / f"{name}.keras", about["sha256"])
    try:
        network = keras.models.load_model(file, compile=False)
    except Exception as error:  # of many kinds: a file of a newer Keras, a layer unknown here
        raise ValueError(
            f"Keras {keras.__version__} cannot read {file} ({type(error).__name__}: {error}). "
            "Bring the environment up to date with `make env`."
        ) from error
    if (found := architecture(network)) != {key: about[key] for key in found}:
        wanted = {key: about[key] for key in found}
        raise ValueError(f"{file} is of another architecture, {found}, than {wanted}. {MEND}")
    if latent_dim not in (None, about["latent_dim"]):
        raise ValueError(
            f"latent_dim is {latent_dim}, but {name!r} was trained with {about['latent_dim']} "
            f"numbers in z; draw z of shape (n, {about['latent_dim']})."
        )
    if len(network.inputs) > 1:
        return network
    # Read back, a network of one input wants a list of one, and warns of anything else.
    outputs = network.outputs if len(network.outputs) > 1 else network.outputs[0]
    return keras.Model(network.inputs[0], outputs, name=network.name)


def card(name: str) -> dict[str, Any]:
    """What there is to know about a generator: data, recipe, command, scores, checksum.

    Raises:
        ValueError: no such generator.
    """
    return feature_networks.read_card(GENERATORS_FOLDER, name, "shipped generator")


def architecture(network: keras.Model) -> dict[str, Any]:
    """What a card says of a network's form: shapes without the batch, and a count of numbers."""
    return {
        "inputs": [list(x.shape[1:]) for x in network.inputs],
        "outputs": [list(x.shape[1:]) for x in network.outputs],
        "parameters": int(network.count_params()),
    }
