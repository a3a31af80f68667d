"""Turns a config into objects: the only place where names become things."""

import contextlib
import contextvars
import functools
import inspect
import os
import pathlib

import keras
import numpy as np
import tensorflow as tf

from keras_t2i import data, layers, networks, systems, weights
from keras_t2i.data import catalog, pipeline, tell
from keras_t2i.encoders import captioner as captioners
from keras_t2i.encoders import heads, pairs, tokenizer
from keras_t2i.encoders import text as text_room
from keras_t2i.losses import adversarial
from keras_t2i.ops import adam
from keras_t2i.systems import contrasts
from keras_t2i.systems.matching import KINDS
from recipes import messages

_WORDS = ("ids", "float16", "int8")
#: What `train.precision` may say.
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
_SHARED = contextvars.ContextVar("shared", default=None)


def cache_dir() -> pathlib.Path:
    """Finds where computed vectors are kept between runs.

    Returns:
        `$KERAS_T2I_CACHE`, else `~/.cache/keras_t2i`.
    """
    default = pathlib.Path.home() / ".cache" / "keras_t2i"
    return pathlib.Path(os.environ.get("KERAS_T2I_CACHE", default))


def choose(what: str, name: str, table):
    """Looks a name up and, if it is not there, names the nearest.

    Args:
        what: what is looked up, for the message.
        name: the name.
        table: mapping of the known names.

    Returns:
        `table[name]`.

    Raises:
        ValueError: if the name is unknown.
    """
    if name in table:
        return table[name]
    raise ValueError(
        f"{what} is {name!r}; known: {', '.join(sorted(table)) or 'none'}."
        f"{messages.near(str(name), table)}"
    )


def source(config, split: str):
    """Opens the data.

    Args:
        config: the run's config.
        split: "train" or "test".

    Returns:
        `data.source.Pictures`.

    Raises:
        ValueError: if the data set is unknown or can't be opened.
    """
    section = config.data
    choose("config.data.name", section.name, dict.fromkeys(catalog.NAMES))
    return catalog.load(
        section.name,
        split,
        section.image_size,
        section.get("path"),
        section.get("labels"),
    )


class Letters:
    """Reads captions without weights, for smoke runs: hashed words, summed.

    Args:
        dim: int. Length of the sentence vector.
    """

    name = "letters"
    max_words = 64

    def __init__(self, dim: int = 16):
        self.dim = dim
        self.digest = f"letters-{dim}"

    def __call__(self, captions):
        """Reads (N,) strings into "words", "mask" and "sentence"."""
        words = tf.strings.split(tf.strings.lower(captions))
        rows = tf.strings.to_hash_bucket_strong(words, 997, [7, 11])
        table = np.random.RandomState(0).randn(997, self.dim)
        read = tf.gather(tf.constant(table, tf.float32), rows)
        lengths = tf.minimum(words.row_lengths(), self.max_words)
        return {
            "words": read.to_tensor(shape=(None, self.max_words, self.dim)),
            "mask": tf.sequence_mask(lengths, self.max_words),
            "sentence": tf.reduce_sum(read, axis=1),
        }

    def pieces(self, caption):
        """Lists the words of a caption."""
        return caption.lower().split()[: self.max_words]

    def check(self, captions):
        """Refuses nothing but what is not text."""
        for caption in captions:
            data.captions.check(caption)


def letters_pair(dim: int = 16) -> weights.readers.Pair:
    """Makes readers without trained weights, for smoke runs.

    Args:
        dim: numbers of a sentence and of a code.

    Returns:
        The pair: `Letters`, and a network of pictures whose weights are drawn
        once and for all.
    """
    start = keras.initializers.RandomNormal(0.0, 0.3, seed=0)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Conv2D(dim, 4, 4, kernel_initializer=start)(image)
    pooled = keras.layers.GlobalAveragePooling2D()(keras.ops.relu(x))
    told = {"regions": x, "code": pooled}
    model = keras.Model({"image": image}, told, name="letters")
    seen = pairs.ImageReader(model, "letters", f"letters-{dim}")
    head, draw = heads.classes(dim, 100), np.random.RandomState(0)
    head.set_weights([draw.normal(0.0, 0.3, w.shape) for w in head.weights])
    return weights.readers.Pair(Letters(dim), seen, {}, head)


