"""Answers with one mistake each; see assignment_1.py for the form."""

WRONG = {
    "an interval for single values": {
        "cells": {
            "interval": """\
def interval(values, random, repeats=1000):
    return tuple(np.percentile(random.choice(values, repeats), [2.5, 97.5]))"""
        },
        "loses": {"test_interval": "single values"},
    },
    "an interval of 90 %": {
        "cells": {
            "interval": """\
def interval(values, random, repeats=1000):
    drawn = random.integers(0, len(values), size=(repeats, len(values)))
    return tuple(np.percentile(values[drawn].mean(axis=1), [5, 95]))"""
        },
        "loses": {"test_interval": "95 %"},
    },
    "random numbers of its own": {
        "cells": {
            "interval": """\
def interval(values, random, repeats=1000):
    random = np.random.default_rng()
    drawn = random.integers(0, len(values), size=(repeats, len(values)))
    return tuple(np.percentile(values[drawn].mean(axis=1), [2.5, 97.5]))"""
        },
        "loses": {"test_interval": "same interval"},
    },
    "always a hundred drawn": {
        "cells": {
            "interval": """\
def interval(values, random, repeats=1000):
    drawn = random.integers(0, len(values), size=(repeats, 400))
    return tuple(np.percentile(values[drawn].mean(axis=1), [2.5, 97.5]))"""
        },
        "loses": {"test_interval": "draw n of n"},
    },
    "only exact copies": {
        "cells": {
            "copies": """\
def copied(generated, training_set, held_out, share=0.01):
    gaps = np.linalg.norm(generated[:, None] - training_set[None], axis=-1).min(axis=1)
    return float((gaps == 0).mean())"""
        },
        "loses": {"test_copies": "with a little noise"},
    },
    "farther for nearer": {
        "cells": {
            "copies": """\
def copied(generated, training_set, held_out, share=0.01):
    def nearest(x):
        return np.array([np.linalg.norm(training_set - row, axis=1).min() for row in x])

    return float((nearest(generated) > np.quantile(nearest(held_out), share)).mean())"""
        },
        "loses": {"test_copies": "themselves are copies"},
    },
    "two things changed": {
        "cells": {
            "settings": """\
def my_settings():
    return {"a": {"smoothing": 0.0}, "b": {"smoothing": 0.1, "loss": "hinge"}}"""
        },
        "loses": {"test_settings": "differ in one thing"},
    },
    "nothing changed: it is 0 anyway": {
        "cells": {
            "settings": """\
def my_settings():
    return {"plain": {}, "smoothed": {"smoothing": 0.0}}"""
        },
        "loses": {"test_settings": "differ in one thing"},
    },
    "nothing changed: the loss is this one anyway": {
        "cells": {
            "settings": """\
def my_settings():
    return {"plain": {}, "other": {"loss": "non_saturating", "ema_decay": 0.99}}"""
        },
        "loses": {"test_settings": "differ in one thing"},
    },
    "the lowest score is the best": {
        "cells": {
            "reading": """\
def my_reading():
    return {1: "B is better", 2: "B is better", 3: "B is better"}"""
        },
        "loses": {"test_reading": "by chance"},
    },
}
