"""The candidates: one row a system, one row a pair of networks."""

import functools
import tempfile
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_t2i import layers, losses, networks, systems
from keras_t2i.encoders import bi_lstm, heads
from keras_t2i.systems import contrasts
from tests import harness
from tests.conformance import staged


class SystemRow(NamedTuple):
    """A system under examination.

    Attributes:
        name: str, unique.
        make: callable (players, **kwargs) -> `systems.System`.
        terms: what it logs.
        wrong: the key of the batch's mismatched half, or None.
        order: who moves, in order, in one move; those who move at once stand
            in a tuple.
        norm: the layer that normalises in its networks, or None.
        is_sum_of_rows: whether its terms are means over rows, so that parts
            of a batch add up to the batch.
        players: callable (seed=0, norm=None) -> toy players.
        has_text: whether its batches hold sentences.
        has_pictures: whether it draws pictures, which may be averaged.
        batches: callable of a count -> data set; None means toy pictures.
        books: names of variables that move in every pass, in training or not.
        has_draws: whether anything in its move is left to chance.
    """

    name: str
    make: Callable
    terms: tuple
    wrong: str | None = None
    order: tuple = ("discriminator", "generator")
    norm: Callable | None = layers.BatchNorm
    is_sum_of_rows: bool = True
    players: Callable = harness.toy_players
    has_text: bool = True
    has_pictures: bool = True
    batches: Callable | None = None
    books: tuple = ()
    has_draws: bool = True

    @property
    def steps(self):
        """Who takes a step, one after the other, in one move."""
        together = (p if isinstance(p, tuple) else (p,) for p in self.order)
        return tuple(player for players in together for player in players)


class NetworkRow(NamedTuple):
    """A pair of networks under examination.

    Attributes:
        name: str, unique; the module's name.
        generator: callable of keyword arguments -> `keras.Model`.
        discriminator: callable of keyword arguments -> `keras.Model`.
        sizes: picture sizes to be drawn.
        refused: picture sizes that can't be drawn.
        score: the key of the discriminator's score.
    """

    name: str
    generator: Callable
    discriminator: Callable
    sizes: tuple = (16, 32)
    refused: tuple = (4, 20, 0)
    score: str = "matched"


#: Of toy captions: words, and numbers of a word in the space of pictures.
WORDS, WIDTH = 4, 6


def wordless_players(seed=0, norm=None):
    """Builds a tiny pair without text, whose critic forgets features.

    Args:
        seed: int. Where the weights start.
        norm: callable -> a normalising layer for the generator; None leaves
            it out.

    Returns:
        {"generator", "discriminator"}.
    """
    keras.utils.set_random_seed(seed)
    norm = norm or keras.layers.Identity
    noise = keras.Input((harness.NOISE,), name="noise")
    x = keras.layers.LeakyReLU(0.2)(norm()(keras.layers.Dense(64)(noise)))
    x = keras.layers.Reshape((4, 4, 4))(x)
    x = keras.layers.Conv2DTranspose(3, 4, 4, "same")(x)
    drawn = keras.layers.Activation("tanh", dtype="float32")(x)
    image = keras.Input((harness.SIZE, harness.SIZE, 3), name="image")
    x = keras.layers.Conv2D(harness.WIDTH, 4, 4)(image)
    x = keras.layers.Flatten()(keras.layers.LeakyReLU(0.2)(x))
    draws = keras.Input(x.shape[1:], name="dropout_1")
    x = keras.layers.Dense(1, dtype="float32")(
        layers.Dropout(0.3, name="forgetful")(x, draws)
    )
    score = keras.layers.Reshape((), dtype="float32")(x)
    return {
        "generator": keras.Model({"noise": noise}, {"image": drawn}),
        "discriminator": keras.Model(
            {"image": image, "dropout_1": draws}, {"alone": score}
        ),
    }


def readers(seed=0, norm=None, reads_ids=False, classes=None):
    """Builds a tiny pair of readers; that of captions forgets numbers.

    Args:
        seed: int. Where the weights start.
        norm: callable -> a normalising layer for the one of pictures; None
            leaves it out.
        reads_ids: bool. Whether words come as ids, for a bi-LSTM, or as
            vectors.
        classes: int. How many a third player tells; None: there is none.

    Returns:
        {"text", "image"} and, with classes, "classes".
    """
    keras.utils.set_random_seed(seed)
    norm = norm or keras.layers.Identity
    image = keras.Input((harness.SIZE, harness.SIZE, 3), name="image")
    x = norm()(keras.layers.Conv2D(harness.WIDTH, 6, 5)(image))
    x = keras.layers.LeakyReLU(0.2)(x)
    pooled = keras.layers.GlobalAveragePooling2D()(x)
    head = heads.image(harness.WIDTH, harness.WIDTH, WIDTH)
    players = {
        "text": _lstm() if reads_ids else _projection(),
        "image": keras.Model(
            {"image": image}, head({"regions": x, "pooled": pooled})
        ),
    }
    if classes is not None:
        players["classes"] = heads.classes(WIDTH, classes)
    return players


