"""Trains in a run directory: what all recipes that train share."""

import dataclasses
import functools
import json
import math
import os
import pathlib
import signal
import tempfile
from collections.abc import Callable

import tensorflow as tf

from keras_t2i import callbacks
from keras_t2i.metrics import evaluator, protocols
from keras_t2i.ops import files
from keras_t2i.weights import readers
from recipes import (
    cluster,
    judging,
    messages,
    stopping,
    streams,
    trained,
    wiring,
)
from recipes.configs import common

#: What a run leaves in its directory: folders and files.
_FOLDERS = ("best", "checkpoints", "samples", "tensorboard")
_FILES = (
    "changes.jsonl",
    "config.json",
    "curves.png",
    "data.json",
    "film.gif",
    "metrics.jsonl",
    "rollbacks.jsonl",
)
_OFFLINE = protocols.PRESETS["offline"]
#: What each roll-back leaves of the learning rates.
_SLOWER = 0.5


@dataclasses.dataclass(frozen=True)
class Trade:
    """Says how runs of one kind are made; the rest is the same for all.

    Attributes:
        template: callable, no arguments -> the config with its defaults.
        check: callable of a config; refuses what can't work.
        opened: callable of a config -> training pictures and what reads,
            which has a `digest`.
        system: callable of (config, pictures, reader, rate) -> compiled
            system.
        fits: callable of (config, pictures, system); refuses networks that
            don't fit the data.
        stream: callable of (config, pictures, reader, start_move=0,
            batches_per_move=1, shard=(0, 1)) -> endless dataset.
        around: callable of (config, workdir, system, pictures, reader) ->
            callbacks, `callbacks.Checkpoint` the last.
        rules: callable of a config -> callbacks that change how is learned,
            which every worker follows.
    """

    template: Callable
    check: Callable
    opened: Callable
    system: Callable
    fits: Callable
    stream: Callable
    around: Callable
    rules: Callable = lambda config: []


def train(
    config,
    workdir,
    *,
    accept_changes=False,
    strategy="none",
    replicas=None,
    trade=None,
):
    """Trains, or goes on training, until the config's count of moves.

    A run that meets a number that is not finite goes back to its last
    checkpoint, with half the learning rates, as often as
    config.train.rollbacks allows; each time is kept in rollbacks.jsonl.

    Args:
        config: the run's config.
        workdir: the run directory.
        accept_changes: bool. Whether a run goes on with another config or
            other data than it began with; what changed, and at which move,
            is then kept in changes.jsonl.
        strategy: as for `cluster.strategy`.
        replicas: as for `cluster.strategy`.
        trade: `Trade`; generators' if None.

    Returns:
        The trained system.

    Raises:
        ValueError: if the config can't be played, or the directory holds a
            run of another one or on other data; nothing is written then.
        OSError: if the directory can't be written.
        ArithmeticError: if a number is not finite, naming where, and the run
            may not go back or several machines play.
        ConnectionError: if another worker is gone.
    """
    workdir, trade = pathlib.Path(workdir), trade or GENERATORS
    check(config, workdir, accept_changes=accept_changes, trade=trade)
    played = cluster.strategy(strategy, replicas)
    cost = callbacks.Cost(config.train.batch_size, config.train.moves)
    count = len(files.read_lines(workdir / "rollbacks.jsonl"))
    while True:
        try:
            return _train(
                config, workdir, accept_changes, played, cost, count, trade
            )
        except ArithmeticError as error:
            count += 1
            _roll_back(config, workdir, played, error, count)