class Nobody:
    """Stands for the reader of captions where none are read."""

    name = digest = "none"
    dim = None

    def check(self, captions):
        """Refuses captions, which would change nothing.

        Args:
            captions: list of str.

        Raises:
            ValueError: if there are any.
        """
        if captions:
            raise ValueError(
                f"The caption {captions[0]!r} came, but this model draws from "
                "noise alone (config.text.encoder is 'none')."
            )


def letters_learners(dim: int = 16) -> weights.readers.Learners:
    """Makes readers that have learned nothing yet, for smoke runs.

    Args:
        dim: numbers of a sentence and of a code.

    Returns:
        Players upon `Letters` and a network of pictures, as
        `weights.readers.learners` gives them.
    """
    base, trunk = Letters(dim), letters_pair(dim).image.model
    trunk = keras.Model(
        trunk.input,
        {"regions": trunk.output["regions"], "pooled": trunk.output["code"]},
        name="letters",
    )
    head = heads.image(dim, dim, dim)
    image = heads.over(trunk, head, size=16, norms="running")
    players = {"text": heads.text(dim, dim), "image": image}
    card = {"recipe": {"text": {"encoder": "letters"}}}
    told = weights.readers.reading(players["text"], base, card)
    classes = letters_pair(dim).classes
    return weights.readers.Learners(players, told, card, classes)


def letters_words() -> tokenizer.Words:
    """Numbers the words of drawn shapes, for smoke runs.

    Returns:
        What `weights.captioners.words` gives of trained ones.
    """
    captions = data.shapes.load(64, 8).captions.ravel().tolist()
    words = data.vocabulary.Vocabulary.of(captions)
    return tokenizer.Words(words, max_words=12, truncate=True)


def letters_captioner() -> captioners.Captioner:
    """Makes a captioner without trained weights, for smoke runs.

    Returns:
        The captioner, of the words of drawn shapes.
    """
    image = keras.Input((None, None, 3), name="image")
    x = keras.ops.relu(keras.layers.Conv2D(8, 4, 4)(image))
    pooled = keras.layers.GlobalAveragePooling2D()(x)
    eyes = keras.Model({"image": image}, {"pooled": pooled}, name="eyes")
    words = letters_words()
    size = len(words.vocabulary) + 1
    decoder = captioners.decoder(size, 8, embedding=8, width=8)
    model, draw = captioners.join(eyes, decoder), np.random.RandomState(0)
    shapes = [weight.shape for weight in model.weights]
    # Positive, as a norm's variance has to be.
    model.set_weights([np.abs(draw.normal(0.0, 0.3, s)) for s in shapes])
    model.trainable = False
    return captioners.Captioner(
        model, words.vocabulary, words.max_words, "letters"
    )


def text_encoder(config):
    """Opens the reader of captions.

    Args:
        config: the run's config.

    Returns:
        callable, (N,) strings -> {"sentence": (N, C), ...}, with `dim` and
        `digest`; or `Nobody`, whose dim is None.

    Raises:
        ValueError: if the encoder is unknown, its weights are missing, or
            its source is missing or of no use.
    """
    section = config.text
    source = section.get("source")  # Runs of old have none.
    encoders = {
        "damsm": lambda: _pair(source, length=section.length).text,
        "hub": lambda: weights.pretrained.hub(source),
        "letters": Letters,
        "minilm": lambda: weights.pretrained.minilm(
            source,
            max_words=section.max_words,
            length=section.length,
            truncate=bool(section.get("truncate")),
        ),
        "none": Nobody,
    }
    encoder = choose("config.text.encoder", section.encoder, encoders)
    wanted = {
        "damsm": "a pair of readers by name, or the folder of one",
        "hub": "a TF-Hub handle, or the folder of a SavedModel",
    }
    if section.encoder in wanted and not source:
        raise ValueError(
            f"config.text.encoder is {section.encoder!r}, which needs "
            f"config.text.source: {wanted[section.encoder]}."
        )
    if section.encoder in ("letters", "none") and source:
        raise ValueError(
            f"config.text.source is {source!r}, but {section.encoder!r} reads "
            "without one."
        )
    return encoder()


