r"""Times a system's moves on drawn numbers: no data, no text encoder.

    python tools/time_step.py --config=recipes/configs/gan_cls_cub.py:paper
    python tools/time_step.py --config=recipes/configs/openmoji.py:small --ways

A move is what `fit` plays: every player's descent, the average, the logs.
Terms that ask a frozen reader of pictures (AttnGAN's words and sentence, and
contrasts) are left out, but with --readers, which draws its weights; two
branches are played either way.
--parts tells how long each player's descents take, or, of readers
(recipes/configs/damsm_cub.py), their parts. --terms plays the config without
what its own readers and captioner are asked for, then with each of these terms
alone, then with all that it weighs. --ways plays the config in
float32 and bfloat16, without and with XLA, on 1 and 2 replicas, each in a
process of its own. The last line is JSON; the times are milliseconds, the
memory gigabytes at its highest, of the graphics processor or, without one, of
the whole process.
"""

import itertools
import json
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

import tensorflow as tf  # noqa: E402
from absl import flags  # noqa: E402

from keras_t2i.data import batch as glossary  # noqa: E402
from keras_t2i.encoders import heads, pairs  # noqa: E402
from keras_t2i.ops import memory, noise  # noqa: E402
from keras_t2i.systems import contrasts  # noqa: E402
from recipes import cluster, messages, pace, streams, wiring  # noqa: E402
from recipes.configs import damsm_cub  # noqa: E402
from tools import reader_steps  # noqa: E402

_CONFIG = messages.config(
    "recipes/configs/openmoji.py", "The config file, and its scale."
)
_BATCH = flags.DEFINE_integer(
    "batch_size", None, "Pictures a move; else the config's.", lower_bound=1
)
_MOVES = flags.DEFINE_integer("moves", 20, "Moves timed.", lower_bound=1)
_WARMUP = flags.DEFINE_integer(
    "warmup", 3, "Moves before, the first of which compiles.", lower_bound=1
)
_REPLICAS = flags.DEFINE_integer("replicas", 1, "Replicas.", lower_bound=1)
_XLA = flags.DEFINE_bool("xla", None, "With XLA; else as the config says.")
_PRECISION = flags.DEFINE_string(
    "precision", None, "float32, mixed_bfloat16 or mixed_float16."
)
_PARTS = flags.DEFINE_bool("parts", False, "Split the time by descents.")
_WAYS = flags.DEFINE_bool("ways", False, "Time eight ways of playing.")
_READERS = flags.DEFINE_bool(
    "readers",
    False,
    "With terms that ask a frozen reader of pictures, of drawn weights.",
)
_TERMS = flags.DEFINE_bool(
    "terms", False, "Time each term that the config's own readers answer."
)
_TEXT_DIM = flags.DEFINE_integer(
    "text_dim", None, "Length of sentences; else the config's reader's."
)

_SECONDS = tuple(contrasts.SECONDS.items())
_TEXT_DIMS = {"damsm": 256, "minilm": 384, "letters": 16, "none": None}


def main(_):
    """Times from the flags."""
    if _WAYS.value:
        rows = [_elsewhere(*way) for way in _ways()]
        print(_table(rows))
        print(json.dumps({"ways": rows}))
        return
    imports = _peak_gb()
    if _TERMS.value:
        rows = _by_terms(_config())
        print("\n".join(f"{r['terms']:>40}  {r['ms a move']} ms" for r in rows))
        print(json.dumps({"ways": rows}))
        return
    config = _config()
    played = (
        cluster.strategy("mirrored", _REPLICAS.value)
        if _REPLICAS.value > 1
        else cluster.strategy("none")
    )
    watch = _times(config, played)
    seconds = watch.seconds
    pictures = config.train.batch_size * watch.model.batches_per_move
    first, rest = seconds[0], seconds[_WARMUP.value :]
    median = statistics.median(rest)
    row = {
        "config": str(flags.FLAGS["config"].config_filename),
        "ms_per_move": _ms(median),
        "ms_min": _ms(min(rest)),
        "ms_max": _ms(max(rest)),
        "pictures_per_s": round(pictures / median, 2),
        "compile_s": round(max(first - median, 0.0), 2),
        "peak_gb": _peak_gb(memory.usage()),
        "imports_gb": imports,
        "batch_size": config.train.batch_size,
        "moves": _MOVES.value,
        "xla": bool(config.train.xla),
        "replicas": played.num_replicas_in_sync,
        "precision": config.train.precision,
    }
    if _PARTS.value and _is_of_readers(config):
        drawn_once = reader_steps.batch(config, watch.model)
        split = reader_steps.parts(watch.model, drawn_once, median)
        row["parts_ms"] = split
    elif _PARTS.value:
        row["parts_ms"] = parts(config, played, median)
    print(_table([row]))
    print(json.dumps(row))


