"""Networks by slow float64 loops: what a layer's equation says, no more."""

import numpy as np


def drawn(*shape, seed=0):
    """Draws normal numbers."""
    draw = np.random.default_rng(seed)
    return draw.normal(size=shape).astype("float32")


def count(network):
    """Counts learned numbers."""
    return sum(int(np.prod(w.shape)) for w in network.trainable_weights)


class Reader:
    """Hands a network's weights out layer by layer, in the order of a kind.

    Args:
        network: `keras.Model`, whose weights are first drawn anew.
        seed: int. Of the draw.
    """

    def __init__(self, network, seed=0):
        draw = np.random.default_rng(seed)
        self.left = {}
        for layer in network.layers:
            if layer.weights:
                fresh = [self._drawn(draw, w) for w in layer.weights]
                layer.set_weights(fresh)
                values = [np.float64(w) for w in layer.get_weights()]
                self.left.setdefault(type(layer).__name__, []).append(values)

    def _drawn(self, draw, weight):
        if weight.name in ("moving_variance", "gamma"):
            return draw.uniform(0.5, 1.5, weight.shape)
        return draw.normal(0.0, 0.3, weight.shape)

    def take(self, kind):
        """Hands out the next layer's weights.

        Args:
            kind: str. The class of the layer.

        Returns:
            List of arrays.
        """
        return self.left[kind].pop(0)

    def is_empty(self):
        """Tells whether every layer was used.

        Returns:
            bool.
        """
        return not any(self.left.values())

    def dense(self, x):
        """Multiplies rows (B, C)."""
        kernel, *bias = self.take("Dense")
        return x @ kernel + (bias[0] if bias else 0.0)

    def conv(self, x, stride, border, kind="Conv2D"):
        """Slides the next kernel over pictures, as PyTorch does."""
        kernel, *bias = self.take(kind)
        x = np.pad(x, ((0, 0), (border,) * 2, (border,) * 2, (0, 0)))
        size = kernel.shape[0]
        steps = (x.shape[1] - size) // stride + 1
        answer = np.zeros((len(x), steps, steps, kernel.shape[-1]))
        for i, j in np.ndindex(steps, steps):
            top, left = i * stride, j * stride
            window = x[:, top : top + size, left : left + size]
            answer[:, i, j] = np.tensordot(window, kernel, 3)
        return answer + (bias[0] if bias else 0.0)

    def deconv(self, x, stride, border):
        """Pastes the next kernel at each pixel, as PyTorch does."""
        kernel, *bias = self.take("Conv2DTranspose")
        size = kernel.shape[0]
        full = (x.shape[1] - 1) * stride + size
        answer = np.zeros((len(x), full, full, kernel.shape[2]))
        for i, j in np.ndindex(x.shape[1:3]):
            paste = np.tensordot(x[:, i, j], kernel, (1, 3))
            top, left = i * stride, j * stride
            answer[:, top : top + size, left : left + size] += paste
        inner = slice(border, full - border)
        return answer[:, inner, inner] + (bias[0] if bias else 0.0)

    def norm(self, x, epsilon=1e-5):
        """Normalises by the running statistics."""
        gamma, beta, mean, variance = self.take("BatchNorm")
        return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def relu(x):
    """Cuts the negative side."""
    return np.maximum(x, 0.0)


def leaky(x):
    """Keeps a fifth of the negative side."""
    return np.where(x > 0.0, x, 0.2 * x)


def tiled(rows):
    """Repeats rows over a 4 x 4 map."""
    return np.tile(rows[:, None, None], (1, 4, 4, 1))
