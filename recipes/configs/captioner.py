"""What the configs of captioners share: variants, and a small scale."""

#: scale -> whether each word looks at regions.
ATTENDS = {"paper": False, "attention": True}


def at(config, scale: str):
    """Brings a config to a scale.

    Args:
        config: made by `common.captioner`.
        scale: a key of `ATTENDS`, "smoke" or "smoke_attention".

    Returns:
        The same config.

    Raises:
        ValueError: if there is no such scale.
    """
    name = "paper" if scale == "smoke" else scale.removeprefix("smoke_")
    if name not in ATTENDS:
        raise ValueError(
            f"The scale is {scale!r}; allowed: {', '.join(ATTENDS)}, smoke "
            "and smoke_attention."
        )
    config.decoder.attends = ATTENDS[name]
    return smoke(config) if scale.startswith("smoke") else config


def smoke(config):
    """Shrinks a config until it runs in seconds on two cores.

    Args:
        config: made by `common.captioner`.

    Returns:
        The same config: drawn shapes, 16 px, a narrow decoder, 4 moves.
    """
    config.data.update(name="shapes", image_size=16, path=None, max_words=8)
    if config.data.crop is not None:
        config.data.crop = 18
    config.text.source = None
    config.decoder.update(width=8, embedding=8)
    config.image.update(encoder="lite0", size=32, source=None)
    config.train.update(batch_size=8, moves=4, moves_per_epoch=2)
    return config
