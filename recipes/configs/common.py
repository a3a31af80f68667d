"""What all configs share: the sections, the scales, the optimizers."""

from ml_collections import config_dict

SCALES = ("paper", "small", "smoke")

#: The captions of the sample film: colours, nouns, and two that only words
#: of the data can explain.
CAPTIONS = (
    "a red heart",
    "a blue car",
    "a green apple",
    "a yellow smiling face",
    "a purple flower",
    "an orange cat",
    "a brown bear",
    "a woman in a red dress",
)


def base(**changes) -> config_dict.ConfigDict:
    """Lays out every section with its defaults.

    Args:
        **changes: section -> dict of what differs.

    Returns:
        ConfigDict; `None` in `loss_weights` means the paper's weight.

    Raises:
        KeyError: if a section or a key is unknown.
    """
    config = config_dict.create(
        data=dict(
            name="openmoji",
            image_size=64,
            crop=config_dict.placeholder(int),
            flip=False,
            captions_per_image=1,
            mismatch="text",
        ),
        text=dict(encoder="minilm", max_words=32),
        networks=dict(
            name="gan_cls",
            noise_dim=100,
            projection_dim=128,
            generator_width=128,
            discriminator_width=64,
        ),
        system=dict(
            name="GANINTCLS",
            mismatch_weight=0.5,
            interpolation_weight=1.0,
            beta=0.5,
            average_decay=config_dict.placeholder(float),
        ),
        game=dict(name="bce", real_target=1.0, saturating=False),
        loss_weights=dict(
            real=config_dict.placeholder(float),
            wrong=config_dict.placeholder(float),
            fake=config_dict.placeholder(float),
            fool=config_dict.placeholder(float),
            between=config_dict.placeholder(float),
            matching=config_dict.placeholder(float),
            pixel=config_dict.placeholder(float),
        ),
        optimizers=dict(generator=adam(2e-4), discriminator=adam(2e-4)),
        train=dict(
            batch_size=64,
            moves=1000,
            moves_per_epoch=100,
            seed=0,
            precision="float32",
            xla=False,
        ),
        samples=dict(captions=CAPTIONS, noises=2, every=1),
    )
    for section, values in changes.items():
        config[section].update(values)
    return config


def adam(
    learning_rate: float, beta_1: float = 0.5, halve_every: int = 0
) -> dict:
    """Describes an Adam.

    Args:
        learning_rate: float > 0.
        beta_1: float in [0, 1). 0.5 in nearly all papers here.
        halve_every: moves after which the rate is halved, again and again;
            0 keeps it.

    Returns:
        dict for `config.optimizers`.
    """
    return dict(
        name="Adam",
        learning_rate=learning_rate,
        beta_1=beta_1,
        beta_2=0.999,
        epsilon=1e-8,
        halve_every=halve_every,
    )


def smoke(config: config_dict.ConfigDict) -> config_dict.ConfigDict:
    """Shrinks a config until it runs in seconds on two cores.

    Args:
        config: any config made by `base`.

    Returns:
        The same config: drawn shapes, 16 px, width 4, 4 moves.
    """
    config.data.update(name="shapes", image_size=16)
    config.text.encoder = "letters"
    config.networks.update(
        noise_dim=8,
        projection_dim=8,
        generator_width=4,
        discriminator_width=4,
    )
    config.train.update(batch_size=8, moves=4, moves_per_epoch=2)
    config.samples.update(captions=("a red circle", "a blue square"), noises=1)
    return config


def check(scale: str) -> str:
    """Refuses a scale that does not exist.

    Args:
        scale: what stood after the colon of `--config=FILE:SCALE`.

    Returns:
        `scale`.

    Raises:
        ValueError: if it is none of `SCALES`.
    """
    if scale not in SCALES:
        raise ValueError(
            f"The scale is {scale!r}; allowed: {', '.join(SCALES)}."
        )
    return scale
