"""Answers with one mistake each; see assignment_1.py for the form."""

ROUTING = """\
def gradients(nets, losses, x, noise, z):
    with tf.GradientTape(persistent=True) as tape:
        mean, log_variance = ops.split(nets.encoder(x, training=True), 2, axis=-1)
        code = mean + ops.exp(log_variance / 2) * noise
        made = nets.generator(code, training=True)
        sampled = nets.generator(z, training=True)
        real_features, r = nets.discriminator(x, training=True)
        made_features, c = nets.discriminator(made, training=True)
        _, s = nets.discriminator(sampled, training=True)
        unlike = losses.likeness(real_features, made_features)
        of = {
            "encoder": unlike + losses.beta * losses.kl(mean, log_variance),
            "generator": losses.adversarial(c, s) + losses.gamma * unlike,
            "discriminator": losses.d_loss(r, c, s),
        }
    return {k: tape.gradient(v, getattr(nets, k).trainable_variables) for k, v in of.items()}"""

PARTS = """\
def likeness(features, features_made):
    return ops.mean(ops.sum(ops.abs(features - features_made), axis=1))


def kl(mean, log_variance):
    terms = ops.exp(log_variance) + ops.square(mean) - 1 - log_variance
    return 0.5 * ops.mean(ops.sum(terms, axis=1))


def adversarial(c, s):
    return -0.5 * (ops.mean(c) + ops.mean(s))"""


def changed(text, old, new):
    """The right answer with one thing changed."""
    assert old in text, old
    return text.replace(old, new)


WRONG = {
    "one step too many": {
        "cells": {
            "by_clock": """\
def critic_updates(step):
    return 100 if step <= 25 or step % 500 == 0 else 5"""
        },
        "loses": {"test_by_clock": "26th"},
    },
    "the step 500 only": {
        "cells": {
            "by_clock": """\
def critic_updates(step):
    return 100 if step < 25 or step == 500 else 5"""
        },
        "loses": {"test_by_clock": "Every 500th"},
    },
    "who rests is swapped": {
        "cells": {
            "by_balance": """\
class Balance:
    def __init__(self, low=0.6, high=0.8):
        self.low, self.high, self.mean = low, high, 0.5

    def __call__(self, accuracy):
        self.mean = 0.9 * self.mean + 0.1 * accuracy
        return int(self.mean >= self.low), int(self.mean <= self.high)"""
        },
        "loses": {"test_by_balance": "it should rest"},
    },
    "the mean is brought up to date too late": {
        "cells": {
            "by_balance": """\
class Balance:
    def __init__(self, low=0.6, high=0.8):
        self.low, self.high, self.mean = low, high, 0.5

    def __call__(self, accuracy):
        turns = int(self.mean <= self.high), int(self.mean >= self.low)
        self.mean = 0.9 * self.mean + 0.1 * accuracy
        return turns"""
        },
        "loses": {"test_by_balance": "after nine steps"},
    },
    "hinge of the mean": {
        "cells": {
            "hinge": """\
def d_loss(r, c, s):
    fake = ops.relu(1 + ops.mean(c)) + ops.relu(1 + ops.mean(s))
    return ops.relu(1 - ops.mean(r)) + 0.5 * fake"""
        },
        "loses": {"test_hinge": "max first"},
    },
    "real and fake swapped": {
        "cells": {
            "hinge": """\
def d_loss(r, c, s):
    fake = ops.mean(ops.relu(1 - c)) + ops.mean(ops.relu(1 - s))
    return ops.mean(ops.relu(1 + r)) + 0.5 * fake"""
        },
        "loses": {"test_hinge": "swapped", "test_trained": "near the ring"},
    },
    "wrong sign of the KL": {
        "cells": {
            "parts": changed(PARTS, "return 0.5 * ops.mean(ops", "return -0.5 * ops.mean(ops")
        },
        "loses": {"test_parts": "never negative", "test_trained": "off by"},
    },
    "mean for sum in likeness": {
        "cells": {"parts": changed(PARTS, "ops.sum(ops.abs", "ops.mean(ops.abs")},
        "loses": {"test_parts": "not a mean"},
    },
    "squares in likeness": {
        "cells": {"parts": changed(PARTS, "ops.abs(features", "ops.square(features")},
        "loses": {"test_parts": "not squares"},
    },
    "differences that cancel in likeness": {
        "cells": {
            "parts": changed(PARTS, "ops.abs(features - features_made)", "features - features_made")
        },
        "loses": {"test_parts": "absolute differences", "test_trained": "off by"},
    },
    "m not squared in the KL": {
        "cells": {"parts": changed(PARTS, "ops.square(mean)", "mean")},
        "loses": {"test_parts": "m counts squared", "test_trained": ""},
    },
    "sums over the batch": {
        "cells": {
            "parts": changed(PARTS, "(ops.mean(c) + ops.mean(s))", "(ops.sum(c) + ops.sum(s))")
        },
        "loses": {"test_parts": "not sums", "test_trained": ""},
    },
    "losses that the tests of the routing bring along": {
        "cells": {
            "hinge": """\
def d_loss(r, c, s):
    return reference_losses(0.0, 0.0).d_loss(r, c, s)""",
            "parts": """\
def likeness(features, features_made):
    return reference_losses(0.0, 0.0).likeness(features, features_made)


def kl(mean, log_variance):
    return reference_losses(0.0, 0.0).kl(mean, log_variance)


def adversarial(c, s):
    return reference_losses(0.0, 0.0).adversarial(c, s)""",
        },
        "loses": {"test_hinge": "", "test_parts": ""},
    },
    "routing that was printed once": {
        "cells": {
            "routing": """\
def gradients(nets, losses, x, noise, z):
    names = ("encoder", "generator", "discriminator")
    return {k: reference_gradients(nets, losses, x, noise, z, k) for k in names}"""
        },
        "loses": {
            "test_encoder": "reference_gradients",
            "test_generator": "reference_gradients",
            "test_discriminator": "reference_gradients",
            "test_trained": "",
        },
    },
    "mean and log-variance swapped": {
        "cells": {
            "routing": changed(
                ROUTING, "losses.kl(mean, log_variance)", "losses.kl(log_variance, mean)"
            )
        },
        "loses": {"test_encoder": "alone"},
    },
    "encoder paid for fooling D": {
        "cells": {
            "routing": changed(
                ROUTING, '"encoder": unlike', '"encoder": losses.adversarial(c, s) + unlike'
            )
        },
        "loses": {"test_encoder": "alone"},
    },
    "likeness moves D": {
        "cells": {
            "routing": changed(ROUTING, "losses.d_loss(r, c, s)", "losses.d_loss(r, c, s) + unlike")
        },
        "loses": {"test_discriminator": "alone"},
    },
    "gamma on the wrong part": {
        "cells": {
            "routing": changed(
                ROUTING,
                "losses.adversarial(c, s) + losses.gamma * unlike",
                "losses.gamma * losses.adversarial(c, s) + unlike",
            )
        },
        "loses": {"test_generator": "gamma · likeness"},
    },
    "training=True missing": {
        "cells": {"routing": changed(ROUTING, ", training=True", "")},
        # BatchNormalization then uses its averages, so that every gradient through G is another
        "loses": {"test_encoder": "", "test_generator": "", "test_discriminator": ""},
    },
}
