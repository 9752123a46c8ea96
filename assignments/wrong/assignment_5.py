"""Answers with one mistake each; see assignment_1.py for the form."""

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
        "cells": {"parts": {"return 0.5 * ops.mean(ops": "return -0.5 * ops.mean(ops"}},
        "loses": {"test_parts": "never negative", "test_trained": "off by"},
    },
    "mean for sum in likeness": {
        "cells": {"parts": {"ops.sum(ops.abs": "ops.mean(ops.abs"}},
        "loses": {"test_parts": "not a mean"},
    },
    "squares in likeness": {
        "cells": {"parts": {"ops.abs(features": "ops.square(features"}},
        "loses": {"test_parts": "not squares"},
    },
    "differences that cancel in likeness": {
        "cells": {"parts": {"ops.abs(features - features_made)": "features - features_made"}},
        "loses": {"test_parts": "absolute differences", "test_trained": "off by"},
    },
    "m not squared in the KL": {
        "cells": {"parts": {"ops.square(mean)": "mean"}},
        "loses": {"test_parts": "m counts squared", "test_trained": ""},
    },
    "sums over the batch": {
        "cells": {"parts": {"(ops.mean(c) + ops.mean(s))": "(ops.sum(c) + ops.sum(s))"}},
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
        "cells": {"routing": {"losses.kl(mean, log_variance)": "losses.kl(log_variance, mean)"}},
        "loses": {"test_encoder": "alone"},
    },
    "encoder paid for fooling D": {
        "cells": {"routing": {'"encoder": unlike': '"encoder": losses.adversarial(c, s) + unlike'}},
        "loses": {"test_encoder": "alone"},
    },
    "likeness moves D": {
        "cells": {"routing": {"losses.d_loss(r, c, s)": "losses.d_loss(r, c, s) + unlike"}},
        "loses": {"test_discriminator": "alone"},
    },
    "gamma on the wrong part": {
        "cells": {
            "routing": {
                "losses.gamma * unlike": "unlike",
                "losses.adversarial": "losses.gamma * losses.adversarial",
            }
        },
        "loses": {"test_generator": "gamma · likeness"},
    },
    "training=True missing": {
        "cells": {"routing": {", training=True": ""}},
        # BatchNormalization then uses its averages, so that every gradient through G is another
        "loses": {"test_encoder": "", "test_generator": "", "test_discriminator": ""},
    },
}
