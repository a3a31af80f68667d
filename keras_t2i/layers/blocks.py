"""Small recipes of layers that several networks are cooked from."""

import keras
from keras import layers

from keras_t2i.layers import starts
from keras_t2i.layers.batch_norm import BatchNorm
from keras_t2i.layers.leaky import Leaky


def norm(x):
    """Normalises over the batch, started as DCGAN does.

    Args:
        x: (B, ..., C) float.

    Returns:
        Tensor of the same shape.
    """
    return BatchNorm(gamma_initializer=starts.dcgan_scale())(x)


def leaky(x):
    """Lets a fifth of the negative side through, as all papers here do.

    Args:
        x: any float tensor.

    Returns:
        Tensor of the same shape.
    """
    return Leaky(0.2)(x)


def conv(x, channels, size, stride=1, padding="same", bias=False):
    """Convolves, started as DCGAN does.

    Args:
        x: (B, H, W, C) float.
        channels: int. Output channels.
        size: int. Height and width of the kernel.
        stride: int. Steps between windows.
        padding: "same" or "valid". For size 4 and stride 2, "same" equals
            PyTorch's padding 1.
        bias: bool. Whether a bias is added.

    Returns:
        (B, H', W', channels) float.
    """
    return _convolve(layers.Conv2D, x, channels, size, stride, padding, bias)


def deconv(x, channels, size, stride=1, padding="same", bias=False):
    """Convolves backwards, started as DCGAN does.

    Args:
        x: (B, H, W, C) float.
        channels: int. Output channels.
        size: int. Height and width of the kernel.
        stride: int. How many times the map grows.
        padding: "same" or "valid". For size 4 and stride 2, "same" equals
            PyTorch's padding 1.
        bias: bool. Whether a bias is added.

    Returns:
        (B, H', W', channels) float.
    """
    kind = layers.Conv2DTranspose
    return _convolve(kind, x, channels, size, stride, padding, bias)


def tile(vector, size):
    """Repeats a vector over a map.

    Args:
        vector: (B, C) float.
        size: int. Height and width of the map.

    Returns:
        (B, size, size, C) float.
    """
    channels = vector.shape[-1]
    repeated = layers.RepeatVector(size * size)(vector)
    return layers.Reshape((size, size, channels))(repeated)


def picture(x, **inputs):
    """Makes a generator of its last map.

    Args:
        x: (B, H, W, 3) float of any range.
        **inputs: the model's inputs by name, such as noise and sentence.

    Returns:
        `keras.Model` "generator": `inputs` -> {"image": (B, H, W, 3) float32
        in [-1, 1]}.
    """
    image = layers.Activation("tanh", dtype="float32")(x)
    return keras.Model(inputs, {"image": image}, name="generator")


def join(trunk, head, alone=None):
    """Makes one discriminator of its two halves, or three thirds.

    Args:
        trunk: `keras.Model`: (B, H, W, 3) -> (B, h, w, F).
        head: `keras.Model`: [(B, h, w, F), (B, C)] -> (B,) logits.
        alone: `keras.Model`: (B, h, w, F) -> (B,) logits of the picture
            without its sentence; None: there is none.

    Returns:
        `keras.Model` "discriminator": {"image": (B, H, W, 3), "sentence":
        (B, C)} -> {"matched": (B,) logits, "features": (B, h, w, F)} and
        perhaps "alone": (B,) logits. The parts stay callable as its layers
        "trunk", "head" and "alone", so that one picture's features serve
        several sentences.
    """
    image = keras.Input(trunk.input.shape[1:], name="image")
    sentence = keras.Input(head.input[1].shape[1:], name="sentence")
    features = trunk(image)
    outputs = {"matched": head([features, sentence]), "features": features}
    if alone is not None:
        outputs["alone"] = alone(features)
    return keras.Model(
        {"image": image, "sentence": sentence}, outputs, name="discriminator"
    )


def _convolve(kind, x, channels, size, stride, padding, bias):
    return kind(
        channels,
        size,
        stride,
        padding,
        use_bias=bias,
        kernel_initializer=starts.dcgan(),
    )(x)
