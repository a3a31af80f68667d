"""GAN-CLS on plain DCGAN networks, as aelnouby's PyTorch code draws them.

The most used re-implementation of Reed et al. 2016, without residual blocks:
4,756,736 and 2,899,072 parameters at its sizes.
"""

import keras
from keras import layers

from keras_t2i.layers import blocks, starts
from keras_t2i.ops import images


def generator(
    *,
    image_size=64,
    width=64,
    noise_dim=100,
    text_dim=1024,
    projection_dim=128,
):
    """Draws a picture from a sentence and noise.

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
        aelnouby/Text-to-Image-Synthesis, the `gan_cls` generator.
    """
    noise = keras.Input((noise_dim,), name="noise")
    sentence = keras.Input((text_dim,), name="sentence")
    x = layers.Concatenate()([_project(sentence, projection_dim), noise])
    x = layers.Reshape((1, 1, projection_dim + noise_dim))(x)
    *hidden, _ = images.sizes_up_to(image_size)
    for step in range(len(hidden)):
        channels = width * min(8, 2 ** (len(hidden) - 1 - step))
        stride, padding = (2, "same") if step else (1, "valid")
        x = blocks.norm(blocks.deconv(x, channels, 4, stride, padding))
        x = layers.ReLU()(x)
    x = blocks.deconv(x, 3, 4, stride=2)
    return blocks.picture(x, noise=noise, sentence=sentence)


def discriminator(
    *,
    image_size=64,
    width=64,
    text_dim=1024,
    projection_dim=128,
    batch_norm=True,
):
    """Scores how real a picture is and how well a sentence fits it.

    Args:
        image_size: int. 4 times a power of two, at least 8.
        width: int. Channels of the first map; later ones have more.
        text_dim: int. Length of the sentence vector C.
        projection_dim: int. What the sentence is pressed into.
        batch_norm: bool. Whether the trunk normalises; a critic under a
            gradient penalty must not. (The text's projection always does.)

    Returns:
        `keras.Model` "discriminator": {"image": (B, H, W, 3),
        "sentence": (B, C)} -> {"matched": (B,) float32 logits, "features":
        (B, 4, 4, F)}. Its layers "trunk" (image -> features) and "head"
        (features, sentence -> logits) can be called apart.

    Raises:
        ValueError: if `image_size` is not reached by doubling 4.

    Source:
        aelnouby/Text-to-Image-Synthesis, the `gan_cls` discriminator. Ours
        differs: the last sigmoid lives in the loss, and a Wasserstein
        critic's score stays one number a picture, not the batch's mean.
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    x = image
    for step in range(len(images.sizes_up_to(image_size)) - 1):
        x = blocks.conv(x, width * min(8, 2**step), 4, stride=2)
        if step and batch_norm:
            x = blocks.norm(x)
        x = blocks.leaky(x)
    trunk = keras.Model(image, x, name="trunk")
    head = _head(x.shape[1:], text_dim, projection_dim)
    return blocks.join(trunk, head)


def _head(features_shape, text_dim, projection_dim):
    features = keras.Input(features_shape, name="features")
    sentence = keras.Input((text_dim,), name="sentence")
    text = blocks.tile(_project(sentence, projection_dim), 4)
    x = layers.Concatenate()([features, text])
    x = blocks.conv(x, 1, 4, padding="valid")
    matched = layers.Reshape((), dtype="float32")(x)
    return keras.Model([features, sentence], matched, name="head")


def _project(sentence, size):
    x = layers.Dense(size, kernel_initializer=starts.torch_linear())(sentence)
    return blocks.leaky(blocks.norm(x))
