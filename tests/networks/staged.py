"""What tests of networks drawn in stages share: toys, and slow networks."""

import contextlib
import os
import tempfile
from unittest import mock

import keras
import numpy as np

from keras_t2i.layers import starts
from tests.networks import oracle

ROWS, WORDS = 3, 5
GENERATOR = dict(
    image_size=16,
    base_size=8,
    width=4,
    noise_dim=5,
    condition_dim=3,
    text_dim=6,
)
DISCRIMINATOR = dict(image_size=32, width=4, text_dim=6)
LENGTHS = np.array([[5], [2], [3]])


@contextlib.contextmanager
def without_starts():
    """Makes kernels start at zero: large rotations take long to find.

    Yields:
        None.
    """
    with mock.patch.object(starts, "orthogonal", lambda: "zeros"):
        yield


def latent(rows=ROWS, noise_dim=8):
    """Draws a generator's inputs.

    Args:
        rows: int.
        noise_dim: int. Numbers of the noise and of the condition's draw.

    Returns:
        dict of arrays.
    """
    return {
        "noise": oracle.drawn(rows, noise_dim),
        "sentence": oracle.drawn(rows, 6, seed=1),
        "words": oracle.drawn(rows, WORDS, 6, seed=2),
        "mask": np.arange(WORDS) < LENGTHS[:rows],
    }


def pair(rows=ROWS, size=32):
    """Draws a discriminator's inputs.

    Args:
        rows: int.
        size: int. Height and width of the pictures.

    Returns:
        dict of arrays.
    """
    return {
        "image": np.tanh(oracle.drawn(rows, size, size, 3, seed=3)),
        "sentence": oracle.drawn(rows, 6, seed=1),
    }


def shaken(network, seed=5):
    """Draws a network's weights anew, as those of a trained one may be.

    Args:
        network: `keras.Model`.
        seed: int.

    Returns:
        The network.
    """
    draw = np.random.default_rng(seed)
    for variable in network.weights:
        if variable.name in ("moving_variance", "gamma"):
            fresh = draw.uniform(0.5, 1.5, variable.shape)
        elif len(variable.shape) > 1:
            fan_in = np.prod(variable.shape[:-1])
            fresh = draw.normal(0.0, (2 / fan_in) ** 0.5, variable.shape)
        else:
            fresh = draw.normal(0.0, 0.2, variable.shape)
        if variable.name in ("u", "v"):
            fresh = fresh / np.sqrt(np.sum(fresh**2))
        variable.assign(fresh)
    return network