def _train(config, workdir, accept_changes, played, cost, rollbacks, trade):
    is_chief = cluster.is_chief(played)
    pictures, encoder = trade.opened(config)
    data = _data_of(pictures, encoder)
    facts = {
        **_named(config),
        **data,
        "count of roll-backs": rollbacks,
        "newest checkpoint in --workdir, which all must share": "move "
        f"{callbacks.newest(workdir / 'checkpoints')}",
    }
    with cluster.telling(played):
        cluster.agree(played, facts)
    rate = _SLOWER**rollbacks
    with played.scope():
        system = trade.system(config, pictures, encoder, rate)
    data |= _looked_at(system)
    changes = data_changes(data, workdir)
    _refuse(changes, workdir, accept_changes)
    changes = config_changes(config, workdir, trade) + changes
    _check_rows(config, system, played)
    trade.fits(config, pictures, system)
    start = callbacks.restore(system, workdir / "checkpoints")
    announce(config, workdir, system, pictures, start, played)
    if rate != 1.0:
        print(f"Learning rates are {rate:g} times the config's (roll-backs).")
    stream = functools.partial(
        trade.stream,
        config,
        pictures,
        encoder,
        batches_per_move=system.batches_per_move,
    )
    stream(start_move=start)  # Refuses what can't be streamed.
    batches = functools.partial(cluster.batches, played, stream)
    if not is_chief:
        rules = trade.rules(config)
        return _follow(system, batches, config, start, workdir, rules)
    if changes:
        row = {"move": start, "changes": changes}
        files.append_line(workdir / "changes.jsonl", json.dumps(row))
    if start <= config.train.moves:
        write_config(config, workdir)
        _write_json(data, workdir / "data.json")
    observers = trade.around(config, workdir, system, pictures, encoder)
    observers = [cost, *trade.rules(config), *observers]
    try:
        stopped = play(system, batches, config, start, observers)
    except ArithmeticError:
        raise  # It may go back.
    except BaseException as error:
        _forget(workdir)
        _add_last(workdir, error)
        raise
    made = int(system.moves.numpy())
    if stopped:
        _leave(stopped, made, workdir, played)
    print(f"{made:,} moves made; all lies in {workdir}")
    return system


def _leave(stopped, made, workdir, played):
    """Says that all is saved and ends the command as the signal asked."""
    if cluster.workers(played) > 1:  # The others' may still be on its way.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(
        f"Stopped by {stopped.name} after move {made:,}; it is saved in "
        f"{workdir}, and the same command goes on from there.",
        flush=True,
    )
    raise SystemExit(128 + stopped)


def _add_last(workdir, error):
    """Adds to what the disk says which checkpoint is whole."""
    kept = sorted((workdir / "checkpoints").glob("move_????????"))
    is_named = "is whole" in str(error) or isinstance(error, ConnectionError)
    if isinstance(error, OSError) and kept and not is_named:
        raise OSError(f"{files.reason(error)}. {kept[-1]} is whole.") from error


def _roll_back(config, workdir, played, error, count):
    """Notes that the run is to go back, or raises why it stops."""
    if count > config.train.rollbacks:
        if cluster.is_chief(played):
            _forget(workdir)
        raise error
    rate = _SLOWER**count
    sentence = (
        f"{error} The run goes back to its last checkpoint, with learning "
        f"rates {rate:g} times the config's ({count} of "
        f"{config.train.rollbacks} times allowed)."
    )
    if cluster.is_chief(played):
        row = json.dumps({"fault": str(error), "rate": rate})
        files.append_line(workdir / "rollbacks.jsonl", row)
    if cluster.workers(played) > 1:
        raise ArithmeticError(
            f"{sentence} Start the same command on every machine again."
        ) from error
    print(sentence)


def _forget(workdir):
    """Lets a directory without a checkpoint take another config."""
    if not callbacks.newest(workdir / "checkpoints"):
        for name in _FILES:
            (workdir / name).unlink(missing_ok=True)


def best(config, workdir, measure, is_lower_better) -> list:
    """Lists what keeps the best checkpoints, if the config asks for them.

    Args:
        config: the run's config.
        workdir: the run directory.
        measure: callable, no arguments -> (callable, no arguments -> dict of
            scores); called only if there is something to measure.
        is_lower_better: bool. Whether a low score is a good one.

    Returns:
        `callbacks.Best`, or nothing.
    """
    section = config.best
    if not section.keep and not section.moves:
        return []
    keeper = callbacks.Best(
        workdir / "best",
        measure(),
        section.by,
        every=section.moves or section.every * config.train.moves_per_epoch,
        is_lower_better=is_lower_better,
        keep=section.keep,
        lines=workdir / "metrics.jsonl",
        writer=tf.summary.create_file_writer(
            os.fspath(workdir / "tensorboard")
        ),
    )
    return [keeper]


