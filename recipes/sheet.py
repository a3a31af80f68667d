"""Trains the cells of a sheet equally long, judges them, and goes on."""

import dataclasses
import json
import pathlib
import shutil
import subprocess

import keras
import numpy as np
import tensorflow as tf

from keras_t2i import callbacks
from keras_t2i.callbacks import journal
from keras_t2i.ops import files
from recipes import (
    cells,
    drawing,
    halves,
    judging,
    pace,
    streams,
    trained,
    training,
    wiring,
)

FILE, TABLE, PICTURE = "rows.jsonl", "sheet.md", "compare.png"
FILM = "compare.gif"
_SIDE = "side.png"
_ROOT = pathlib.Path(__file__).resolve().parents[1]
#: How cells are timed and judged, and in haste.
_WAY, _QUICK_WAY = pace.Way(), pace.Way(skipped=1, timed=2, rounds=1)
_HOW = judging.How(sampling=True, beside=False)
_QUICK_HOW = dataclasses.replace(_HOW, seeds=1, most=20, fast=True)


@dataclasses.dataclass(frozen=True)
class Run:
    """One training of one cell.

    Attributes:
        cell: its name.
        config: with the moves it plays and its seed.
        seed: how often the cell was trained before.
        least: moves after which all are judged: equal moves.
        folder: its run directory.
    """

    cell: str
    config: object
    seed: int
    least: int
    folder: pathlib.Path


@wiring.sharing()
def compare(
    sheet: cells.Sheet,
    workdir: pathlib.Path,
    minutes: float = 15.0,
    seeds: int = 1,
    quick: bool = False,
    command: str = "",
) -> str:
    """Trains all cells, each in a folder of its own, and judges them.

    What was timed, trained or judged before is not done again.

    Args:
        sheet: what is compared.
        workdir: the directory of all.
        minutes: how long each plays. Its moves are so many as fit in at the
            speed that was measured first, whole epochs; these are played,
            however long they take then.
        seeds: how often each is trained: all once, then all again.
        quick: seconds for minutes, and few pictures judged: shows the layout,
            not who is better.
        command: what was typed, for the rows.

    Returns:
        The table, which is also written to sheet.md.

    Raises:
        ValueError: if a cell can't be played or not even one epoch fits in,
            or the directory holds another comparison.
    """
    sheet = cells.quick(sheet) if quick else sheet
    ready = {}
    speeds = pace.measure(
        sheet.cells,
        workdir / pace.FILE,
        _QUICK_WAY if quick else _WAY,
        ready if quick else None,
        minutes=minutes,
        quick=quick,
    )
    runs = _plan(sheet, speeds, workdir, minutes, seeds, quick)
    for run in runs:
        training.check(run.config, run.folder)
    how = _QUICK_HOW if quick else _HOW
    how = dataclasses.replace(how, reader=wiring.text_encoder(sheet.reader))
    digests = _digests(sheet)
    rows = []
    for run in runs:
        terms = [run.cell, run.config.to_dict(), run.least, quick, digests]
        terms += _coaches(run.config)
        key = files.digest(json.dumps([*terms, how.reader.digest]))
        row = _find(workdir, key)
        if row is None:
            row = {
                "sheet": sheet.title,
                "cell": run.cell,
                "seed": run.seed,
                "minutes_each": minutes,
                "quick": quick,
                **speeds[run.cell],
                "config": run.config.to_dict(),
                "command": command,
                "commit": commit(),
                **_played(run, how, ready),
                "key": key,
            }
            files.append_line(workdir / FILE, json.dumps(row))
        rows.append(row)
        _lay_out(sheet, runs, rows, workdir)
    _bind(runs, workdir)
    return halves.table(rows)


def read(workdir: pathlib.Path) -> list[dict]:
    """Reads the rows of a comparison.

    Args:
        workdir: its directory.

    Returns:
        Rows, as `halves.table` takes them.
    """
    return files.read_lines(workdir / FILE)


def commit() -> str | None:
    """Finds which commit of this library runs.

    Returns:
        Its short name; None where it lies in no git checkout.
    """
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=_ROOT,
            capture_output=True,
            text=True,
        )
    except OSError:
        return None
    return done.stdout.strip() or None


def _plan(sheet, speeds, workdir, minutes, seeds, quick):
    """Counts each cell's moves; answers runs in the order they are played."""
    counts = {}
    for name, config in sheet.cells.items():
        ms, length = speeds[name]["ms_per_move"], config.train.moves_per_epoch
        seconds = minutes * (1 if quick else 60)
        counts[name] = pace.moves_in(config, seconds, ms)
        if not counts[name] and not quick:
            raise ValueError(
                f"An epoch of {name}, {length:,} moves of {ms:,.0f} ms, does "
                f"not fit into --minutes={minutes:g}."
            )
        counts[name] = counts[name] or length
    least = min(counts.values())
    return [
        Run(
            name,
            cells.planned(config, seed, counts[name]),
            seed,
            least,
            workdir / cells.folder(name, seed),
        )
        for seed in range(seeds)
        for name, config in sheet.cells.items()
    ]


