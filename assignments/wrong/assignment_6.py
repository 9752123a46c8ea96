"""Answers with one mistake each; see assignment_1.py for the form."""

WRONG = {
    "straight lines": {
        "cells": {
            "walks": """\
def walks(a, b, times):
    a, b, t = np.asarray(a), np.asarray(b), np.asarray(times)[None, :, None]
    return (1 - t) * a[:, None] + t * b[:, None]"""
        },
        "loses": {"test_walks": "no straight line"},
    },
    "lengths go evenly": {
        "cells": {
            "walks": """\
def walks(a, b, times):
    a, b, t = np.asarray(a, float), np.asarray(b, float), np.asarray(times, float)[None, :, None]
    long_a, long_b = (np.linalg.norm(x, axis=1)[:, None, None] for x in (a, b))
    u, v = a[:, None] / long_a, b[:, None] / long_b
    angle = np.maximum(np.arccos(np.clip((u * v).sum(axis=-1, keepdims=True), -1, 1)), 1e-9)
    arc = (np.sin((1 - t) * angle) * u + np.sin(t * angle) * v) / np.sin(angle)
    return arc * ((1 - t) * long_a + t * long_b)"""
        },
        "loses": {"test_walks": "half-way the length is 2"},
    },
    "not a number on the spot": {
        "cells": {
            "walks": {
                "np.where(near, 1.0, angle)": "angle",
                "np.where(near, (1 - t) * u + t * v, arc)": "arc",
            }
        },
        "loses": {"test_walks": "not a number"},
    },
    "the length goes evenly on a straight way": {
        "cells": {
            "walks": {
                "(1 - t) * u + t * v, arc) *": "(1 - t) * a[:, None] + t * b[:, None], arc *",
                "long_b**t": "long_b**t)",
            }
        },
        "loses": {"test_walks": "there, too"},
    },
    "confounder ignored": {
        "cells": {
            "direction": """\
def controlled_direction(z, has_it, other):
    gap = z[has_it].mean(axis=0) - z[~has_it].mean(axis=0)
    return gap / np.linalg.norm(gap)"""
        },
        "loses": {"test_direction": "as much smile", "test_trained": "cosine"},
    },
    "groups weighed alike": {
        "cells": {
            "direction": """\
def controlled_direction(z, has_it, other):
    total = 0
    for group in (other, ~other):
        if not (group & has_it).any() or not (group & ~has_it).any():
            raise ValueError("one of the four groups is empty")
        total = total + z[group & has_it].mean(axis=0) - z[group & ~has_it].mean(axis=0)
    return total / np.linalg.norm(total)"""
        },
        "loses": {"test_direction": "weigh with shares"},
    },
    "the wrong way": {
        "cells": {
            "direction": """\
def controlled_direction(z, has_it, other):
    total = 0
    for group in (other, ~other):
        if not (group & has_it).any() or not (group & ~has_it).any():
            raise ValueError("one of the four groups is empty")
        gap = z[group & ~has_it].mean(axis=0) - z[group & has_it].mean(axis=0)
        total = total + group.mean() * gap
    return total / np.linalg.norm(total)"""
        },
        "loses": {"test_direction": "points away", "test_trained": "cosine"},
    },
    "one after the other": {
        "cells": {
            "symmetric": """\
def symmetric(directions):
    q, r = np.linalg.qr(np.transpose(directions))
    return (q * np.sign(np.diag(r))).T"""
        },
        "loses": {"test_symmetric": "gave way"},
    },
    "lengths left as they are": {
        "cells": {
            "symmetric": """\
def symmetric(directions):
    rows = np.asarray(directions, float)
    values, vectors = np.linalg.eigh(rows @ rows.T)
    return (vectors / np.sqrt(values)) @ vectors.T @ rows"""
        },
        "loses": {"test_symmetric": "Lengths should not matter"},
    },
    "mirrored with a long direction": {
        "cells": {
            "mirror": """\
def mirrored(codes, direction):
    return codes - 2 * (codes @ direction)[:, None] * direction"""
        },
        "loses": {"test_mirror": "Lengths should stay"},
    },
    "everybody is judged": {
        "cells": {
            "effects": """\
def effects(before, after, j):
    lacked = ~before[:, j]
    if not lacked.any():
        return np.nan, np.full(before.shape[1], np.nan)
    side = (before != after).mean(axis=0).astype(float)
    side[j] = np.nan
    return after[lacked, j].mean(), side"""
        },
        "loses": {"test_effects": "only those who lacked it"},
    },
    "all who have it now": {
        "cells": {
            "effects": """\
def effects(before, after, j):
    lacked = ~before[:, j]
    side = (before != after)[lacked].mean(axis=0)
    side[j] = np.nan
    return after[:, j].mean(), side"""
        },
        "loses": {"test_effects": "Of three who lacked it"},
    },
    "one number for all side effects": {
        "cells": {"effects": {"np.full(before.shape[1], np.nan)": "np.nan"}},
        "loses": {"test_effects": "each of the side effects"},
    },
    "side effects of 0 where nobody lacked it": {
        "cells": {"effects": {"np.full(before.shape[1], np.nan)": "np.zeros(before.shape[1])"}},
        "loses": {"test_effects": "each of the side effects"},
    },
}
