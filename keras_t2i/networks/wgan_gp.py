"""WGAN-GP's small networks for Fashion-MNIST, as the Keras recipe has them.

Pictures only, no text: 910,660 and 4,305,409 parameters at 28 px.
"""

import keras
from keras import layers

from keras_t2i.layers import BatchNorm, Dropout, UpConv, blocks
from keras_t2i.ops import images


def generator(*, image_size=28, channels=1, width=64, noise_dim=128):
    """Draws a picture from noise alone.

    Args:
        image_size: int. At least 6; drawn at the next 4 times a power of two
            and cropped.
        channels: int. 1 for grey, 3 for colour.
        width: int. Channels of the last hidden map; earlier ones have more.
        noise_dim: int. Length of the noise Z.

    Returns:
        `keras.Model` "generator": {"noise": (B, Z)} -> {"image": (B, H, W,
        channels) float32 in [-1, 1]}.

    Raises:
        ValueError: if `image_size` is too small.

    Source:
        keras.io, `generative/wgan_gp`: batch norm stands before the tanh of
        the last map too, and on the dense layer's flat vector.
    """
    sizes = images.sizes_up_to(_padded(image_size))
    noise = keras.Input((noise_dim,), name="noise")
    first = width * 2 ** (len(sizes) - 2)
    x = layers.Dense(4 * 4 * first, use_bias=False)(noise)
    x = blocks.leaky(_norm(x))
    x = layers.Reshape((4, 4, first))(x)
    for level in range(1, len(sizes)):
        is_last = level == len(sizes) - 1
        features = channels if is_last else first // 2**level
        x = _norm(UpConv(features, use_bias=False)(x))
        if not is_last:
            x = blocks.leaky(x)
    x = layers.Activation("tanh", dtype="float32")(x)
    image = layers.Cropping2D(_margins(image_size), dtype="float32")(x)
    return keras.Model({"noise": noise}, {"image": image}, name="generator")


def discriminator(*, image_size=28, channels=1, width=64):
    """Scores how real a picture is: the critic, without normalisation.

    Args:
        image_size: int. At least 6; padded with zeros to the next 4 times a
            power of two.
        channels: int. Of the picture.
        width: int. Channels of the first map; later ones have more.

    Returns:
        `keras.Model` "discriminator": {"image": (B, H, W, channels),
        "dropout_...": draws of the masks} -> {"alone": (B,) float32, any
        range}.

    Raises:
        ValueError: if `image_size` is too small.

    Source:
        keras.io, `generative/wgan_gp`. Ours differs: dropout takes its draws
        from outside (`layers.Dropout`).
    """
    sizes = images.sizes_up_to(_padded(image_size))
    image = keras.Input((image_size, image_size, channels), name="image")
    inputs = {"image": image}
    x = layers.ZeroPadding2D(_margins(image_size))(image)
    for step in range(len(sizes)):
        x = layers.Conv2D(width * 2**step, 5, 2, padding="same")(x)
        x = blocks.leaky(x)
        if 0 < step < len(sizes) - 1:
            x = _dropout(x, 0.3, inputs)
    x = _dropout(layers.Flatten()(x), 0.2, inputs)
    x = layers.Dense(1, dtype="float32")(x)
    score = layers.Reshape((), dtype="float32")(x)
    return keras.Model(inputs, {"alone": score}, name="discriminator")


def _dropout(x, rate, inputs):
    name = f"dropout_{len(inputs)}"
    inputs[name] = keras.Input(x.shape[1:], name=name, dtype="float32")
    return Dropout(rate, name=f"masked_{name}")(x, inputs[name])


def _norm(x):
    # Keras's constants: it keeps 0.99 of the old, and the biased variance.
    return BatchNorm(momentum=0.01, epsilon=1e-3, unbiased=False)(x)


def _padded(image_size):
    if image_size < 6:
        raise ValueError(f"image_size is {image_size}; allowed: 6 and more.")
    size = 8
    while size < image_size:
        size *= 2
    return size


def _margins(image_size):
    spare = _padded(image_size) - image_size
    return ((spare // 2, spare - spare // 2),) * 2
