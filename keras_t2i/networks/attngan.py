"""The networks of AttnGAN.

Xu et al. 2018, arXiv:1711.10485. At the paper's sizes for birds the generator
has 7,084,592 parameters, the discriminators of 64, 128 and 256 px have
6,313,730, 19,424,002 and 71,858,946.

What the paper shares with its heirs stands in `layers.stages`: neither owns
it.
"""

from keras_t2i.layers import WordAttention, stages


def generator(
    *,
    image_size=256,
    base_size=64,
    width=32,
    noise_dim=100,
    condition_dim=100,
    text_dim=256,
    residuals=2,
    smaller_images=True,
    legacy_mask=False,
    is_sampled=True,
):
    """Draws a picture in stages; each looks at the words and doubles it.

    Args:
        image_size: int. `base_size` times a power of two, or `base_size`:
            then there is one stage, and no words are read.
        base_size: int. Of the first stage, 4 times a power of two, at least
            8.
        width: int. Channels of the last map of each stage.
        noise_dim: int. Length of the noise Z.
        condition_dim: int. Length of the condition K.
        text_dim: int. Length of the sentence vector and of words, C.
        residuals: int. Residual blocks a stage; AttnGAN has 2 for birds and
            3 for COCO, AttnDCGAN none.
        smaller_images: bool. Whether every stage draws a picture, or, as in
            AttnDCGAN, the last alone.
        legacy_mask: bool. As for `layers.WordAttention`.
        is_sampled: bool. Whether the condition is drawn near what the
            sentence says, in sampling too, or is exactly that.

    Returns:
        `keras.Model` "generator": {"noise": (B, Z + K), of which the last K
        draw the condition, or (B, Z) if it isn't sampled, "sentence": (B, C),
        "words": (B, T, C), "mask": (B, T) bool, True = real word} ->
        {"image": (B, H, W, 3) float32 in [-1, 1], the same of smaller stages
        by size, as "image_64", if they draw, "mean" and "log_variance":
        (B, K) float32 of the condition, and for each stage that reads the
        words, by the size it reads at, as "attention_64": (B, 64, 64, T)
        float32}.

    Raises:
        ValueError: if `base_size` is not reached by doubling 4, or
            `image_size` not by doubling `base_size`.

    Source:
        Xu et al. 2018, figure 2 and eq. 1 to 6, and the released code. Ours
        differs: each caption has its own mask, unless `legacy_mask`.
    """

    def refine(x, words, mask, name):
        attend = WordAttention(legacy_mask, name=name)
        context, weights = attend(x, words, mask)
        return [x, context], weights

    return stages.generator(
        refine,
        image_size=image_size,
        base_size=base_size,
        width=width,
        noise_dim=noise_dim,
        condition_dim=condition_dim,
        text_dim=text_dim,
        residuals=residuals,
        smaller_images=smaller_images,
        is_sampled=is_sampled,
    )


def discriminator(
    *,
    image_size=256,
    width=64,
    text_dim=256,
    unconditional=True,
    spectral=False,
):
    """Scores how real a picture of one stage is, and how a sentence fits it.

    Args:
        image_size: int. 4 times a power of two, at least 8.
        width: int. Channels of the first map; the last has up to 8 times as
            many.
        text_dim: int. Length of the sentence vector C.
        unconditional: bool. Whether pictures are scored without their
            sentences too.
        spectral: bool. Whether kernels are divided by their spectral norm
            (`layers.SpectralConv`, which moves in every mode), or maps are
            normalised over the batch.

    Returns:
        `keras.Model` "discriminator": {"image": (B, H, W, 3), "sentence":
        (B, C)} -> {"matched": (B,) float32 logits, "alone": (B,) float32
        logits of the picture without the sentence, if there are any,
        "features": (B, 4, 4, F)}. Its layers "trunk" (image -> features),
        "head" ([features, sentence] -> logits) and "alone" (features ->
        logits) can be called apart.

    Raises:
        ValueError: if `image_size` is not reached by doubling 4.

    Source:
        Xu et al. 2018, section 3.1, and the released code's D_NET64, D_NET128
        and D_NET256. Ours differs: the sigmoids live in the loss.
    """
    return stages.discriminator(
        image_size=image_size,
        width=width,
        text_dim=text_dim,
        unconditional=unconditional,
        spectral=spectral,
    )
