"""What the configs of AttnGAN and DM-GAN share: variants, and small scales."""

from recipes.configs import common

#: scale -> the terms that are added, and what they weigh: T2I_CL's 0.2, and
#: those of Ahmed et al. 2023 (`recap`, and `all` of eq. 4).
VARIANTS = {
    "paper": {},
    "cl": dict(fake_to_fake=0.2),
    "f2r": dict(fake_to_real=0.2),
    "scl": dict(supervised=0.2),
    "unicl": dict(unicl=0.2),
    "ce": dict(cross_entropy=0.2),
    "recap": dict(recaptioning=1.0),
    "all": dict(fake_to_fake=0.2, fake_to_real=0.2, recaptioning=1.0),
}


def base(system: str, network: str, matching: float, /, **changes):
    """Lays out the papers' common constants.

    Args:
        system: "AttnGAN" or "DMGAN".
        network: "attngan" or "dm_gan".
        matching: what words and sentence weigh, lambda in the papers.
        **changes: as for `common.base`; those of "data" are added.

    Returns:
        ConfigDict: 64, 128 and 256 px, Adam 2e-4 with beta1 0.5, an average
        that keeps 0.999, words of a pair of readers that must be named.
    """
    data = dict(
        image_size=256,
        base_size=64,
        crop=304,
        flip=True,
        fit="keep",
        mismatch=None,
        words="ids",
    )
    config = common.base(
        data=data | changes.pop("data", {}),
        text=dict(encoder="damsm"),
        system=dict(
            name=system,
            average_decay=0.999,
            gammas=(4.0, 5.0, 10.0),
            **changes.pop("system", {}),
        ),
        loss_weights=dict(condition=1.0, words=matching, sentence=matching),
        **changes,
    )
    config.networks.generator.update(name=network, condition_dim=100)
    config.networks.discriminator.name = network
    return config


def birds(system: str, network: str, widths, batch_size: int, epochs: int):
    """Describes a run on CUB as the papers' code has it.

    Args:
        system: "AttnGAN" or "DMGAN".
        network: "attngan" or "dm_gan".
        widths: of the generator and the discriminators.
        batch_size: pictures a move.
        epochs: of 8,855 pictures.

    Returns:
        ConfigDict.
    """
    return _sized(
        base(
            system,
            network,
            5.0,
            data=dict(name="records", max_words=18),
            system=dict(masks_classes=True),
            samples=dict(captions=common.BIRDS),
        ),
        widths,
        2,
        batch_size,
        epochs,
        8855 // batch_size,
    )


def scenes(system: str, network: str, widths, batch_size: int, epochs: int):
    """Describes a run on COCO as the papers' code has it.

    Args:
        system: "AttnGAN" or "DMGAN".
        network: "attngan" or "dm_gan".
        widths: of the generator and the discriminators.
        batch_size: pictures a move.
        epochs: of 82,783 pictures.

    Returns:
        ConfigDict.
    """
    return _sized(
        base(
            system,
            network,
            50.0,
            data=dict(name="records", max_words=12),
            samples=dict(captions=common.SCENES),
        ),
        widths,
        3,
        batch_size,
        epochs,
        82783 // batch_size,
    )


def emoji(system: str, network: str, widths, moves: int, scale: str):
    """Describes a run on OpenMoji: 16, 32 and 64 px, read by its own pair.

    Args:
        system: "AttnGAN" or "DMGAN".
        network: "attngan" or "dm_gan".
        widths: of the generator and the discriminators.
        moves: of the whole run.
        scale: "small", "paper" (widths as on birds), or as `at` takes.

    Returns:
        ConfigDict.
    """
    config = base(
        system,
        network,
        5.0,
        data=dict(
            name="openmoji",
            image_size=64,
            base_size=16,
            crop=None,
            flip=False,
            fit="cut",
            words="float16",
            max_words=20,
            labels="subgroup",
        ),
        samples=dict(captions=common.CAPTIONS),
    )
    config = _sized(config, widths, 1, 32, moves // 100, 100)
    return at(common.read_emoji(config), scale)


def at(config, scale: str):
    """Brings a config to a scale.

    Args:
        config: made by `base`, at its full scale.
        scale: a key of `VARIANTS`; "small" or "smoke"; and of each variant
            "small_f2r", "smoke_cl" and so on.

    Returns:
        The same config.

    Raises:
        ValueError: if there is no such scale.
    """
    return common.at(config, scale, VARIANTS, small, smoke)


def small(config):
    """Halves a config of the papers' scale, for one ordinary machine.

    Args:
        config: made by `birds` or `scenes`.

    Returns:
        The same config: 32, 64 and 128 px, half the widths, a tenth of the
        moves.
    """
    config.data.update(image_size=128, base_size=32, crop=152)
    return common.tenth(config)


def smoke(config):
    """Shrinks a config until it runs in seconds on two cores.

    Args:
        config: made by `base`.

    Returns:
        The same config: drawn shapes, 8 and 16 px, narrow networks, readers
        without weights, 4 moves.
    """
    config = common.smoke_read(config)
    config.data.base_size = 8
    config.networks.generator.update(condition_dim=4, residuals=1)
    return config


def _sized(config, widths, residuals, batch_size, epochs, length):
    config.networks.generator.update(width=widths[0], residuals=residuals)
    config.networks.discriminator.width = widths[1]
    config.train.update(
        batch_size=batch_size, moves=epochs * length, moves_per_epoch=length
    )
    return config