def _lstm():
    return bi_lstm.encoder(
        11, embedding=5, width=WIDTH, dropout=0.3, max_words=WORDS
    )


def _projection():
    inputs = {
        "words": keras.Input((WORDS, harness.TEXT), name="words"),
        "mask": keras.Input((WORDS,), dtype="bool", name="mask"),
        "sentence": keras.Input((harness.TEXT,), name="sentence"),
        "dropout_1": keras.Input((WORDS, harness.TEXT), name="dropout_1"),
    }
    drop = layers.Dropout(0.3, name="forgetful")
    told = {key: inputs[key] for key in ("mask", "sentence")}
    told["words"] = drop(inputs["words"], inputs["dropout_1"])
    return keras.Model(inputs, heads.text(harness.TEXT, WIDTH)(told))


def tellers(seed=0, norm=None):
    """Builds a tiny captioner, of which only the end reads words in order.

    Args:
        seed: int. Where the weights start.
        norm: callable -> a normalising layer for pictures; None leaves it
            out.

    Returns:
        {"captioner"}.
    """
    keras.utils.set_random_seed(seed)
    norm = norm or keras.layers.Identity
    image = keras.Input((harness.SIZE, harness.SIZE, 3), name="image")
    ids = keras.Input((WORDS,), dtype="int32", name="ids")
    x = norm()(keras.layers.Conv2D(harness.WIDTH, 6, 5)(image))
    x = keras.layers.LeakyReLU(0.2)(x)
    seen = keras.layers.Dense(5)(keras.layers.GlobalAveragePooling2D()(x))
    words = keras.layers.Embedding(11, 5)(ids)
    x = keras.ops.concatenate([seen[:, None], words[:, :-1]], axis=1)
    x = keras.layers.LSTM(6, return_sequences=True)(x)
    scores = keras.layers.Dense(11, dtype="float32")(x)
    model = keras.Model({"image": image, "ids": ids}, {"scores": scores})
    return {"captioner": model}


def read_batches(moves):
    """Draws batches for readers, with twins and partners.

    Args:
        moves: int. How many.

    Returns:
        `tf.data.Dataset`.
    """
    batches = [_read_batch(move) for move in range(moves)]
    together = {k: np.stack([b[k] for b in batches]) for k in batches[0]}
    return tf.data.Dataset.from_tensor_slices(together)


def _read_batch(seed):
    draw = np.random.default_rng(seed)
    rows, batch = harness.ROWS, {}
    for prefix in ("", "twin_", "partner_"):
        lengths = draw.integers(1, WORDS + 1, rows)
        mask = np.arange(WORDS) < lengths[:, None]
        ids = draw.integers(1, 11, (rows, WORDS)) * mask
        words = draw.normal(size=(rows, WORDS, harness.TEXT)) * mask[..., None]
        batch[f"{prefix}mask"] = mask
        batch[f"{prefix}caption"] = ids.astype("int32")
        batch[f"{prefix}words"] = words.astype("float32")
        sentence = draw.normal(size=(rows, harness.TEXT))
        batch[f"{prefix}sentence"] = sentence.astype("float32")
        if prefix != "twin_":
            shape = (rows, harness.SIZE, harness.SIZE, 3)
            batch[f"{prefix}image"] = draw.uniform(-1, 1, shape).astype(
                "float32"
            )
            # Each replica of two has a row without a label.
            labels = np.array([0, 1, 2, -1, 1, -1, 0, 2], dtype="int32")
            batch[f"{prefix}label"] = labels
    return batch


def _everything(players, **kwargs):
    weights = {"matching": 2.0, "pixel": 0.5}
    game = losses.adversarial.bce(real_target=0.9, saturating=True)
    return systems.GANINTCLS(players, game=game, loss_weights=weights, **kwargs)


def _seeking(players, **kwargs):
    return systems.DFGAN(players, loss_weights={"seeking": 1.0}, **kwargs)


