"""Answers with one mistake each; see assignment_1.py for the form."""

WRONG = {
    "no label counts as the last class": {
        "cells": {"one_hot": "def one_hot(labels, classes):\n    return np.eye(classes)[labels]"},
        "loses": {"test_one_hot": "Label -1 is none"},
    },
    "numbers below -1 count as no label": {
        "cells": {
            "one_hot": """\
def one_hot(labels, classes):
    labels = np.asarray(labels)
    if labels.max() >= classes:
        raise ValueError(f"label {labels.max()} of {classes} classes")
    return (labels[:, None] == np.arange(classes)).astype("float32")"""
        },
        "loses": {"test_one_hot": "Label -5"},
    },
    "plane stripes": {
        "cells": {
            "planes": """\
def with_planes(images, labels):
    n, height, width, _ = images.shape
    k = labels.shape[1]
    planes = ops.reshape(ops.repeat(labels, height * width, axis=1), (n, height, width, k))
    return ops.concatenate([images, planes], axis=-1)"""
        },
        "loses": {"test_planes": "stripes"},
    },
    "planes for squares only": {
        "cells": {
            "planes": """\
def with_planes(images, labels):
    size = images.shape[1]
    planes = ops.tile(ops.convert_to_tensor(labels)[:, None, None, :], (1, size, size, 1))
    return ops.concatenate([images, planes], axis=-1)"""
        },
        "loses": {"test_planes": ""},
    },
    "wrong labels that may be right": {
        "cells": {
            "wrong_labels": """\
def wrong_labels(labels, classes, random):
    return random.permutation(labels)"""
        },
        "loses": {"test_wrong_labels": "are right"},
    },
    "always the next class": {
        "cells": {
            "wrong_labels": """\
def wrong_labels(labels, classes, random):
    return (np.asarray(labels) + 1) % classes"""
        },
        "loses": {"test_wrong_labels": "equally often"},
    },
    "the right label replaced by its neighbour": {
        "cells": {
            "wrong_labels": """\
def wrong_labels(labels, classes, random):
    drawn = random.integers(0, classes, size=len(labels))
    return np.where(drawn == labels, (drawn + 1) % classes, drawn)"""
        },
        "loses": {"test_wrong_labels": "equally often"},
    },
    "labels from a generator of its own": {
        "cells": {
            "wrong_labels": """\
def wrong_labels(labels, classes, random):
    return (labels + np.random.default_rng().integers(1, classes, len(labels))) % classes"""
        },
        "loses": {"test_wrong_labels": "Draw with `random`"},
    },
    "swapped labels in the loss": {
        "cells": {
            "matching": """\
def matching_loss(real_logits, wrong_logits, fake_logits):
    fakes = ops.mean(ops.softplus(-wrong_logits)) + ops.mean(ops.softplus(-fake_logits))
    return ops.mean(ops.softplus(real_logits)) + 0.5 * fakes"""
        },
        "loses": {"test_matching": "swapped", "test_trained": "obey their label"},
    },
    "wrong labels taken for real": {
        "cells": {
            "matching": """\
def matching_loss(real_logits, wrong_logits, fake_logits):
    real = ops.mean(ops.softplus(-real_logits)) + ops.mean(ops.softplus(-wrong_logits))
    return 0.5 * real + ops.mean(ops.softplus(fake_logits))"""
        },
        "loses": {"test_matching": "", "test_trained": "obey their label"},
    },
    "sums over the batch": {
        "cells": {"matching": {"ops.mean": "ops.sum"}},
        "loses": {"test_matching": "not sums"},
    },
    "normalised for each picture": {
        "cells": {
            "conditional": """\
def conditional_norm(features, labels, gains, biases):
    mean, variance = ops.moments(ops.convert_to_tensor(features), axes=(1, 2), keepdims=True)
    normal = (features - mean) / ops.sqrt(variance + 1e-5)
    gain, bias = ops.matmul(labels, gains), ops.matmul(labels, biases)
    return normal * gain[:, None, None, :] + bias[:, None, None, :]"""
        },
        "loses": {"test_conditional": "of its class"},
    },
    "gains of the wrong class": {
        "cells": {
            "conditional": """\
def conditional_norm(features, labels, gains, biases):
    mean, variance = ops.moments(ops.convert_to_tensor(features), axes=(0, 1, 2), keepdims=True)
    normal = (features - mean) / ops.sqrt(variance + 1e-5)
    gain, bias = ops.matmul(labels, gains[::-1]), ops.matmul(labels, biases)
    return normal * gain[:, None, None, :] + bias[:, None, None, :]"""
        },
        "loses": {"test_conditional": "of its class"},
    },
    "shares of what was read": {
        "cells": {
            "obeyed": """\
def obeyed(probabilities, asked):
    read = np.argmax(probabilities, axis=1)
    right = read == np.asarray(asked)
    classes = range(probabilities.shape[1])
    return right.mean(), np.array([right[read == k].mean() for k in classes])"""
        },
        "loses": {"test_obeyed": "Of those asked for"},
    },
    "classes not asked for left out": {
        "cells": {"obeyed": {"np.shape(probabilities)[1]": "asked.max() + 1"}},
        "loses": {"test_obeyed": "asked for or not"},
    },
}