def sentences(pictures, encoder) -> np.ndarray | None:
    """Reads each caption once; kept by content between runs.

    Args:
        pictures: what `source` gave.
        encoder: what `text_encoder` gave.

    Returns:
        (N, K, C) float32; None if nobody reads.
    """
    if encoder.dim is None:
        return None
    return text_room.embed(
        encoder, pictures.captions, cache_dir(), progress=True
    )


def dataset(
    config,
    pictures,
    encoder,
    start_move: int = 0,
    batches_per_move: int = 1,
    shard: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Streams training batches from the move where the run stands.

    Args:
        config: the run's config.
        pictures: what `source` gave.
        encoder: what `text_encoder` gave; each caption is read once and
            kept by content.
        start_move: int. Moves already made.
        batches_per_move: int. How many times config.train.batch_size rows a
            batch holds: the system's own number.
        shard: (i, n): only part i of n of each batch's rows.

    Returns:
        Endless dataset of batches.

    Raises:
        ValueError: if the batch does not fit the data.
    """
    _check_branches(config, pictures)
    _check_words(config, encoder)
    reads = is_tuned(config)
    if reads and not _reads_ids(config.data, encoder):
        # Of its words the text side is to read.
        encoder = getattr(encoder, "base", encoder)
    stream = pipeline.batches(
        pictures,
        batch_size=config.train.batch_size * batches_per_move,
        image_size=config.data.image_size,
        seed=config.train.seed,
        start_move=start_move,
        shard=shard,
        **_choices(config),
        **_ids(config.data, pictures, encoder),
        **_vectors(config.data, pictures, encoder),
    )
    if not reads and _reads_ids(config.data, encoder):
        read = functools.partial(_with_read_words, encoder)
    elif _asks_for_ids(config, encoder):
        words = _captioner_words(config)
        tell.check_known(words.vocabulary, pictures)
        read = functools.partial(_with_numbered_words, words)
    else:
        return stream
    plain = tf.autograph.experimental.do_not_convert(read)
    return stream.map(plain, tf.data.AUTOTUNE).prefetch(2)


def _choices(config) -> dict:
    """Reads how batches are made; runs of old lack some of it."""
    section = config.data
    names = (
        *("captions_per_image", "mismatch", "other_label", "twins", "partners"),
        *("crop", "flip", "fit", "base_size"),
    )
    found = {name: section[name] for name in names if name in section}
    branch = second_branch(config)
    if branch == "twin_":
        found["twins"] = True
    if branch == "partner_":
        found["partners"] = found.get("partners") or "label"
    return found


def second_branch(config) -> str | None:
    """Tells which second branch a system's batches have.

    Args:
        config: the run's config.

    Returns:
        "twin_", "partner_" or None.

    Raises:
        ValueError: as `systems.contrasts.second`.
    """
    wanted = config.system.get("branches")
    return contrasts.second(given(config.loss_weights), wanted)


def _check_branches(config, pictures):
    """Refuses branches that a set can't give."""
    branch = second_branch(config)
    if branch == "twin_" and pictures.captions.shape[1] < 2:
        raise ValueError(
            "Two captions of a picture are compared (twins), and those of "
            f"{pictures.name} have one: weigh fake_to_fake 0 and leave "
            "config.system.branches out, or take a set with more."
        )
    if branch == "partner_" and not has_pairs(pictures.labels):
        raise ValueError(
            "Pictures of one class are compared (partners), and no two "
            f"pictures of {pictures.name} share one: weigh supervised, unicl "
            "and cross_entropy 0 and leave config.system.branches out, or "
            "take a set with classes."
        )


def _check_words(config, encoder):
    """Refuses batches without the words that somebody reads."""
    if is_tuned(config):
        why = f"config.system.name is {config.system.name!r}"
        _check_learned_words(config, encoder)
    elif _earlier_stages(config):
        name = config.networks.generator.name
        why = f"config.networks.generator.name is {name!r}"
    elif "words" in _matched(config):
        why = "config.loss_weights.words is not 0"
    else:
        return
    kind = config.data.get("words")
    if kind is None or (kind == "ids" and not _reads_ids(config.data, encoder)):
        raise ValueError(
            f"{why}, which takes captions word by word, and config.data.words "
            f"is {kind!r}: set 'float16' or 'int8', or 'ids' where the reader "
            f"has a vocabulary (config.text.encoder is "
            f"{config.text.encoder!r})."
        )


def _check_learned_words(config, encoder):
    """Refuses words that a reader has read, where it is to learn to."""
    has_ids = getattr(encoder, "vocabulary", None) is not None
    if has_ids and config.data.words != "ids":
        raise ValueError(
            f"config.data.words is {config.data.words!r}, but the reader "
            f"{config.text.source!r}, which goes on learning, takes ids: set "
            "'ids'."
        )


def has_pairs(labels) -> bool:
    """Tells whether any two pictures share a class.

    Args:
        labels: (N,) int; -1 is none.

    Returns:
        bool.
    """
    counts = np.unique(labels[labels >= 0], return_counts=True)[1]
    return bool((counts > 1).any())


def _reads_ids(section, encoder) -> bool:
    """Whether the reader of captions reads the ids of each batch anew."""
    is_able = getattr(encoder, "vocabulary", None) is not None
    return section.get("words") == "ids" and is_able


def _with_read_words(encoder, batch):
    """Reads a batch's ids; captions that lost words lost others before."""
    read = dict(batch)
    for key in batch:
        if key.endswith("caption"):
            prefix = key.removesuffix("caption")
            told = encoder.read_ids(batch[key], batch[f"{prefix}mask"])
            read |= {f"{prefix}{name}": value for name, value in told.items()}
    return read


def _asks_for_ids(config, encoder) -> bool:
    """Whether a captioner's words are to be numbered beside the reader's."""
    is_asked = bool(config.loss_weights.get("recaptioning"))
    return is_asked and not _reads_ids(config.data, encoder)


def _with_numbered_words(words, batch):
    """Numbers the words of a batch's captions as a captioner does."""
    prefixes = [k.removesuffix("text") for k in batch if k.endswith("text")]
    made = dict(batch)
    for prefix in prefixes:
        texts = batch[f"{prefix}text"]
        shape = (texts.shape[0], words.max_words)
        made[f"{prefix}caption"] = tf.ensure_shape(words(texts)[0], shape)
    return made


def _ids(section, pictures, encoder) -> dict:
    kind, most = section.get("words"), section.get("max_words")
    if most is not None and most < 1:
        raise ValueError(
            f"config.data.max_words is {most}; allowed: 1 and more, or None."
        )
    if kind is not None:
        choose("config.data.words", kind, dict.fromkeys(_WORDS))
    elif section.get("max_words") is not None:
        raise ValueError(
            f"config.data.max_words is {section.max_words}, but "
            "config.data.words is None: batches hold no words."
        )
    if kind != "ids":
        return {}
    words = None
    if _reads_ids(section, encoder):
        words = encoder.vocabulary
    return {
        "vocabulary": words or vocabulary(section, pictures),
        "max_words": section.max_words,
        "word_rule": section.word_rule,
    }


def _vectors(section, pictures, encoder) -> dict:
    """Readies what the encoder says of captions, and of their words."""
    kind = section.get("words")
    has_words = kind not in (None, "ids")
    if encoder.dim is None:
        if has_words:
            raise ValueError(
                f"config.data.words is {kind!r}, but config.text.encoder is "
                "'none'."
            )
        return {}
    if _reads_ids(section, encoder):
        return {}
    if has_words:
        stored = text_room.embed_words(
            encoder,
            pictures.captions,
            cache_dir(),
            kind,
            section.max_words,
            progress=True,
        )
        return {"words": stored}
    if not isinstance(pictures.images, data.source.Shards):
        return {"sentences": sentences(pictures, encoder)}
    stored = text_room.embed(  # Sets in files may be of any size.
        encoder,
        pictures.captions,
        cache_dir(),
        progress=True,
        dtype="float16",
    )
    return {"sentences": stored}


def vocabulary(section, pictures):
    """Finds the words that have ids.

    Args:
        section: the config's data section.
        pictures: the training pictures.

    Returns:
        `data.vocabulary.Vocabulary`: that of the prepared set, or one of the
        captions.
    """
    if section.name == catalog.RECORDS:
        folder = pathlib.Path(section.path)
        return data.vocabulary.Vocabulary.load(folder / "vocabulary.txt")
    return data.vocabulary.Vocabulary.of(pictures.captions.ravel().tolist())


def system(config, encoder, rate: float = 1.0, readers: dict | None = None):
    """Builds and compiles the system.

    Args:
        config: the run's config.
        encoder: what `text_encoder` gave.
        rate: float > 0. All learning rates are so many times the config's.
        readers: "image_reader", "class_head" and "captioner", as
            `systems.System` takes them; those of the config if None. `NOBODY`
            for a system that draws and is not played.

    Returns:
        `systems.System`, compiled.

    Raises:
        ValueError: if a name, a precision or an argument is unknown, or a
            size or the seed is out of range.
    """
    if readers is None:
        readers = _looking(config, encoder)
    with building(config.train):
        players = _players(config, encoder)
        if is_tuned(config):
            learning = learners(config)
            players |= learning.players
            encoder = learning.text
            readers = {**readers, "class_head": learning.classes}
        built = _system(config, players, encoder, readers)
    moves = config.train.moves
    built.compile(
        {
            name: optimizer(
                _optimizer_of(config, name),
                name,
                built.steps_of(name),
                moves,
                rate,
            )
            for name in players
        },
        xla=config.train.xla,
        micro_batches=config.train.get("micro_batches") or 1,
        is_watched=True,
    )
    return built


def _optimizer_of(config, player):
    section = config.optimizers.get(player.partition("_")[0])
    if section is None:
        raise ValueError(
            f"config.system.name is {config.system.name!r}, whose {player} "
            f"learns, and there is no config.optimizers.{player}: start from "
            "a config that has it, such as ssa_gan_cub.py:tuned."
        )
    return section


@contextlib.contextmanager
def building(section):
    """Sets seed and precision while networks are built.

    Args:
        section: the config's train section.

    Yields:
        Nothing.

    Raises:
        ValueError: if the precision is unknown or the seed out of range.
    """
    precision = section.precision
    choose("config.train.precision", precision, dict.fromkeys(PRECISIONS))
    if not 0 <= section.seed < 2**32:
        raise ValueError(
            f"config.train.seed is {section.seed}; allowed: 0 to {2**32 - 1}."
        )
    keras.utils.set_random_seed(section.seed)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def given(section) -> dict:
    """Takes what a section says; None leaves the default.

    Args:
        section: a section of the config.

    Returns:
        dict without the keys that are None.
    """
    return {key: value for key, value in section.items() if value is not None}


def _players(config, encoder) -> dict:
    """Builds the networks: one discriminator for each picture's size."""
    players = {"discriminator": _network(config, "discriminator", encoder)}
    for size in smaller_sizes(config):
        name = f"discriminator_{size}"
        players[name] = _network(config, "discriminator", encoder, size)
    return players | {"generator": _network(config, "generator", encoder)}


def smaller_sizes(config) -> list[int]:
    """Lists the sizes that a generator draws before the last.

    Args:
        config: the run's config.

    Returns:
        Sizes, small to large; none unless it draws in stages, or if the last
        of them draws alone.

    Raises:
        ValueError: if the sizes are missing or impossible.
    """
    earlier = _earlier_stages(config)
    is_last_alone = config.networks.generator.get("smaller_images") is False
    return [] if is_last_alone else earlier


def _earlier_stages(config) -> list[int]:
    name = config.networks.generator.name
    room = getattr(networks, name, None)
    if room is None or "base_size" not in _takes(room.generator):
        return []
    base, size = config.data.get("base_size"), config.data.image_size
    if base is None:
        raise ValueError(
            f"config.networks.generator.name is {name!r}, which draws in "
            "stages: set config.data.base_size, the size of the first."
        )
    return layers.stages.sizes(size, base)[:-1]


def is_tuned(config) -> bool:
    """Tells whether a system's pair of readers goes on learning.

    Args:
        config: the run's config.

    Returns:
        bool.
    """
    kind = systems_by_name().get(config.system.name)
    return kind is not None and issubclass(kind, systems.SSAGANFineTuned)


def learners(config) -> weights.readers.Learners:
    """Opens the pair of readers that goes on learning.

    Args:
        config: the run's config.

    Returns:
        What `weights.readers.learners` gives.

    Raises:
        ValueError: if none is named, or another one is to look at fakes.
    """
    section, other = config.text, (config.get("image") or {}).get("source")
    if section.encoder == "letters":
        return letters_learners()
    if section.encoder != "damsm" or other is not None:
        raise ValueError(
            f"config.system.name is {config.system.name!r}, whose readers go "
            "on learning: set config.text.encoder to 'damsm' with its source, "
            f"and config.image.source to None (they are {section.encoder!r} "
            f"and {other!r})."
        )
    return weights.readers.learners(section.source, length=section.length)


class _Nobody:
    """Stands for readers where no move is played."""

    def __call__(self, pictures):
        """Refuses to look."""
        raise ValueError("This system was opened to draw, not to be played.")


#: Readers of a system that is not played.
NOBODY = dict.fromkeys(("image_reader", "class_head", "captioner"), _Nobody())


def looker(config) -> weights.readers.Pair | None:
    """Opens the readers that look at fakes in training.

    Args:
        config: the run's config.

    Returns:
        The pair; None if no term needs it.

    Raises:
        ValueError: if nobody is named, or the pair can't be opened.
    """
    matched = _matched(config)
    others = [t for t in contrasts.READ if t not in KINDS]
    terms = [t for t in others if config.loss_weights.get(t)] + matched
    if not terms:
        return None
    place = (config.get("image") or {}).get("source")
    if place is None and config.text.encoder == "damsm":
        place = config.text.source
    if place is None:
        raise ValueError(
            f"config.loss_weights.{terms[0]} is not 0, so fakes are looked "
            "at, and nobody is named who does: set config.image.source to a "
            "pair of readers by name or folder, or text.encoder to 'damsm' "
            f"with its text.source; or {terms[0]} to 0."
        )
    return letters_pair() if place == "letters" else _pair(place)


def captioner(config) -> captioners.Captioner | None:
    """Opens what is asked for the captions of fakes in training.

    Args:
        config: the run's config.

    Returns:
        The captioner; None if recaptioning weighs nothing.

    Raises:
        ValueError: if none is named, or it can't be opened.
    """
    if not config.loss_weights.get("recaptioning"):
        return None
    place = _captioner_place(config)
    if place == "letters":
        return letters_captioner()
    return _opened(weights.captioners.load, place)


def _captioner_words(config) -> tokenizer.Words:
    place = _captioner_place(config)
    if place == "letters":
        return letters_words()
    return weights.captioners.words(place)


def _captioner_place(config):
    place = (config.get("captioner") or {}).get("source")
    if place is None:
        raise ValueError(
            "config.loss_weights.recaptioning is not 0, and nobody is named "
            "who says what fakes show: set config.captioner.source to a "
            "captioner by name, or the folder captioner/ of a run of "
            "recipes.pretrain; or recaptioning to 0."
        )
    return place


@contextlib.contextmanager
def sharing():
    """Opens each pair of readers once, however many ask; captioners, too.

    They are frozen and take a second or two to build. Only for runs in one
    process without a strategy: elsewhere variables belong to the scope in
    which they were made.

    Yields:
        Nothing.
    """
    before = _SHARED.set(functools.cache(_call))
    try:
        yield
    finally:
        _SHARED.reset(before)


def _pair(*which, **more) -> weights.readers.Pair:
    return _opened(weights.readers.load, *which, **more)


def _opened(load, *which, **more):
    return (_SHARED.get() or _call)(load, *which, **more)


def _call(load, *which, **more):
    return load(*which, **more)


def _matched(config) -> list[str]:
    """Lists the terms that match fakes with captions."""
    kind = systems_by_name().get(config.system.name)
    told = {term: config.loss_weights.get(term) for term in KINDS}
    is_usual = kind is not None and kind.MATCHES
    return [t for t, w in told.items() if (is_usual if w is None else w)]


def _looking(config, encoder) -> dict:
    """Hands out what looks at fakes, if any term needs it."""
    told = captioner(config)
    found = {} if told is None else {"captioner": told}
    if is_tuned(config):
        return found  # Its own readers look.
    pair = looker(config)
    if pair is None:
        return found
    if _matched(config) and pair.image.dim != encoder.dim:
        raise ValueError(
            f"Captions are read in {encoder.dim} numbers and pictures in "
            f"{pair.image.dim} (config.image.source is "
            f"{config.image.source!r}): they are compared, so take both sides "
            "of one pair, or weigh words and sentence 0."
        )
    reader = pair.image.folded()
    return found | dict(image_reader=reader, class_head=pair.classes)


def _network(config, player, encoder, image_size=None):
    rooms = {
        name: getattr(networks, name)
        for name in networks.__all__
        if inspect.ismodule(getattr(networks, name))
    }
    build, section = _chosen(
        f"config.networks.{player}",
        config.networks[player],
        {name: getattr(room, player) for name, room in rooms.items()},
    )
    for key, value in section.items():
        least = 0 if key == "residuals" else 1
        if type(value) is int and value < least:
            raise ValueError(
                f"config.networks.{player}.{key} is {value}; allowed: {least} "
                "and more."
            )
    if "text_dim" in _takes(build):
        if encoder.dim is None:
            raise ValueError(
                f"config.networks.{player}.name is "
                f"{config.networks[player].name!r}, which reads text, but "
                "config.text.encoder is 'none'."
            )
        section["text_dim"] = encoder.dim
    if "base_size" in _takes(build):
        section["base_size"] = config.data.base_size
    return build(image_size=image_size or config.data.image_size, **section)


def systems_by_name() -> dict:
    """Lists the systems that a config may name.

    Returns:
        dict, name -> class.
    """
    return {n: getattr(systems, n) for n in systems.__all__ if n != "System"}


def _system(config, players, encoder, readers):
    kind, section = _chosen("config.system", config.system, systems_by_name())
    game = _game(config.game)
    if game is not None:
        if "game" not in _takes(kind):
            raise ValueError(
                f"config.game.name is {config.game.name!r}, but "
                f"{kind.__name__} has a game of its own."
            )
        section["game"] = game
    if is_tuned(config):
        section["length"] = config.text.length
        readers = {k: x for k, x in readers.items() if k != "image_reader"}
    return kind(
        players,
        loss_weights=given(config.loss_weights),
        seed=config.train.seed,
        text_encoder=encoder,
        **readers,
        **section,
    )


def _game(section):
    if not given(section):
        return None  # The system's own.
    games = {"bce": adversarial.bce, "hinge": adversarial.hinge}
    game, section = _chosen("config.game", section, games)
    return game(**section)


def optimizer(
    section,
    player: str,
    steps: int = 1,
    moves: int | None = None,
    factor: float = 1.0,
) -> keras.optimizers.Optimizer:
    """Makes an optimizer.

    Args:
        section: one of `config.optimizers`.
        player: whose it is, for messages.
        steps: how many steps it takes in a move.
        moves: of the whole run; needed for a decay without length.
        factor: the learning rate is so many times the section's.

    Returns:
        `keras.optimizers.Adam` or `RMSprop`, with the schedule, the clipping
        and the decay of weights that the section asks for.

    Raises:
        ValueError: if it is unknown, its schedule is longer than the run, or
            two ways of clipping are asked for.
    """
    what = f"config.optimizers.{player}.name"
    kinds = {"Adam": adam.Adam, "RMSprop": keras.optimizers.RMSprop}
    kind = choose(what, section.name, kinds)
    what = f"config.optimizers.{player}"
    rate = _rate(section, what, section.learning_rate * factor, steps, moves)
    clip = {
        "global_clipnorm": section.get("clip_norm"),
        "clipvalue": section.get("clip_value"),
    }
    for key in ("clip_norm", "clip_value", "weight_decay"):
        if section.get(key) is not None and section[key] <= 0.0:
            raise ValueError(
                f"config.optimizers.{player}.{key} is {section[key]}; "
                "allowed: above 0."
            )
    if None not in clip.values():
        raise ValueError(
            f"config.optimizers.{player} has clip_norm and clip_value; one of "
            "them is allowed."
        )
    more = {**clip, "weight_decay": section.get("weight_decay")}
    if section.name == "RMSprop":
        return kind(rate, rho=section.beta_2, epsilon=section.epsilon, **more)
    return kind(
        rate,
        beta_1=section.beta_1,
        beta_2=section.beta_2,
        epsilon=section.epsilon,
        **more,
    )


def _rate(section, what, rate, steps, moves):
    """The learning rate, or its schedule over the optimizer's own steps."""
    schedules = keras.optimizers.schedules
    decay = section.get("decay")
    if section.halve_every and decay:
        raise ValueError(
            f"{what} has halve_every and decay; one of them is allowed."
        )
    if section.halve_every:
        every = section.halve_every * steps
        return schedules.ExponentialDecay(rate, every, 0.5, staircase=True)
    given_length = section.get("decay_moves")
    if given_length is not None and (not decay or given_length < 1):
        raise ValueError(
            f"{what}.decay_moves is {given_length} and decay is {decay!r}; "
            "allowed: 1 and more, with decay 'linear' or 'cosine'."
        )
    if not decay:
        return rate
    ways = {
        "linear": lambda n: schedules.PolynomialDecay(rate, n, 0.0),
        "cosine": lambda n: schedules.CosineDecay(rate, n),
    }
    way = choose(f"{what}.decay", decay, ways)
    length = given_length or moves
    if moves is not None and length > moves:
        raise ValueError(
            f"{what}.decay_moves is {length}, but the run has {moves} moves; "
            "allowed: up to that."
        )
    return way(length * steps)


def _chosen(what, section, table):
    """Finds the thing a section names and what it is to be called with."""
    section = given(section)
    thing = choose(f"{what}.name", section.pop("name", None), table)
    takes = _takes(thing)
    for key in section:
        if key not in takes:
            raise ValueError(
                f"{what}.{key} is {section[key]!r}, but "
                f"{thing.__name__} takes no {key}."
            )
    return thing, section


def _takes(thing) -> set:
    """Lists the arguments of a function, or of a class and its bases."""
    makers = [thing]
    if inspect.isclass(thing):
        is_ours = [k for k in thing.__mro__ if issubclass(k, systems.System)]
        makers = [kind.__init__ for kind in is_ours]
    return {name for x in makers for name in inspect.signature(x).parameters}