def _reading(name, terms=systems.DAMSM.TERMS, reads_ids=False, **options):
    """The row of a system of readers, who all move at once."""
    classes = options.pop("classes", None)
    gentle = (2.0, 2.0, 1.0)  # The papers' make large steps of small ones.
    return SystemRow(
        name,
        functools.partial(systems.DAMSM, gammas=gentle, **options),
        terms,
        order=(("text", "image") + ("classes",) * (classes is not None),),
        is_sum_of_rows=False,  # A row is compared with all others.
        players=functools.partial(
            readers, reads_ids=reads_ids, classes=classes
        ),
        has_pictures=False,
        batches=read_batches,
    )


#: How much terms that compare branches weigh in a row.
_COMPARED = 0.05
_STAGED = ("real", "wrong", "fake", "fool", "condition", "words", "sentence")


def _with_readers(make, *compared, **weights):
    """Makes systems whose fakes are read, and compared by some terms."""
    weights = dict.fromkeys(compared, _COMPARED) | weights

    def made(players, **kwargs):
        return make(
            players,
            loss_weights=weights,
            image_reader=staged.image_reader(),
            class_head=staged.class_head(),
            captioner=staged.captioner(),
            **kwargs,
        )

    return made


def _fine_tuned(players, **kwargs):
    """Makes an SSA-GAN whose readers learn; gentle, as above."""
    return systems.SSAGANFineTuned(
        players,
        loss_weights=dict(words=0.5, sentence=0.0),
        gammas=(2.0, 2.0, 1.0),
        masks_classes=True,
        **kwargs,
    )


def _players_and_readers(seed=0, norm=None):
    """The toys of SSA-GAN, and a pair of readers."""
    return {
        **harness.toy_players(seed, norm, is_judge_normed=False),
        **readers(seed + 1, norm),
    }


def _with_masks(name, kind, *compared, **weights):
    """The row of a system whose penalty has a step of its own."""
    # As above, gentle.
    gentle = functools.partial(kind, gammas=(2.0, 2.0, 1.0))
    if kind.MATCHES:
        weights = dict(words=0.5, sentence=0.5) | weights
    return SystemRow(
        name,
        _with_readers(gentle, *compared, **weights),
        ("real", "wrong", "fake", "penalty", "fool", *weights, *compared),
        order=("discriminator", "discriminator", "generator"),
        is_sum_of_rows=False,  # Pairs are shifted, captions compared.
        players=functools.partial(harness.toy_players, is_judge_normed=False),
        batches=staged.batches,
    )


def _in_stages(name, kind, *compared, **facts):
    """The row of a system that draws in stages."""
    gentle = dict(gammas=(2.0, 2.0, 1.0), masks_classes=True)
    make = functools.partial(kind, **gentle)
    return SystemRow(
        name,
        # The papers' weights make large steps, and large rounding, of toys.
        _with_readers(make, *compared, words=0.5, sentence=0.5),
        (*_STAGED, *compared),
        order=(("discriminator_8", "discriminator"), "generator"),
        is_sum_of_rows=False,  # Pairs are shifted, captions compared.
        batches=staged.batches,
        **{"players": staged.players} | facts,
    )


def _with_memory(name, *compared):
    """The row of DM-GAN, played by networks such as it has."""
    return _in_stages(
        name,
        systems.DMGAN,
        *compared,
        players=staged.players_with_memory,
        books=("u", "v"),
    )