def _by_terms(config) -> list[dict]:
    """Times moves with none, one and all of the terms that readers answer."""
    weighed = {t: config.loss_weights.get(t) for t in contrasts.TERMS}
    weighed = {term: weight for term, weight in weighed.items() if weight}
    if not weighed:
        raise ValueError(
            "--terms times what readers and a captioner are asked for, and "
            "the config weighs none of it: take another scale or set weights."
        )
    choices = {"none": {}, **{t: {t: w} for t, w in weighed.items()}}
    choices[" + ".join(weighed)] = weighed
    words = {prefix: word for word, prefix in _SECONDS}
    config.system.branches = words.get(streams.second_branch(config))
    rows, base = [], None
    for name, weights in choices.items():
        nothing = dict.fromkeys(weighed, 0.0)
        config.loss_weights.update({**nothing, **weights})
        watch = _times(config, cluster.strategy("none"))
        median = statistics.median(watch.seconds[_WARMUP.value :])
        base = base or median
        row = {"terms": name, "ms a move": _ms(median)}
        rows.append({**row, "times none": round(median / base, 2)})
    return rows


def drawn(config, system) -> tf.data.Dataset:
    """Draws one batch like the config's and hands it out again and again.

    Args:
        config: the run's config.
        system: the system that it feeds.

    Returns:
        Endless dataset.
    """
    if _is_of_readers(config):
        batch = reader_steps.batch(config, system)
        return tf.data.Dataset.from_tensors(batch).repeat()
    shape = system.players["discriminator"].input["image"].shape
    branch = streams.second_branch(config)
    spec = glossary.element_spec(
        batch_size=config.train.batch_size * system.batches_per_move,
        image_size=config.data.image_size,
        channels=shape[-1],
        text_dim=_Reader(config).dim,
        mismatch=config.data.mismatch,
        sizes=wiring.smaller_sizes(config),
        max_words=config.data.max_words,
        words="vectors",
        twins=branch == "twin_",
        partners="label" if branch == "partner_" else None,
    )
    batch = {
        name: _drawn(name, place)
        for name, place in spec.items()
        if place.dtype != tf.string
    }
    if system.contrasts.captioner is not None:
        batch |= _captions(batch, system.contrasts.captioner)
    return tf.data.Dataset.from_tensors(batch).repeat()


def _captions(batch, captioner):
    """Draws captions of any words of a captioner's, for each branch."""
    many = len(captioner.vocabulary)
    return {
        f"{key.removesuffix('mask')}caption": 1
        + tf.reshape(tf.range(tf.size(mask)), mask.shape) % many
        for key, mask in batch.items()
        if key.endswith("mask")
    }


def _drawn(name, place):
    if place.dtype == tf.float32:
        return tf.tanh(noise.normal(noise.key(0, salt=name), place.shape))
    if place.dtype == tf.bool:
        return tf.ones(place.shape, tf.bool)
    return tf.range(place.shape[0], dtype=place.dtype)


def parts(config, played, whole) -> dict[str, float]:
    """Splits a move's time: what is left when later descents are left out.

    Args:
        config: the run's config.
        played: the strategy.
        whole: seconds of a whole move.

    Returns:
        dict, descent -> milliseconds: fakes, forward and backward passes and
        the optimizer's step; "finish" is the rest: the average, what replicas
        agree on, and what the last descent's neighbours share with it.
    """
    names, before = [], 0.0
    _times(config, played, 0, names)
    found = {}
    for count in range(1, len(names) + 1):
        watch = _times(config, played, count)
        median = statistics.median(watch.seconds[_WARMUP.value :])
        player = names[count - 1]
        player = player if isinstance(player, str) else "+".join(player)
        found[f"{count} {player}"] = _ms(median - before)
        before = median
    found["finish"] = _ms(whole - before)
    return found


