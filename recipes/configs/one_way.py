"""What the configs of SSA-GAN and DF-GAN share: variants, and small scales."""

from recipes.configs import common

#: scale -> the terms that are added, and what they weigh: those of Ahmed et
#: al. 2023 (fake-to-fake, fake-to-real, re-captioning, all of them: eq. 4)
#: and of Liu et al. 2024.
VARIANTS = {
    "paper": {},
    "f2f": dict(fake_to_fake=0.2),
    "f2r": dict(fake_to_real=0.2),
    "f2f_f2r": dict(fake_to_fake=0.2, fake_to_real=0.2),
    "scl": dict(supervised=0.2),
    "unicl": dict(unicl=0.2),
    "ce": dict(cross_entropy=0.2),
    "recap": dict(recaptioning=1.0),
    "all": dict(fake_to_fake=0.2, fake_to_real=0.2, recaptioning=1.0),
}
#: system -> its networks, width, batch size and epochs on CUB and COCO, and
#: what words and sentence weigh, in the authors' code.
PAPERS = {
    "SSAGAN": ("ssa_gan", 64, 24, {"cub": 600, "coco": 120}, 0.05),
    "DFGAN": ("df_gan", 32, 32, {"cub": 1300, "coco": 300}, 0.0),
    "DFGAN2020": ("df_gan_2020", 32, 24, {"cub": 600, "coco": 120}, 0.0),
}
#: What the readers' Adam is like where they go on learning.
_TUNED = common.adam(4e-5, 0.0, 0.9)
_PICTURES = {"cub": 8855, "coco": 82783}
_CAPTIONS = {"cub": common.BIRDS, "coco": common.SCENES}


def paper(system: str, data: str):
    """Describes a run as the papers' code has it.

    Args:
        system: "SSAGAN", "DFGAN" or "DFGAN2020".
        data: "cub" or "coco".

    Returns:
        ConfigDict: 256 px, Adam with beta1 0, 1e-4 for the generator and 4e-4
        for the discriminator, captions of at most 18 words read by a pair of
        readers that must be named.
    """
    _, _, batch_size, epochs, _ = PAPERS[system]
    config = _base(
        system,
        data=dict(
            name="records",
            image_size=256,
            crop=304,
            flip=True,
            fit="keep",
            mismatch=None,
            words="ids",
            max_words=18,
        ),
        samples=dict(captions=_CAPTIONS[data]),
    )
    is_masked = system == "SSAGAN" and data == "cub"
    config.system.masks_classes = is_masked or None
    length = _PICTURES[data] // batch_size
    config.train.update(
        batch_size=batch_size,
        moves=epochs[data] * length,
        moves_per_epoch=length,
    )
    return config


def df_gan(data: str, scale: str):
    """Describes a run of one of DF-GAN's versions.

    Args:
        data: "cub" or "coco".
        scale: as `at` takes it, of the version of 2022; "v2020", or "v2020_"
            and such a scale, of the one before.

    Returns:
        ConfigDict.

    Raises:
        ValueError: if there is no such scale.
    """
    version, _, rest = scale.partition("_")
    if version != "v2020":
        return at(paper("DFGAN", data), scale)
    return at(paper("DFGAN2020", data), rest or "paper")


def emoji(system: str, scale: str):
    """Describes a run on OpenMoji at 64 px, read by its own pair.

    Args:
        system: "SSAGAN", "DFGAN" or "DFGAN2020".
        scale: "small", "paper" (widths as on birds), or as `at` takes.

    Returns:
        ConfigDict.
    """
    config = _base(
        system,
        data=dict(
            name="openmoji",
            image_size=64,
            mismatch=None,
            labels="subgroup",
        ),
        samples=dict(captions=common.CAPTIONS),
    )
    if config.loss_weights.words:
        config.data.update(words="float16", max_words=20)
    if scale.removesuffix("_tuned") != "paper":
        for network in config.networks.values():
            network.width = 32
    config.train.update(batch_size=32, moves=4000, moves_per_epoch=100)
    return at(common.read_emoji(config), scale)


def at(config, scale: str):
    """Brings a config to a scale.

    Args:
        config: made by `paper` or `emoji`.
        scale: a key of `VARIANTS`; "small" or "smoke"; and of each variant
            "small_f2r", "smoke_f2f" and so on. Of SSA-GAN
            also "tuned", and "small_tuned", "f2r_tuned", "smoke_tuned" ...:
            see `tuned`.

    Returns:
        The same config.

    Raises:
        ValueError: if there is no such scale.
    """
    plain = "paper" if scale == "tuned" else scale.removesuffix("_tuned")
    if plain and plain != scale and config.system.name == "SSAGAN":
        tuned(config)
        scale = plain
    return common.at(config, scale, VARIANTS, small, common.smoke_read)


def tuned(config):
    """Lets the pair of readers go on learning, as main_finetune.py does.

    Args:
        config: of SSAGAN.

    Returns:
        The same config.
    """
    config.system.name = "SSAGANFineTuned"
    config.loss_weights.update(words=0.1, sentence=0.1)
    config.data.words = config.data.words or "float16"
    return common.with_learners(config, **_TUNED)


def small(config):
    """Halves a config of the papers' scale, for one ordinary machine.

    Args:
        config: made by `paper`.

    Returns:
        The same config: 128 px, half the widths, a tenth of the moves.
    """
    config.data.update(image_size=128, crop=152)
    return common.tenth(config)


def _base(system, **changes):
    network, width, _, _, matching = PAPERS[system]
    config = common.base(
        text=dict(encoder="damsm"),
        system=dict(name=system),
        loss_weights=dict(words=matching, sentence=matching),
        **changes,
    )
    for player, rate in (("generator", 1e-4), ("discriminator", 4e-4)):
        config.networks[player].update(name=network, width=width)
        config.optimizers[player].update(common.adam(rate, 0.0, 0.9))
    return config