SYSTEMS = (
    SystemRow("GAN", systems.GAN, ("real", "fake", "fool")),
    SystemRow(
        "GANCLS",
        systems.GANCLS,
        ("real", "wrong", "fake", "fool"),
        wrong="wrong_image",
    ),
    SystemRow("GANINT", systems.GANINT, ("real", "fake", "fool", "between")),
    SystemRow(
        "GANINTCLS",
        systems.GANINTCLS,
        ("real", "wrong", "fake", "fool", "between"),
        wrong="wrong_sentence",
    ),
    SystemRow(
        "GANINTCLS_with_every_term",
        _everything,
        tuple(t for t in systems.GAN.TERMS if t not in contrasts.TERMS),
        wrong="wrong_sentence",
        is_sum_of_rows=False,  # matching compares means of batches.
    ),
    SystemRow(
        "DFGAN",
        systems.DFGAN,
        ("real", "wrong", "fake", "penalty", "fool"),
        norm=None,
    ),
    SystemRow(
        "DFGAN_seeking",
        _seeking,
        ("real", "wrong", "fake", "penalty", "fool", "seeking"),
        norm=None,
        is_sum_of_rows=False,  # seeking is the inverse of a mean.
    ),
    SystemRow(
        "WGAN",
        functools.partial(
            systems.WGAN, critic_moves=2, clip=0.2, mismatch_weight=0.5
        ),
        ("real", "wrong", "fake", "fool"),
        wrong="wrong_image",
        order=("discriminator", "discriminator", "generator"),
    ),
    SystemRow(
        "WGANGP",
        functools.partial(
            systems.WGANGP,
            critic_moves=2,
            mismatch_weight=0.5,
            is_fresh=True,
        ),
        ("real", "wrong", "fake", "penalty", "fool"),
        wrong="wrong_sentence",
        order=("discriminator", "discriminator", "generator"),
        norm=None,
    ),
    SystemRow(
        "WGANGP_without_text",
        systems.WGANGP,
        ("real", "fake", "penalty", "fool"),
        order=("discriminator",) * 3 + ("generator",),
        players=wordless_players,
        has_text=False,
    ),
    _with_masks("SSAGAN", systems.SSAGAN),
    _with_masks("SSAGAN_twins", systems.SSAGAN, "fake_to_fake", "fake_to_real"),
    _with_masks("SSAGAN_partners", systems.SSAGAN, "supervised"),
    _with_masks("SSAGAN_retold", systems.SSAGAN, "recaptioning"),
    _with_masks("DFGAN2020", systems.DFGAN2020),
    SystemRow(
        "SSAGANFineTuned",
        _fine_tuned,
        (*systems.DAMSM.TERMS[:4], *systems.SSAGAN.TERMS[:5], "words"),
        order=(
            ("text", "image"),
            *("discriminator", "discriminator", "generator"),
        ),
        is_sum_of_rows=False,
        players=_players_and_readers,
        batches=read_batches,
    ),
    _in_stages("AttnGAN", systems.AttnGAN),
    _in_stages(
        "AttnGAN_twins", systems.AttnGAN, "fake_to_fake", "recaptioning"
    ),
    _in_stages("AttnGAN_partners", systems.AttnGAN, "fake_to_real", "unicl"),
    _with_memory("DMGAN"),
    _with_memory("DMGAN_partners", "supervised", "cross_entropy"),
    SystemRow(
        "GANINTCLS_twins",
        _with_readers(
            functools.partial(systems.GANINTCLS, gammas=(2.0, 2.0, 1.0)),
            *("words", "sentence", "fake_to_fake", "fake_to_real"),
            "recaptioning",
        ),
        (
            *("real", "wrong", "fake", "fool", "between"),
            *("words", "sentence", "fake_to_fake", "fake_to_real"),
            "recaptioning",
        ),
        is_sum_of_rows=False,
        batches=staged.batches,
    ),
    SystemRow(
        "Captioning",
        systems.Captioning,
        ("captioning",),
        order=("captioner",),
        is_sum_of_rows=False,  # It is a mean over words.
        players=tellers,
        has_pictures=False,
        has_draws=False,
        batches=read_batches,
    ),
    _reading("DAMSM", systems.DAMSM.TERMS[:4], masks_classes=True),
    _reading("DAMSM_nt_xent", reads_ids=True, contrast="nt_xent"),
    _reading("DAMSM_supervised", contrast="supervised"),
    _reading("DAMSM_cross_entropy", classes=3, contrast="cross_entropy"),
)

NETWORKS = (
    *(
        NetworkRow(name, module.generator, module.discriminator)
        for name, module in (
            ("gan_cls", networks.gan_cls),
            ("dcgan_cls", networks.dcgan_cls),
            ("df_gan", networks.df_gan),
            ("df_gan_2020", networks.df_gan_2020),
            ("ssa_gan", networks.ssa_gan),
        )
    ),
    *(
        NetworkRow(
            name,
            functools.partial(module.generator, base_size=8, condition_dim=3),
            module.discriminator,
        )
        for name, module in (
            ("attngan", networks.attngan),
            ("dm_gan", networks.dm_gan),
        )
    ),
    NetworkRow(
        "wgan_gp",
        functools.partial(networks.wgan_gp.generator, channels=3),
        functools.partial(networks.wgan_gp.discriminator, channels=3),
        sizes=(16, 28),
        refused=(5, 0),
        score="alone",
    ),
)