def _digests(sheet):
    """Names the data, which all cells share."""
    config = next(iter(sheet.cells.values()))
    parts = ("train", "test")
    return [streams.source(config, part).digest for part in parts]


def _coaches(config):
    """Names those that a generator is to please."""
    pair, card = wiring.looker(config), wiring.captioner_card(config)
    found = [] if pair is None else [pair.text.digest, pair.image.digest]
    return [*found, (card or {}).get("weights")]


def _find(workdir, key):
    found = [row for row in read(workdir) if row.get("key") == key]
    return found[-1] if found else None


def _played(run, how, ready):
    """Trains and judges; answers what a row says of it."""
    config, moves = run.config, run.config.train.moves
    print(
        f"{run.cell}, seed {run.seed}: {moves:,} moves; all are judged after "
        f"{run.least:,}, too.",
        flush=True,
    )
    trade = _trade(run, ready.pop(run.cell, None))
    try:
        training.train(config, run.folder, trade=trade)
    except ArithmeticError as error:
        print(f"{run.cell} is out: {error}")
        return {"fault": str(error)}
    del trade
    judged = _judged(run, how)
    if not ready:  # Clearing would make those that wait compile again.
        keras.backend.clear_session(free_memory=True)
    return judged


def _trade(run, system):
    """Trains as ever, but spares one checkpoint; maybe a system is ready."""

    def around(*given):
        *others, keeper = training.around(*given)
        keeper = callbacks.Checkpoint(keeper.folder, spared=[run.least])
        return [*others, keeper]

    trade = dataclasses.replace(training.GENERATORS, around=around)
    if system is None:
        return trade
    return dataclasses.replace(trade, system=lambda *given: system)


def _judged(run, how):
    """Judges a cell where it ends and where all are compared; draws it."""
    last = run.config.train.moves
    asked = list(dict.fromkeys([last, run.least]))
    places = [run.folder / "checkpoints" / f"move_{m:08d}" for m in asked]
    for moves, place in zip(asked, places, strict=True):
        if not place.exists():
            raise ValueError(
                f"{run.folder} kept no checkpoint of move {moves:,}, where "
                "cells are compared now; remove that folder to train it again."
            )
    cache = run.folder / ".features"
    how = dataclasses.replace(how, cache=str(cache))
    judged = {}
    for found in trained.at_each(run.folder, places):
        if not judged:
            _draw(found.painter, run)
        judged[found.card["moves"]] = _scored(found, how, run)
    shutil.rmtree(cache, ignore_errors=True)
    return {"time": judged[last], "moves": judged[run.least]}


def _scored(found, how, run):
    """Words the scores of one checkpoint."""
    rows = list(judging.judge(found, how))
    moves, card = found.card["moves"], rows[0]["protocol"]
    played = [
        row
        for row in journal.read(run.folder / "metrics.jsonl")
        if row["move"] <= moves
    ]
    return {
        "moves": moves,
        "minutes": journal.minutes(played),
        "scores": {row["name"]: _score(row, card) for row in rows},
        "protocol": card,
    }


def _score(row, card):
    """Leaves of a judge's row what the card doesn't say."""
    kept = ("value", "values", "std", "interval", "sampling")
    own = {k: v for k, v in row["protocol"].items() if card.get(k) != v}
    return {key: row.get(key) for key in kept} | {"protocol": own}


def _draw(painter, run):
    """Draws the captions with the noise that every cell draws them with."""
    captions = list(run.config.samples.captions)
    drawn = drawing.paint(painter, captions, [0] * len(captions))
    strip = np.concatenate(list(drawn), axis=1)
    png = tf.io.encode_png(strip).numpy()
    files.atomic_write(run.folder / _SIDE, png)


def _lay_out(sheet, runs, rows, workdir):
    """Writes table and picture of what is there so far."""
    told = halves.table(rows)
    files.atomic_write(workdir / TABLE, f"{told}\n".encode())
    strips, captions = {}, ()
    for run in runs:
        path = run.folder / _SIDE
        if run.seed == 0 and path.exists():
            captions = list(run.config.samples.captions)
            strip = tf.io.decode_png(path.read_bytes()).numpy()
            parts = np.split(strip, len(captions), axis=1)
            strips[run.cell] = np.stack(parts)
    if strips:
        title = f"{sheet.title}: {halves.budget(rows[0])}"
        drawing.write_rows(workdir / PICTURE, strips, captions, title)


def _bind(runs, workdir):
    """Binds a film of all cells that were played."""
    drawn = {
        run.cell: sorted((run.folder / "samples").glob("move_*.png"))
        for run in runs
        if run.seed == 0
    }
    drawn = {cell: sheets for cell, sheets in drawn.items() if sheets}
    if drawn:
        drawing.write_film(workdir / FILM, drawn)
