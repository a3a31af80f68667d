"""What the configs of captioners share: variants, and a small scale."""

from recipes.configs import common

#: Data -> training pictures and epochs.
_SETS = {"cub": (8855, 50), "coco": (82783, 5)}


def paper(data: str):
    """Describes MirrorGAN's STREAM upon Inception, 299 px.

    Args:
        data: "cub" or "coco".

    Returns:
        ConfigDict: batches of 32, captions of 18 words, thinned out at random
        where they are longer, as the generators' are.
    """
    pictures, epochs = _SETS[data]
    length = pictures // 32
    return common.captioner(
        data=dict(
            name="records",
            image_size=299,
            crop=355,
            flip=True,
            fit="keep",
            max_words=18,
            word_rule="subset",
        ),
        train=dict(
            batch_size=32, moves=epochs * length, moves_per_epoch=length
        ),
    )


def at(config, scale: str, plain: str = "paper"):
    """Brings a config to a scale.

    Args:
        config: made by `common.captioner`.
        scale: `plain`, "attention" (each word looks at regions), "smoke" or
            "smoke_attention".
        plain: what its full scale is called.

    Returns:
        The same config.

    Raises:
        ValueError: if there is no such scale.
    """
    known = (plain, "attention", "smoke", "smoke_attention")
    if scale not in known:
        raise ValueError(
            f"The scale is {scale!r}; allowed: {', '.join(known)}."
        )
    config.decoder.attends = scale.endswith("attention")
    return smoke(config) if scale.startswith("smoke") else config


def smoke(config):
    """Shrinks a config until it runs in seconds on two cores.

    Args:
        config: made by `common.captioner`.

    Returns:
        The same config: drawn shapes, 16 px, a narrow decoder, 4 moves.
    """
    config.data.max_words = 8
    config.text.source = None
    config.decoder.update(width=8, embedding=8)
    return common.smoke_real(config)