def reloaded(network):
    """Saves a network to a file and reads it back.

    Args:
        network: `keras.Model`.

    Returns:
        `keras.Model`.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "network.keras")
        network.save(path)
        return keras.models.load_model(path)


def mixed(make):
    """Makes a network that computes in bfloat16.

    Args:
        make: callable -> `keras.Model`.

    Returns:
        `keras.Model`.
    """
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return make()
    finally:
        keras.config.set_dtype_policy("float32")


def generated(network, inputs, sizes, residuals):
    """Draws pictures in float64, by running statistics.

    Args:
        network: a generator in two stages. Its layer that reads words is
            taken as it is.
        inputs: dict, as `latent` draws.
        sizes: two ints, of the stages.
        residuals: int.

    Returns:
        dict: image, the smaller image, mean and log_variance.
    """
    first, last = sizes
    part = _Slow(network)
    told = _gated(part.dense(inputs["sentence"], "condition"))
    mean, log_variance = np.split(told, 2, -1)
    count = mean.shape[-1]
    draws = np.float64(inputs["noise"][:, -count:])
    condition = mean + np.exp(log_variance / 2) * draws
    x = np.concatenate([condition, inputs["noise"][:, :-count]], -1)
    x = _gated(part.norm(part.dense(x, "start"), "start_norm"))
    x = x.reshape(len(x), 4, 4, -1)
    size = 8
    while size <= first:
        x = part.up(x, f"up_{size}")
        size *= 2
    pictures = {f"image_{first}": part.image(x, f"colours_{first}")}
    read = network.get_layer(f"attention_{first}")
    found, _ = read(np.float32(x), inputs["words"], inputs["mask"])
    # AttnGAN joins the map and what was read, DM-GAN the renewed map twice.
    is_twin = hasattr(read, "response")
    x = np.concatenate([found if is_twin else x, found], -1)
    for number in range(1, residuals + 1):
        name = f"block_{first}_{number}"
        y = part.conv(x, f"{name}_conv_1")
        y = _gated(part.norm(y, f"{name}_norm_1"))
        x = x + part.norm(part.conv(y, f"{name}_conv_2"), f"{name}_norm_2")
    pictures["image"] = part.image(part.up(x, f"up_{last}"), f"colours_{last}")
    return pictures | {"mean": mean, "log_variance": log_variance}


def judged(network, inputs, downs, narrows):
    """Scores pictures in float64, by running statistics.

    Args:
        network: a discriminator, before its spectral norms move.
        inputs: dict, as `pair` draws.
        downs: names of the layers that halve the map.
        narrows: names of those that halve the channels, of size 3.

    Returns:
        dict: features, matched and alone.
    """
    part = _Slow(network.get_layer("trunk"))
    x = np.float64(inputs["image"])
    for name in downs:
        x = oracle.leaky(part.normed(x, name, 2))
    for name in narrows:
        x = oracle.leaky(part.normed(x, name, 1))
    head = _Slow(network.get_layer("head"))
    tiled = oracle.tiled(inputs["sentence"])
    joined = np.concatenate([x, tiled], -1)
    y = oracle.leaky(head.normed(joined, "joint", 1))
    return {
        "features": x,
        "matched": head.score(y),
        "alone": _Slow(network.get_layer("alone")).score(x),
    }


def _gated(x):
    passed, gate = np.split(x, 2, -1)
    return passed / (1.0 + np.exp(-gate))


class _Slow:
    """Plays a network's layers by name in float64."""

    def __init__(self, network):
        self.layer = network.get_layer
        self.names = {each.name for each in network.layers}

    def dense(self, x, name):
        layer = self.layer(name)
        layer = getattr(layer, "project", layer)
        kernel, *bias = (np.float64(w) for w in layer.weights)
        return np.float64(x) @ kernel + (bias[0] if bias else 0.0)

    def norm(self, x, name):
        gamma, beta, mean, variance = (
            np.float64(w) for w in self.layer(name).weights
        )
        return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta

    def conv(self, x, name, stride=1):
        layer = self.layer(name)
        kernel = np.float64(layer.kernel)
        if hasattr(layer, "u"):
            matrix = kernel.reshape(-1, kernel.shape[-1])
            v = matrix @ np.float64(layer.u)
            v /= np.sqrt(np.sum(v**2))
            kernel = kernel / np.sqrt(np.sum((v @ matrix) ** 2))
        answer = _slid(np.pad(x, _BORDER), kernel, stride)
        return answer + (np.float64(layer.bias) if layer.use_bias else 0.0)

    def normed(self, x, name, stride):
        x = self.conv(x, name, stride)
        has_norm = f"{name}_norm" in self.names
        return self.norm(x, f"{name}_norm") if has_norm else x

    def up(self, x, name):
        doubled = x.repeat(2, 1).repeat(2, 2)
        return _gated(self.norm(self.conv(doubled, name), f"{name}_norm"))

    def image(self, x, name):
        return np.tanh(self.conv(x, name))

    def score(self, x):
        layer = self.layer("score")
        kernel, bias = (np.float64(w) for w in layer.weights)
        return _slid(x, kernel, 1)[:, 0, 0, 0] + bias


_BORDER = ((0, 0), (1, 1), (1, 1), (0, 0))


def _slid(x, kernel, stride):
    size = kernel.shape[0]
    steps = (x.shape[1] - size) // stride + 1
    answer = np.zeros((len(x), steps, steps, kernel.shape[-1]))
    for i, j in np.ndindex(steps, steps):
        top, left = i * stride, j * stride
        window = x[:, top : top + size, left : left + size]
        answer[:, i, j] = np.tensordot(window, kernel, 3)
    return answer
