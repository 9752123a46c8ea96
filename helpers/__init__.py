"""Plumbing for the lessons: find pictures, build networks, train them, look, measure.

The modules are flat and each says in its name what is in it; importing this package
loads none of them, so ``import helpers`` is instant and TensorFlow starts only when a
module that needs it is imported. Those that a lesson imports, and what stands behind each:

========================  ====================================================================
runtime, runs             the machine: profile, device, seeds, strategy; a run's folder, export
colab                     a session of Google Colab: what is missing there; Google Drive
datasets, streaming       pictures with labels, in batches; the slower ways, to compare
models, face_models       builders of networks, each after a paper or a lesson
vae_models, anime_models  the same, of lessons 4 and 5
cycle_models              the same, of lesson 9
gans, vaes, cyclegan      the models: what each minimises
pretrained                generators that ship, trained and with a card each
training                  what all models share: the gradient step, noise, schedules
checkpoints               continue a training exactly; keep the best generator
monitors, symptoms        watch training; name what goes wrong
clinic                    train under observation, and draw the chart
scores, metrics           measure what a generator makes: in one table; one by one
latent, directions        walks and sums of codes; directions that mean something, measured
inversion                 the code that a GAN would draw a given picture from
plotting, score_figures   figures: of samples, losses, games; of scores
widgets                   sliders and buttons
playground                the same controls without a screen; the figure beside the sliders
========================  ====================================================================

To read how a GAN is trained: ``training``, ``adversarial``, ``losses``, ``gans``, in this order.

Behind ``datasets`` stand ``image_set`` (what it gives), ``layouts`` and ``readers`` (files as their
authors publish them), ``decoding`` and ``prepare`` (JPEG to an array on disk), ``downloads`` and
``sources``, and for what is not there ``standins``, which draws it with ``portraits``, ``anime``
and ``collage``, or ``characters`` and ``allographs``. Behind ``checkpoints`` stand ``archives``
(files), ``model_state`` (numbers) and ``mid_epoch``; behind ``training``, ``replicas`` (several
devices or machines); behind ``symptoms``, ``statistics`` (what is measured) and ``illnesses`` (what
it means); behind ``runs``, ``export``; behind ``playground``, ``named_directions``. Behind
``scores`` stand ``samples`` (pictures out of a generator), ``intervals`` (how sure a score is),
``reports`` (table and figures) and ``tstr``; behind ``metrics``, ``feature_networks`` (what looks
at the pictures), ``pixels`` and ``neighbours``; behind ``feature_networks``, ``classifiers``.
``checks`` names bad input, ``files`` writes files whole or not at all, ``waiting`` shows progress,
and ``_backend`` loads Keras quietly.
"""

__version__ = "0.1.0"