def _times(config, played, descents=None, names=None):
    """Plays moves and watches them.

    Args:
        config: the run's config.
        played: the strategy.
        descents: play only so many descents of each move; None plays all.
        names: list that takes the players' names, one a descent.

    Returns:
        `pace.Watch`.
    """
    with played.scope():
        system = _system(config)
    batches = drawn(config, system)
    if descents is not None:
        _cut(system, descents, [] if names is None else names)
    watch = pace.Watch()
    moves = _WARMUP.value + _MOVES.value if descents != 0 else 1
    system.fit(batches, steps_per_epoch=moves, verbose=0, callbacks=[watch])
    return watch


def _system(config):
    if _is_of_readers(config):
        return reader_steps.system(config, _TEXT_DIM.value or 384)
    readers = {}
    if _TERMS.value:
        return wiring.system(config, _Reader(config))
    if _READERS.value:
        dim = _Reader(config).dim
        readers["image_reader"] = _looking(dim)
        readers["class_head"] = heads.classes(dim, 200)
    return wiring.system(config, _Reader(config), readers=readers)


def _looking(dim):
    """The picture side of AttnGAN's readers, of drawn weights."""
    config = damsm_cub.get_config()
    config.text.width = dim
    system = reader_steps.system(config)
    return pairs.ImageReader(system.players["image"], "drawn", "drawn")


def _is_of_readers(config):
    return config.system.name == "DAMSM"


def _cut(system, count, names):
    descend, play = system.descend, system.train_step

    def counted(player, *how, **more):
        names.append(player)
        if len(names) <= count:
            descend(player, *how, **more)
        else:  # Whoever shows fakes comes last, and is not heard.
            system.contrasts.used = []

    def step(batch):
        names.clear()
        return play(batch)

    system.descend, system.train_step = counted, step


class _Reader:
    """Stands for a reader of captions: its length is all that counts."""

    digest = "drawn"

    def __init__(self, config):
        encoder = config.text.encoder
        known = messages.choose("config.text.encoder", encoder, _TEXT_DIMS)
        self.dim = _TEXT_DIM.value or known


def _config():
    config = _CONFIG.value
    if wiring.is_tuned(config):
        raise ValueError(
            "Readers that go on learning read drawn numbers of nobody: time "
            "the config without `tuned`, and readers by their own config."
        )
    with config.unlocked():
        has_readers = _READERS.value or _TERMS.value
        if not has_readers and not _is_of_readers(config):
            # What is compared needs readers; branches are played without.
            words = {prefix: word for word, prefix in _SECONDS}
            config.system.branches = words.get(streams.second_branch(config))
            asking = set(contrasts.TERMS)
            kinds = wiring.systems_by_name()
            kind = messages.choose(
                "config.system.name", config.system.name, kinds
            )
            left = dict.fromkeys(asking & set(kind.TERMS), 0.0)
            config.loss_weights.update(left)
        if _BATCH.value:
            config.train.batch_size = _BATCH.value
        if _XLA.value is not None:
            config.train.xla = _XLA.value
        if _PRECISION.value:
            config.train.precision = _PRECISION.value
    return config


def _ways():
    precisions = ("float32", "mixed_bfloat16")
    return itertools.product(precisions, (False, True), (1, 2))


def _elsewhere(precision, xla, replicas):
    words = [w for w in sys.argv[1:] if not w.startswith("--ways")]
    words += [f"--precision={precision}", f"--xla={xla}"]
    words += [f"--replicas={replicas}"]
    done = subprocess.run(
        [sys.executable, os.path.abspath(__file__), *words],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise OSError(f"{' '.join(words)} failed: {done.stderr[-1000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _table(rows) -> str:
    keys = (
        "precision",
        "xla",
        "replicas",
        "ms_per_move",
        "ms_min",
        "ms_max",
        "pictures_per_s",
        "compile_s",
        "peak_gb",
    )
    lines = ["  ".join(f"{key:>14}" for key in keys)]
    for row in rows:
        lines.append("  ".join(f"{row[key]!s:>14}" for key in keys))
        for name, ms in row.get("parts_ms", {}).items():
            lines.append(f"{name:>28}  {ms} ms")
    return "\n".join(lines)


def _ms(seconds) -> float:
    return round(1e3 * seconds, 1)


def _peak_gb(usage=None) -> float:
    """The fullest graphics processor's peak, or this process's."""
    found = [u.peak for n, u in (usage or {}).items() if n.startswith("GPU")]
    peak = max(found, default=memory.resident())
    return round(peak / 1.024e9, 3)  # in millions of KiB


if __name__ == "__main__":
    messages.run(main)
