"""What the configs of DAMSM share: its variants, and how small they get."""

from recipes.configs import common

#: scale -> the contrast that is added.
CONTRASTS = {
    "paper": None,
    "cl": "nt_xent",
    "scl": "supervised",
    "unicl": "unicl",
    "ce": "cross_entropy",
}


def at(config, scale: str):
    """Brings a config to a scale.

    Args:
        config: made by `common.readers`, at the papers' scale.
        scale: a key of `CONTRASTS`, or "smoke"; "smoke_cl" and its like are
            small variants.

    Returns:
        The same config.

    Raises:
        ValueError: if there is no such scale.
    """
    name = scale.removeprefix("smoke").removeprefix("_") or "paper"
    if name not in CONTRASTS:
        raise ValueError(
            f"The scale is {scale!r}; allowed: {', '.join(CONTRASTS)}, smoke "
            "and, of each but the first, smoke_cl and so on."
        )
    config.system.contrast = CONTRASTS[name]
    return smoke(config) if scale.startswith("smoke") else config


def smoke(config):
    """Shrinks a config until it runs in seconds on two cores.

    Args:
        config: made by `common.readers`.

    Returns:
        The same config: drawn shapes, 16 px, narrow readers, 4 moves.
    """
    config.text.update(width=8, embedding=8)
    if config.text.encoder == "minilm":
        config.text.encoder = "letters"
    return common.smoke_real(config)
