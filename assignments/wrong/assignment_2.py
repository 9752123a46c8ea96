"""Answers with one mistake each; see assignment_1.py for the form."""

WRONG = {
    "sides halved with a rest": {
        "cells": {
            "plan": """\
def plan(height, width, least=3):
    if min(height, width) < least:
        raise ValueError(f"{height} × {width} has a side below {least}")
    doublings = 0
    while min(height, width) // 2 >= least:
        height, width, doublings = height // 2, width // 2, doublings + 1
    return (height, width), doublings"""
        },
        "loses": {"test_plan": "7 cannot be halved"},
    },
    "gaps filled": {
        "cells": {
            "painted": """\
def painted(kernel, stride, n):
    step = min(stride, kernel)
    counts = np.zeros((n - 1) * stride + kernel, int)
    for i in range(n):
        counts[i * step : i * step + kernel] += 1
    return counts"""
        },
        "loses": {"test_painted": "leaves gaps"},
    },
    "even means an even kernel": {
        "cells": {"even": "def is_even(kernel, stride):\n    return kernel % 2 == 0"},
        "loses": {"test_even": "how?"},
    },
    "transposed convolutions all the same": {
        "cells": {
            "generator": """\
def build_generator(height, width, latent_dim, filters):
    (first_height, first_width), doublings = plan(height, width)
    inputs = keras.Input((latent_dim,))
    x = layers.Dense(first_height * first_width * 4 * filters)(inputs)
    x = layers.Reshape((first_height, first_width, 4 * filters))(x)
    for _ in range(doublings):
        x = layers.Conv2DTranspose(filters, 5, strides=2, padding="same")(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(inputs, layers.Conv2D(3, 3, padding="same", activation="tanh")(x))"""
        },
        "loses": {"test_generator": "sub-pixels"},
    },
    "channels not dealt out": {
        "cells": {
            "generator": {
                "DepthToSpace()(layers": "(layers",
                "x = layers.ReLU": "x = layers.Reshape((2 * x.shape[1], -1, filters))(x)\n"
                "        x = layers.ReLU",
            }
        },
        "loses": {"test_generator": "no bare reshape"},
    },
    "no mistake: in sequential style, one layer that deals": {  # allowed, so it costs nothing
        "cells": {
            "generator": """\
def build_generator(height, width, latent_dim, filters):
    (h, w), doublings = plan(height, width)
    made = [layers.Dense(h * w * 4 * filters), layers.Reshape((h, w, 4 * filters))]
    deal = DepthToSpace()
    for _ in range(doublings):
        made += [layers.Conv2D(4 * filters, 3, padding="same"), deal]
        made += [layers.BatchNormalization(), layers.ReLU()]
    made.append(layers.Conv2D(3, 3, padding="same", activation="tanh"))
    return keras.Sequential([keras.Input((latent_dim,)), *made])"""
        },
        "loses": {},
    },
    "no mistake: dealt out by keras.ops": {
        "cells": {
            "generator": {
                "DepthToSpace()(layers": "ops.depth_to_space(layers",
                ")(x))\n        x": ")(x), 2)\n        x",
            }
        },
        "loses": {},
    },
    "pictures in [0, 1]": {
        "cells": {
            "generator": """\
def build_generator(height, width, latent_dim, filters):
    (first_height, first_width), doublings = plan(height, width)
    inputs = keras.Input((latent_dim,))
    x = layers.Dense(first_height * first_width * 4 * filters)(inputs)
    x = layers.Reshape((first_height, first_width, 4 * filters))(x)
    for _ in range(doublings):
        x = DepthToSpace()(layers.Conv2D(4 * filters, 3, padding="same")(x))
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(inputs, layers.Conv2D(3, 3, padding="same", activation="sigmoid")(x))"""
        },
        "loses": {"test_generator": "Nothing is dark"},
    },
    "drawn with repetition": {
        "cells": {
            "batches": """\
def batches(n, batch_size, seed):
    random = np.random.default_rng(seed)
    while True:
        yield random.integers(0, n, size=batch_size)"""
        },
        "loses": {"test_batches": "each position once"},
    },
    "shuffled once": {
        "cells": {
            "batches": """\
def batches(n, batch_size, seed):
    order = np.random.default_rng(seed).permutation(n)
    while True:
        for start in range(0, n - batch_size + 1, batch_size):
            yield order[start : start + batch_size]"""
        },
        "loses": {"test_batches": "shuffle anew"},
    },
    "the rest cut off before shuffling": {
        "cells": {
            "batches": {
                "random.permutation(n)": "random.permutation(n // batch_size * batch_size)",
                "n - batch_size + 1": "len(order)",
            }
        },
        "loses": {"test_batches": "others in each epoch"},
    },
    "the whole batch flipped": {
        "cells": {
            "augment": """\
def flip_some(images, flip):
    return ops.flip(images, axis=2) if np.any(flip) else images"""
        },
        "loses": {"test_augment": "that stays has changed"},
    },
    "flipped without gradient": {
        "cells": {
            "augment": """\
def flip_some(images, flip):
    images = np.array(images)
    images[flip] = images[flip, :, ::-1]
    return ops.convert_to_tensor(images)"""
        },
        "loses": {"test_augment": "No gradient"},
    },
    "smoothed on both sides": {
        "cells": {
            "smooth": """\
def smooth_loss(real_logits, fake_logits, smoothing):
    keep = 1 - smoothing
    real = keep * ops.softplus(-real_logits) + smoothing * ops.softplus(real_logits)
    fake = keep * ops.softplus(fake_logits) + smoothing * ops.softplus(-fake_logits)
    return 0.5 * (ops.mean(real) + ops.mean(fake))"""
        },
        "loses": {"test_smooth": "One-sided", "test_trained": "of fakes"},
    },
    "labels swapped": {
        "cells": {
            "smooth": """\
def smooth_loss(real_logits, fake_logits, smoothing):
    real_logits, fake_logits = fake_logits, real_logits
    target = 1 - smoothing
    real = target * ops.softplus(-real_logits) + smoothing * ops.softplus(real_logits)
    return 0.5 * (ops.mean(real) + ops.mean(ops.softplus(fake_logits)))"""
        },
        "loses": {"test_smooth": "swapped", "test_trained": "of real"},
    },
    "sum over the batch": {
        "cells": {"smooth": {"ops.mean": "ops.sum"}},
        "loses": {"test_smooth": "mean over the batch"},
    },
}