def around(config, workdir, system, pictures, encoder) -> list:
    """Lists what goes on around the moves of a generator.

    Args:
        config: the run's config.
        workdir: the run directory.
        system: the compiled system.
        pictures: the training pictures.
        encoder: what `wiring.text_encoder` gave.

    Returns:
        Callbacks. What keeps weights comes after what refuses bad ones, and
        the checkpoint after all that it counts as done.
    """

    def glance():
        most = config.best.pictures
        return judging.glance(config, system, pictures, encoder, most)

    is_lower_better = config.best.by.startswith(("fid", "kid"))
    writer = tf.summary.create_file_writer(os.fspath(workdir / "tensorboard"))
    captions = config.samples.captions
    return [
        callbacks.SampleGrid(
            workdir / "samples",
            workdir / "film.gif",
            captions,
            noises=config.samples.noises,
            every=config.samples.every,
            writer=writer,
        ),
        callbacks.Journal(
            workdir / "metrics.jsonl", workdir / "curves.png", writer=writer
        ),
        callbacks.Health(writer=writer, captions=captions or [""]),
        *best(config, workdir, glance, is_lower_better),
        callbacks.Checkpoint(workdir / "checkpoints"),
    ]


def _follow(system, batches, config, start, workdir, rules):
    """Plays as a worker that is not the chief: what it saves goes nowhere."""
    with tempfile.TemporaryDirectory() as nowhere:
        keeper = callbacks.Checkpoint(nowhere, keep=1)
        observers = [*rules, callbacks.Health(), keeper]
        stopped = play(system, batches, config, start, observers)
    if stopped:
        made = int(system.moves.numpy())
        _leave(stopped, made, workdir, system.distribute_strategy)
    return system


