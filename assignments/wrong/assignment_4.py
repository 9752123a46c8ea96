"""Answers with one mistake each; see assignment_1.py for the form."""

WRONG = {
    "spread without exp": {
        "cells": {
            "sample": """\
def sample_laplace(mean, log_b, u):
    return mean - (1 + log_b) * ops.sign(u) * ops.log(1 - 2 * ops.abs(u))"""
        },
        "loses": {"test_sample": "b = exp(log_b)"},
    },
    "the wrong way round": {
        "cells": {
            "sample": """\
def sample_laplace(mean, log_b, u):
    return mean + ops.exp(log_b) * ops.sign(u) * ops.log(1 - 2 * ops.abs(u))"""
        },
        # the tails are the same on both sides, so training does not mind
        "loses": {"test_sample": "look at the signs"},
    },
    "no gradient": {
        "cells": {
            "sample": """\
def sample_laplace(mean, log_b, u):
    mean, log_b = ops.stop_gradient(mean), ops.stop_gradient(log_b)
    return mean - ops.exp(log_b) * ops.sign(u) * ops.log(1 - 2 * ops.abs(u))"""
        },
        "loses": {"test_sample": "No gradient", "test_trained": ""},
    },
    "wrong sign of the KL": {
        "cells": {
            "kl": """\
def kl_laplace(mean, log_b):
    size, b = ops.abs(mean), ops.exp(log_b)
    return ops.sum(1 + log_b - size - b * ops.exp(-size / b), axis=-1)"""
        },
        "loses": {"test_kl": "never negative", "test_trained": ""},
    },
    "mean for sum in the KL": {
        "cells": {
            "kl": """\
def kl_laplace(mean, log_b):
    size, b = ops.abs(mean), ops.exp(log_b)
    return ops.mean(size + b * ops.exp(-size / b) - log_b - 1, axis=-1)"""
        },
        "loses": {"test_kl": "sum, not mean"},
    },
    "spread left out of the exponent": {
        "cells": {
            "kl": """\
def kl_laplace(mean, log_b):
    size, b = ops.abs(mean), ops.exp(log_b)
    return ops.sum(size + b * ops.exp(-size) - log_b - 1, axis=-1)"""
        },
        "loses": {"test_kl": "Monte Carlo"},
    },
    "a negative mean left negative": {
        "cells": {"kl": {"ops.abs(mean)": "mean"}},
        "loses": {"test_kl": "Monte Carlo"},
    },
    "the KL that the tests of the loss bring along": {
        "cells": {
            "kl": """\
def kl_laplace(mean, log_b):
    return ops.sum(ops.abs(mean), axis=-1) / np.e"""
        },
        "loses": {"test_kl": "Monte Carlo", "test_trained": "nats"},
    },
    "mean for sum over the pixels": {
        "cells": {
            "loss": """\
def vae_loss(x, reconstruction, mean, log_b, beta):
    unlike = 4 * ops.mean(ops.abs(x - reconstruction), axis=(1, 2, 3))
    return ops.mean(unlike + beta * kl_laplace(mean, log_b))"""
        },
        "loses": {"test_loss": "mean over the pixels", "test_trained": ""},
    },
    "beta forgotten": {
        "cells": {
            "loss": """\
def vae_loss(x, reconstruction, mean, log_b, beta):
    unlike = 4 * ops.sum(ops.abs(x - reconstruction), axis=(1, 2, 3))
    return ops.mean(unlike + kl_laplace(mean, log_b))"""
        },
        "loses": {"test_loss": "beta times KL"},
    },
    "squares for absolute differences": {
        "cells": {"loss": {"ops.abs(": "ops.square("}},
        "loses": {"test_loss": "no square"},
    },
    "differences that cancel": {
        "cells": {"loss": {"ops.abs(x - reconstruction)": "x - reconstruction"}},
        "loses": {"test_loss": "no sign", "test_trained": ""},
    },
    "roots by element": {
        "cells": {
            "frechet": """\
def frechet(mean_1, covariance_1, mean_2, covariance_2):
    middle = np.sqrt(np.maximum(covariance_1 * covariance_2, 0))
    gap = np.sum((mean_1 - mean_2) ** 2)
    return float(gap + np.trace(covariance_1 + covariance_2 - 2 * middle))"""
        },
        "loses": {"test_frechet": "matrix root"},
    },
    "distance of means not squared": {
        "cells": {
            "frechet": """\
def frechet(mean_1, covariance_1, mean_2, covariance_2):
    values = np.maximum(np.linalg.eigvals(covariance_1 @ covariance_2).real, 0)
    gap = np.linalg.norm(mean_1 - mean_2)
    return float(gap + np.trace(covariance_1 + covariance_2) - 2 * np.sqrt(values).sum())"""
        },
        "loses": {"test_frechet": "counts squared"},
    },
    "roots of eigenvalues below 0": {
        "cells": {"frechet": {"np.maximum(values, 0)": "values"}},
        "loses": {"test_frechet": "no NaN"},
    },
}
