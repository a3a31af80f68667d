"""What DF-GAN and its heirs are built from: one stage, one score.

Layers start as Torch's do. Those of the discriminator have names that say
where they stand: look_64_1 and look_64_2 bring a map down to 64 px, gain_64
multiplies what they found, fit_64 is the shortcut beside them.
"""

import keras
from keras import layers

from keras_t2i.layers import blocks, fusion, starts
from keras_t2i.layers.conv import Conv
from keras_t2i.layers.up_conv import UpConv
from keras_t2i.ops import images


def discriminator(*, image_size, width, text_dim, most):
    """Scores, one way only, whether a picture is real and fits its sentence.

    Args:
        image_size: int. 4 times a power of two, at least 8.
        width: int. Channels of the first map; each later one has twice as
            many.
        text_dim: int. Length of the sentence vector C.
        most: int. How many times `width` channels a map has at most.

    Returns:
        `keras.Model` "discriminator": {"image": (B, H, W, 3),
        "sentence": (B, C)} -> {"matched": (B,) float32, any range,
        "features": (B, 4, 4, F)}. Its layers "trunk" (image -> features) and
        "head" (features, sentence -> scores) can be called apart.

    Raises:
        ValueError: if `image_size` is not reached by doubling 4.

    Source:
        Tao et al. 2022, figure 2, arXiv:2008.05865, and the released code.
        Ours differs: shortcuts that are never used are not made.
    """
    *sizes, _ = images.sizes_up_to(image_size)
    image = keras.Input((image_size, image_size, 3), name="image")
    x = conv(image, width, 3, name="start")
    for step, size in enumerate(reversed(sizes), 1):
        x = _look(x, width * min(2**step, most), size)
    trunk = keras.Model(image, x, name="trunk")
    features = keras.Input(x.shape[1:], name="features")
    sentence = keras.Input((text_dim,), name="sentence")
    y = layers.Concatenate()([features, blocks.tile(sentence, 4)])
    y = blocks.leaky(conv(y, 2 * width, 3, bias=False, name="joint"))
    y = conv(y, 1, 4, padding="valid", bias=False, name="score")
    matched = layers.Reshape((), dtype="float32")(y)
    head = keras.Model([features, sentence], matched, name="head")
    return blocks.join(trunk, head)


def widths(image_size, width):
    """Tells how many channels a generator's maps have, from 4 px on.

    Args:
        image_size: int. 4 times a power of two, at least 8.
        width: int. Channels of the last map.

    Returns:
        dict, size -> `width` times a power of two, at most 8.

    Raises:
        ValueError: if `image_size` is not reached by doubling 4.
    """
    sizes = images.sizes_up_to(image_size)
    return {size: width * min(image_size // size, 8) for size in sizes}


def start(noise, channels):
    """Makes the first map, of 4 px, from noise alone.

    Args:
        noise: (B, Z) float.
        channels: int.

    Returns:
        (B, 4, 4, channels) float.
    """
    x = layers.Dense(4 * 4 * channels, **_starts(noise.shape[-1]), name="start")
    return layers.Reshape((4, 4, channels))(x(noise))


def fit(x, channels, name):
    """Brings a map to a count of channels, if it has another.

    Args:
        x: (B, H, W, C) float.
        channels: int.
        name: str. Of the layer.

    Returns:
        (B, H, W, channels) float.
    """
    return x if x.shape[-1] == channels else conv(x, channels, 1, name=name)


def conv(x, channels, size, stride=1, padding="same", bias=True, name=None):
    """Convolves, started as Torch does.

    Args:
        x: (B, H, W, C) float.
        channels: int. Output channels.
        size: int. Height and width of the kernel.
        stride: int. Steps between windows.
        padding: "same" or "valid". For size 4 and stride 2, "same" equals
            PyTorch's padding 1.
        bias: bool. Whether a bias is added.
        name: str. Of the layer.

    Returns:
        (B, H', W', channels) float.
    """
    begin = _starts(size * size * x.shape[-1])
    return Conv(
        channels, size, stride, padding, use_bias=bias, **begin, name=name
    )(x)


def up_conv(x, channels, name):
    """Doubles a map by nearest neighbours and convolves it, as `conv` does.

    Args:
        x: (B, H, W, C) float.
        channels: int. Output channels.
        name: str. Of the layer.

    Returns:
        (B, 2 H, 2 W, channels) float.
    """
    return UpConv(channels, **_starts(9 * x.shape[-1]), name=name)(x)


def _look(x, channels, size):
    y = conv(x, channels, 4, 2, bias=False, name=f"look_{size}_1")
    y = conv(blocks.leaky(y), channels, 3, bias=False, name=f"look_{size}_2")
    y = fusion.Gain(name=f"gain_{size}")(blocks.leaky(y))
    x = layers.AveragePooling2D(2)(fit(x, channels, f"fit_{size}"))
    return layers.Add()([x, y])


def _starts(fan_in):
    return dict(
        kernel_initializer=starts.torch_linear(),
        bias_initializer=starts.torch_bias(fan_in),
    )