def play(system, batches, config, start, observers):
    """Runs `fit` from where the run stands.

    A run that is complete plays no move, but its film and curves are made
    again: they may have been cut off.

    Args:
        system: the compiled system.
        batches: callable of a move -> endless dataset that begins there.
        config: the run's config.
        start: moves already made. If that is in the middle of an epoch, the
            rest of it is played first.
        observers: callbacks.

    Returns:
        The `signal.Signals` that stopped it, or None.
    """
    length = config.train.moves_per_epoch
    played = system.distribute_strategy

    def fit(start, epochs, steps):
        try:
            with cluster.telling(played):
                system.fit(
                    batches(start),
                    initial_epoch=start // length,
                    epochs=epochs,
                    steps_per_epoch=steps,
                    callbacks=[*observers, stopper],
                    shuffle=False,
                )
        except BaseException:
            print(flush=True)  # Else the sentence stands behind the bar.
            raise
        return stopper.signal

    begun = start % length
    with stopping.Stopping(cluster.any_of(played)) as stopper:
        if begun and start < config.train.moves:
            system.keeps_trackers = True
            if fit(start, start // length + 1, length - begun):
                return stopper.signal
            start += length - begun
        return fit(start, config.train.moves // length, length)


def check(config, workdir: pathlib.Path, *, accept_changes=False, trade=None):
    """Refuses what can't work before anything slow starts.

    Args:
        config: the run's config.
        workdir: the run directory.
        accept_changes: as for `train`.
        trade: as for `train`.

    Raises:
        ValueError: if the directory holds a run of another config, naming
            the first key that differs, or is a file, or something else lies
            where the run writes, or a count is wrong.
    """
    trade = trade or GENERATORS
    _check_moves(config.train)
    trade.check(config)
    for place in (workdir, *workdir.parents):
        if place.exists() and not place.is_dir():
            raise ValueError(f"--workdir={workdir}: {place} is a file.")
    _check_kinds(workdir)
    changes = config_changes(config, workdir, trade)
    _refuse(changes, workdir, accept_changes)


def _check_moves(train):
    moves, length = train.moves, train.moves_per_epoch
    if length < 1 or moves < 1 or moves % length:
        raise ValueError(
            f"config.train.moves is {moves} and moves_per_epoch {length}; "
            "allowed: whole numbers above 0, the first a multiple of the "
            "second."
        )


def _check_generators(config):
    _check_samples(config.samples, config.text.encoder != "none")
    _check_best(config.best, config.text.encoder)


def _check_samples(samples, is_read):
    counts = (len(samples.captions), samples.noises, samples.every)
    if min(counts if is_read else counts[1:]) < 1:
        raise ValueError(
            "config.samples has {} captions, noises {} and every {}; allowed: "
            "1 and more of each.".format(*counts)
        )


def _check_best(best, reader):
    moves = 1 if best.moves is None else best.moves
    needs_others = best.by.startswith(evaluator.NEIGHBOURS)
    least = evaluator.NEAREST + 1 if needs_others else 2
    if best.keep < 0 or min(best.every, moves) < 1 or best.pictures < least:
        raise ValueError(
            f"config.best has keep {best.keep}, moves {best.moves}, every "
            f"{best.every} and pictures {best.pictures}; allowed: 0, 1, 1 and "
            f"{least} and more."
        )
    measured = {f"{x}_lite0" for x in _OFFLINE.figures if x != "r_precision"}
    names = {"none": (), "damsm": [f"damsm_{x}" for x in readers.TEXTS]}
    names = names.get(reader, (reader,))  # A pair has its text side's name.
    measured |= {f"r_precision_lite0_{name}" for name in names}
    messages.choose("config.best.by", best.by, dict.fromkeys(measured))


def _opened(config):
    pictures = streams.source(config, "train")
    encoder = wiring.text_encoder(config)
    encoder.check(list(config.samples.captions))
    return pictures, encoder


def _check_colours(config, pictures, system):
    """Refuses networks that can't draw what the data hold."""
    for player, inside in (("generator", "output"), ("discriminator", "input")):
        held = getattr(system.players[player], inside)["image"].shape[-1]
        if held != pictures.channels:
            raise ValueError(
                f"Pictures of {pictures.name} have {pictures.channels} "
                f"colour(s), those of the {player} {held}: set "
                f"config.networks.{player}.channels, if it takes that."
            )


def _check_fits(config, pictures, system):
    _check_colours(config, pictures, system)
    _check_classes(config, pictures, system)


def _check_classes(config, pictures, system):
    """Refuses readers that tell fewer classes than the pictures have."""
    compared = system.contrasts
    if "cross_entropy" not in compared.used:
        return
    told = compared.class_head.output["image"].shape[-1]
    count = int(pictures.labels.max()) + 1
    if count > told:
        raise ValueError(
            "config.loss_weights.cross_entropy is not 0, but the readers "
            f"tell {told} classes, and pictures of {pictures.name} have "
            f"{count}: take readers trained on these "
            f"(config.data.labels is {config.data.get('labels')!r})."
        )


def _check_kinds(workdir):
    """Refuses files where folders will lie, and folders for files."""
    kinds = [(name, "a file", pathlib.Path.is_dir) for name in _FOLDERS]
    kinds += [(name, "a folder", pathlib.Path.is_file) for name in _FILES]
    for name, wrong, is_right in kinds:
        place = workdir / name
        if place.exists() and not is_right(place):
            raise ValueError(
                f"{place} is {wrong}, and no run made it; move it away or "
                "take another --workdir."
            )


def write_config(config, workdir: pathlib.Path):
    """Writes down what is trained, before the first move.

    Args:
        config: the run's config.
        workdir: the run directory; made if missing.

    Raises:
        OSError: if it can't be written.
    """
    _write_json(json.loads(config.to_json()), workdir / "config.json")


def announce(config, workdir, system, pictures, start, played):
    """Prints what will run, and where.

    Args:
        config: the run's config.
        workdir: the run directory.
        system: the compiled system.
        pictures: the training pictures.
        start: moves already made.
        played: the strategy.
    """
    sizes = ", ".join(f"{name} {n:,}" for name, n in sizes_of(system).items())
    rows = config.train.batch_size * system.batches_per_move
    print(
        f"{config.system.name} (trainable parameters: {sizes}) on "
        f"{len(pictures):,} pictures of {pictures.name} at "
        f"{config.data.image_size} px; "
        f"{config.train.moves:,} moves of {rows} pictures "
        f"in {config.train.precision} on {cluster.devices(played)}; run "
        f"directory {workdir}"
    )
    for name, section in config.optimizers.items():
        if section.halve_every > config.train.moves:
            print(
                f"The learning rate of the {name} would be halved every "
                f"{section.halve_every:,} moves, after this run's end."
            )
    if start >= config.train.moves:
        print(f"The run already has {start:,} moves; nothing is to do.")
    elif start:
        print(f"Going on from move {start:,}.")


def sizes_of(system) -> dict[str, int]:
    """Counts what each player may learn.

    Args:
        system: the system.

    Returns:
        dict, player -> trainable parameters.
    """
    return {
        name: sum(math.prod(v.shape) for v in player.trainable_weights)
        for name, player in system.players.items()
    }


def _named(config) -> dict:
    return {f"config.{k}": v for k, v in _flat(config.to_dict()).items()}


def _check_rows(config, system, played):
    rows = config.train.batch_size * system.batches_per_move
    count = played.num_replicas_in_sync
    if rows % count:
        raise ValueError(
            f"A move takes {rows} pictures (config.train.batch_size is "
            f"{config.train.batch_size}), which {count} replicas can't share "
            f"evenly: choose a batch size divisible by {count}."
        )


def config_changes(config, workdir, trade) -> list[str]:
    """Lists what the config changes in a run that stands.

    Args:
        config: the run's config.
        workdir: the run directory.
        trade: `Trade`.

    Returns:
        A sentence's part for each key that differs. What only watches is
        free, and so are the moves, unless a learning rate falls by them.
    """
    if not (workdir / "config.json").exists():
        return []
    kept = trained.read_config(workdir, trade.template)
    ours, theirs = _flat(config.to_dict()), _flat(kept.to_dict())
    free = {"train.rollbacks"}
    if not any(_is_stretched(each) for each in config.optimizers.values()):
        free.add("train.moves")
    free |= {key for key in (*ours, *theirs) if key.startswith("best.")}
    return _differences(ours, theirs, "config.", free)


def _is_stretched(optimizer) -> bool:
    """Whether the learning rate reaches 0 when the run ends."""
    return bool(optimizer.get("decay")) and not optimizer.get("decay_moves")


def data_changes(data, workdir) -> list[str]:
    """Lists what else than the config changes in a run that stands.

    Args:
        data: dict of what the run is trained on now.
        workdir: the run directory.

    Returns:
        A sentence's part for each fact that differs.
    """
    path = workdir / "data.json"
    if not path.exists():
        return []
    return _differences(data, json.loads(path.read_text()), "the ")


def _data_of(pictures, encoder) -> dict:
    return {
        "training set": pictures.name,
        "count of training pictures": len(pictures),
        "digest of the training pictures": pictures.digest,
        "digest of the reader of captions": encoder.digest,
    }


def _looked_at(system) -> dict:
    """Who looks at fakes, of systems that let somebody."""
    readers = {
        "digest of the reader of pictures": system.contrasts.image_reader,
        "digest of the captioner": system.contrasts.captioner,
    }
    digests = {k: getattr(x, "digest", None) for k, x in readers.items()}
    return {key: digest for key, digest in digests.items() if digest}


def _differences(ours, theirs, prefix, free=()) -> list[str]:
    ours, theirs = (json.loads(json.dumps(each)) for each in (ours, theirs))
    return [
        f"{prefix}{key} = {theirs.get(key)}; now it is {ours.get(key)}"
        for key in sorted((set(ours) | set(theirs)) - set(free))
        if ours.get(key) != theirs.get(key)
    ]


def _refuse(changes, workdir, accept_changes):
    if changes and not accept_changes:
        raise ValueError(
            f"{workdir} holds a run with {changes[0]}. Take another "
            "--workdir, or the old value; or go on all the same with "
            "--accept_changes."
        )


def _write_json(value, path):
    text = json.dumps(value, indent=1, sort_keys=True)
    files.atomic_write(path, text.encode())


def _flat(tree, prefix=""):
    flat = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


#: How generators are trained.
GENERATORS = Trade(
    template=common.base,
    check=_check_generators,
    opened=_opened,
    system=lambda config, pictures, encoder, rate: wiring.system(
        config, encoder, rate
    ),
    fits=_check_fits,
    stream=streams.dataset,
    around=around,
)