def pair(row, size=harness.SIZE, seed=0):
    """Builds a row's networks at toy width.

    Args:
        row: NetworkRow.
        size: int. Height and width of the pictures.
        seed: int. Where the weights start.

    Returns:
        {"generator", "discriminator"}.
    """
    keras.utils.set_random_seed(seed)
    common = {"image_size": size, "width": 4}
    if row.score == "matched":
        common["text_dim"] = harness.TEXT
    return {
        "generator": row.generator(noise_dim=harness.NOISE, **common),
        "discriminator": row.discriminator(**common),
    }


def by_name(rows):
    """Turns rows into parameters of a test.

    Args:
        rows: tuple of rows.

    Returns:
        List of (name, row).
    """
    return [(row.name, row) for row in rows]


def play(row, moves=3, *, replicas=1, first=0, **options):
    """Makes a row's system and plays some moves through `fit`.

    Args:
        row: SystemRow.
        moves: int. How many.
        replicas: int.
        first: int. The number of the first batch.
        **options: as for `assemble`.

    Returns:
        The system and the history of its logs.
    """
    system = assemble(row, replicas=replicas, **options)
    return system, go_on(system, row, moves, first)


def assemble(row, *, replicas=1, players=None, optimizers=None, **options):
    """Makes a row's system, compiled.

    Args:
        row: SystemRow.
        replicas: int.
        players: callable -> players; None means toys without statistics.
        optimizers: callable of players -> optimizers; None means plain
            gradient descent.
        **options: what `compile` takes goes there, the rest to the
            system.

    Returns:
        `systems.System`.
    """
    chosen = {k: options.pop(k) for k in _COMPILE if k in options}
    with harness.strategy(replicas).scope():
        system = row.make((players or row.players)(), **options)
        named = (optimizers or harness.sgd)(system.players)
        system.compile(named, **chosen)
    return system


def go_on(system, row, moves, first=0):
    """Plays more moves.

    Args:
        system: `systems.System`.
        row: SystemRow, which says what the batches hold.
        moves: int. How many.
        first: int. The number of the first batch.

    Returns:
        dict, term -> list of one float.
    """
    batches = drawn(row, first + moves)
    return system.fit(batches.skip(first), verbose=0, shuffle=False).history


def drawn(row, moves):
    """Draws batches that hold what a row's system needs.

    Args:
        row: SystemRow.
        moves: int. How many.

    Returns:
        `tf.data.Dataset`.
    """
    if row.batches is not None:
        return row.batches(moves)
    batches = harness.toy_batches(moves, wrong=row.wrong)
    if row.has_text:
        return batches
    return batches.map(
        lambda batch: {k: v for k, v in batch.items() if k != "sentence"}
    )


def averages(row):
    """Tells how a row's generator is averaged.

    Args:
        row: SystemRow.

    Returns:
        float; None where nobody draws.
    """
    return 0.9 if row.has_pictures else None


def adam(players):
    """Makes optimizers that remember.

    Args:
        players: iterable of names.

    Returns:
        dict, player -> `keras.optimizers.Adam`.
    """
    return {player: keras.optimizers.Adam(1e-3, 0.5) for player in players}


def state(system, books=()):
    """Copies all that a system must keep over a restart.

    Args:
        system: `systems.System`.
        books: names of variables that are left out.

    Returns:
        List of arrays.
    """
    # Keras's LSTM brings seeds along; nothing is drawn from them.
    strange = {"seed_generator_state", *books}
    kept = [v for v in system.variables if v.name not in strange]
    for optimizer in system.optimizers.values():
        kept += optimizer.variables
    return harness.snapshot(kept)


def examine_resume(test, row, **options):
    """Saves at move 2 and goes on elsewhere: the straight run, bit for bit.

    Args:
        test: `tf.test.TestCase`.
        row: SystemRow.
        **options: as for `assemble`.
    """
    options = dict(average_decay=averages(row), optimizers=adam) | options
    straight, _ = play(row, 4, **options)
    saved, _ = play(row, 2, **options)
    again = assemble(
        row,
        **options | {"players": lambda: row.players(seed=7)},
    )
    with tempfile.TemporaryDirectory() as folder:
        path = tf.train.Checkpoint(system=saved).write(f"{folder}/saved")
        reader = tf.train.Checkpoint(system=again).read(path)
        reader.assert_existing_objects_matched()
    go_on(again, row, 2, first=2)
    for ours, theirs in zip(state(again), state(straight), strict=True):
        test.assertAllEqual(ours, theirs)
    test.assertGreater(harness.distance(state(saved), state(straight)), 1e-4)


_COMPILE = ("xla", "run_eagerly", "micro_batches")
