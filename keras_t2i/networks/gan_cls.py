"""The networks of GAN-INT-CLS as their authors released them.

Reed et al. 2016, arXiv:1605.05396; the Torch code's `main_cls_int` variant.
At the paper's sizes the generator has 18,909,699 parameters, the
discriminator 4,032,321, counting the convolutions' biases: the reference has
them too, but sets them to zero before each use, so here they start at zero
and, standing before a normalisation, change nothing.
"""

import keras
from keras import layers

from keras_t2i.layers import Leaky, blocks, starts
from keras_t2i.ops import images


def generator(
    *,
    image_size=64,
    width=128,
    noise_dim=100,
    text_dim=1024,
    projection_dim=128,
):
    """Draws a picture from noise and a sentence.

    Args:
        image_size: int. 4 times a power of two, at least 8.
        width: int. Channels of the last hidden map; earlier ones have more.
        noise_dim: int. Length of the noise Z.
        text_dim: int. Length of the sentence vector C.
        projection_dim: int. What the sentence is pressed into.

    Returns:
        `keras.Model` "generator": {"noise": (B, Z), "sentence": (B, C)} ->
        {"image": (B, H, W, 3) float32 in [-1, 1]}.

    Raises:
        ValueError: if `image_size` is not reached by doubling 4.

    Source:
        Reed et al. 2016, figure 2, and the released Torch generator. Ours
        differs: sizes other than 64 follow the same rule of halving channels.
    """
    noise = keras.Input((noise_dim,), name="noise")
    sentence = keras.Input((text_dim,), name="sentence")
    text = blocks.leaky(_linear(sentence, projection_dim))
    x = layers.Concatenate()([noise, text])
    x = layers.Reshape((1, 1, noise_dim + projection_dim))(x)
    *hidden, _ = images.sizes_up_to(image_size)
    for step, size in enumerate(hidden):
        channels = width * min(8, 2 ** (len(hidden) - 1 - step))
        first = step == 0
        x = blocks.deconv(
            x,
            channels,
            4,
            stride=1 if first else 2,
            padding="valid" if first else "same",
            bias=True,
        )
        x = blocks.norm(x)
        if size <= 8:
            x = _residual(x, layers.ReLU)
        else:
            x = layers.ReLU()(x)
    x = blocks.deconv(x, 3, 4, stride=2, bias=True)
    return blocks.picture(x, noise=noise, sentence=sentence)


def discriminator(
    *, image_size=64, width=64, text_dim=1024, projection_dim=128
):
    """Scores how real a picture is and how well a sentence fits it.

    Args:
        image_size: int. 4 times a power of two, at least 8.
        width: int. Channels of the first map; later ones have more.
        text_dim: int. Length of the sentence vector C.
        projection_dim: int. What the sentence is pressed into.

    Returns:
        `keras.Model` "discriminator": {"image": (B, H, W, 3),
        "sentence": (B, C)} -> {"matched": (B,) float32 logits, "features":
        (B, 4, 4, F)}. Its layers "trunk" (image -> features) and "head"
        (features, sentence -> logits) can be called apart.

    Raises:
        ValueError: if `image_size` is not reached by doubling 4.

    Source:
        Reed et al. 2016, figure 2, and the released Torch discriminator.
        Ours differs: the last sigmoid lives in the loss.
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    x = image
    count = len(images.sizes_up_to(image_size)) - 1
    for step in range(count):
        channels = width * min(8, 2**step)
        x = blocks.conv(x, channels, 4, stride=2, bias=True)
        if step:
            x = blocks.norm(x)
        if step < min(2, count - 1):
            x = blocks.leaky(x)
    trunk = keras.Model(image, _residual(x, lambda: Leaky(0.2)), name="trunk")
    head = _head(trunk.output.shape[1:], text_dim, projection_dim)
    return blocks.join(trunk, head)


def _head(features_shape, text_dim, projection_dim):
    features = keras.Input(features_shape, name="features")
    sentence = keras.Input((text_dim,), name="sentence")
    text = blocks.norm(_linear(sentence, projection_dim))
    text = blocks.tile(blocks.leaky(text), 4)
    x = layers.Concatenate()([features, text])
    x = blocks.conv(x, features_shape[-1], 1, bias=True)
    x = blocks.leaky(blocks.norm(x))
    x = blocks.conv(x, 1, 4, padding="valid", bias=True)
    matched = layers.Reshape((), dtype="float32")(x)
    return keras.Model([features, sentence], matched, name="head")


def _linear(x, size):
    return layers.Dense(size, kernel_initializer=starts.torch_linear())(x)


def _residual(x, activation):
    channels = x.shape[-1]
    y = x
    for size, width in ((1, channels // 4), (3, channels // 4)):
        y = blocks.conv(y, width, size, bias=True)
        y = activation()(blocks.norm(y))
    y = blocks.norm(blocks.conv(y, channels, 3, bias=True))
    return activation()(layers.Add()([x, y]))
