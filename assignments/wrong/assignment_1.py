"""Answers with one mistake each: the cells that replace the right ones, and what they cost.

A cell is given whole, or as what changes in the right one: each text, by what stands there.
``loses`` has each test that has to fail, with words that its message has to say.
"""

WRONG = {
    "share forgotten": {
        "cells": {
            "best": """\
def best_discriminator(p, q, share):
    return np.where(p + q > 0, p / (p + q), share)"""
        },
        "loses": {"test_best": "only a quarter"},
    },
    "nowhere is not a number": {
        "cells": {
            "best": """\
def best_discriminator(p, q, share):
    with np.errstate(invalid="ignore"):
        return share * p / (share * p + (1 - share) * q)"""
        },
        "loses": {"test_best": "not NaN"},
    },
    "labels swapped": {
        "cells": {
            "losses": """\
def d_relativistic(real_logits, fake_logits):
    return ops.mean(ops.softplus(real_logits - fake_logits))


def g_relativistic(real_logits, fake_logits):
    return ops.mean(ops.softplus(fake_logits - real_logits))"""
        },
        # the game still balances, with real and fake taken the wrong way round
        "loses": {"test_d_loss": "swapped", "test_g_loss": "the discriminator's loss"},
    },
    "logarithm of a sigmoid": {
        "cells": {
            "losses": """\
def d_relativistic(real_logits, fake_logits):
    return -ops.mean(ops.log(ops.sigmoid(real_logits - fake_logits)))


def g_relativistic(real_logits, fake_logits):
    return -ops.mean(ops.log(ops.sigmoid(fake_logits - real_logits)))"""
        },
        "loses": {"test_d_loss": "use softplus", "test_g_loss": "use softplus"},
    },
    "saturating loss of G": {
        "cells": {
            "losses": """\
def d_relativistic(real_logits, fake_logits):
    return ops.mean(ops.softplus(fake_logits - real_logits))


def g_relativistic(real_logits, fake_logits):
    return -ops.mean(ops.softplus(fake_logits - real_logits))"""
        },
        "loses": {"test_g_loss": "the saturating loss"},
    },
    "sum for mean": {
        "cells": {
            "losses": """\
def d_relativistic(real_logits, fake_logits):
    return ops.sum(ops.softplus(fake_logits - real_logits))


def g_relativistic(real_logits, fake_logits):
    return ops.mean(ops.softplus(real_logits - fake_logits))"""
        },
        "loses": {"test_d_loss": "not the sum"},
    },
    "frozen discriminator": {
        "cells": {
            "update_d": """\
def update_discriminator(game, real, z):
    game.discriminator.trainable = False
    fake = game.generator(z, training=True)
    with tf.GradientTape() as tape:
        loss = d_relativistic(
            game.discriminator(real, training=True), game.discriminator(fake, training=True)
        )
    weights = game.discriminator.trainable_variables
    if weights:
        game.d_optimizer.apply(tape.gradient(loss, weights), weights)
    return loss"""
        },
        "loses": {"test_update_d": "does not move", "test_trained": "of 6 clouds"},
    },
    "both networks moved": {
        "cells": {
            "update_d": """\
def update_discriminator(game, real, z):
    with tf.GradientTape() as tape:
        fake = game.generator(z, training=True)
        loss = d_relativistic(
            game.discriminator(real, training=True), game.discriminator(fake, training=True)
        )
    weights = game.discriminator.trainable_variables + game.generator.trainable_variables
    keras.optimizers.SGD(0.001).apply(tape.gradient(loss, weights), weights)
    return loss"""
        },
        "loses": {"test_update_d": "moves the generator", "test_trained": ""},
    },
    "training=True missing": {
        "cells": {
            "update_g": """\
def update_generator(game, real, z):
    with tf.GradientTape() as tape:
        fake = game.generator(z)
        loss = g_relativistic(game.discriminator(real), game.discriminator(fake))
    weights = game.generator.trainable_variables
    game.g_optimizer.apply(tape.gradient(loss, weights), weights)
    return loss"""
        },
        "loses": {"test_update_g": "lacks training=True"},
    },
    "D goes down G's loss": {
        "cells": {"update_d": {"d_relativistic(\n": "g_relativistic(\n"}},
        "loses": {"test_update_d": "your d_relativistic", "test_trained": "of 6 clouds"},
    },
    "G goes down D's loss": {
        "cells": {"update_g": {"g_relativistic(\n": "d_relativistic(\n"}},
        "loses": {"test_update_g": "your g_relativistic", "test_trained": "of 6 clouds"},
    },
    "curves misread": {
        "cells": {
            "diagnosis": """\
def my_diagnosis():
    return {"A": "healthy", "B": "healthy", "C": "D wins"}"""
        },
        "loses": {"test_diagnosis": "the length of D's weights"},
    },
}
