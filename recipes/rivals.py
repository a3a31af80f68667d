"""Trains rival readers alike and lays their retrieval side by side."""

import dataclasses
import json
import pathlib
from collections.abc import Iterable

import keras
import numpy as np

from keras_t2i.metrics import evaluator, r_precision
from keras_t2i.ops import files
from recipes import agreeing, pretraining, reading, streams

FILE = "rows.jsonl"
RIDGE = "ridge map"
#: What a row is called -> what is added to DAMSM.
VARIANTS = {
    "DAMSM": None,
    "DAMSM + CL": "nt_xent",
    "DAMSM + SCL": "supervised",
    "DAMSM + UniCL": "unicl",
    "DAMSM + CE": "cross_entropy",
}
#: What a text side is called -> the entries of config.text.
TEXTS = {
    "MiniLM, projected": dict(encoder="minilm", head="linear"),
    "bi-LSTM": dict(encoder="bi_lstm"),
    "MiniLM, raw": dict(encoder="minilm", head="none"),
}
#: Whose vectors the ridge map aims at.
TEXTS_OF_RIDGE = "MiniLM, sentences"
_SHOWN = {
    "r_precision": "R-precision",
    "image_to_text_r1": "R@1, caption of picture",
    "text_to_image_r1": "R@1, picture of caption",
    "unknown_words": "unknown words",
}
_QUICK = 1  # epoch


@dataclasses.dataclass(frozen=True)
class Run:
    """One of the runs that are compared.

    Attributes:
        variant: a key of `VARIANTS`.
        text: a key of `TEXTS`.
        seed: of data order, draws and weights.
    """

    variant: str
    text: str
    seed: int

    @property
    def folder(self) -> str:
        """Where it lies in the directory of all."""
        words = f"{self.variant} {self.text} {self.seed}".lower()
        return "_".join("".join(filter(_is_plain, words)).split())


def plan(seeds: int) -> list[Run]:
    """Lists what is trained: all variants on each text side.

    Args:
        seeds: how often the first text side is trained; the others once.

    Returns:
        Runs, without DAMSM's variants on raw vectors.
    """
    first, learned, raw = TEXTS
    found = [
        Run(variant, first, seed)
        for seed in range(seeds)
        for variant in VARIANTS
    ]
    found += [Run(variant, learned, 0) for variant in VARIANTS]
    return [*found, Run("DAMSM", raw, 0)]


def compare(
    config, workdir: pathlib.Path, seeds: int = 3, quick: bool = False
) -> str:
    """Trains all rivals, each in a folder of its own, and measures them.

    What was trained or measured before is not done again.

    Args:
        config: made by `common.readers`; what all share.
        workdir: the directory of all.
        seeds: as for `plan`.
        quick: one epoch and one seed: shows the layout, not who is better.

    Returns:
        The table, which is also written to readers.md.

    Raises:
        ValueError: as `pretraining.train`.
    """
    if quick:
        seeds, length = 1, config.train.moves_per_epoch
        config.train.moves = min(config.train.moves, _QUICK * length)
    train, test = (streams.source(config, part) for part in ("train", "test"))
    _add(workdir, RIDGE, TEXTS_OF_RIDGE, 0, config, train, test, _of_ridge)
    for run in plan(seeds):
        own = changed(config, run)
        fault = reading.fault(own, train)
        if fault:
            print(f"{run.variant} is left out: {fault}")
            continue
        _add(
            workdir, run.variant, run.text, run.seed, own, train, test, _trained
        )
    told = table(read(workdir))
    files.atomic_write(workdir / "readers.md", f"{told}\n".encode())
    return told


def changed(config, run: Run):
    """Makes the config of one run.

    Args:
        config: what all share.
        run: which.

    Returns:
        The config.
    """
    own = config.copy_and_resolve_references()
    own.system.contrast = VARIANTS[run.variant]
    own.text.update(TEXTS[run.text])
    own.train.seed = run.seed
    return own


def read(workdir: pathlib.Path) -> list[dict]:
    """Reads the rows of a comparison.

    Args:
        workdir: its directory.

    Returns:
        Rows, as `table` takes them.
    """
    return files.read_lines(workdir / FILE)


def table(rows: Iterable[dict]) -> str:
    """Lays rows out for people: a line a variant and text side.

    Args:
        rows: each with "variant", "text", "data", "seed", "scores".

    Returns:
        Markdown: means over seeds and, of several, their standard deviation.
    """
    groups = {}
    for row in rows:
        key = row["data"], row["text"], row["variant"]
        groups.setdefault(key, []).append(row["scores"])
    lines = [["data", "captions read by", "trained as", "seeds"]]
    lines[0] += _SHOWN.values()
    lines.append(["---"] * len(lines[0]))
    for key, scores in groups.items():
        cells = [_cell([one.get(name) for one in scores]) for name in _SHOWN]
        lines.append([*key, str(len(scores)), *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _add(workdir, variant, text, seed, config, train, test, measure):
    """Measures what has no row yet."""
    card = _card(config, variant, train, test)
    key = files.digest(json.dumps([variant, text, seed, card], sort_keys=True))
    if any(row.get("key") == key for row in read(workdir)):
        return
    print(f"{variant}, {text}, seed {seed} ...", flush=True)
    run = Run(variant, text, seed)
    scores, minutes = measure(workdir / run.folder, config, train, test)
    row = {
        "variant": variant,
        "text": text,
        "data": f"{train.name.split('/')[0]}, {config.data.image_size} px",
        "seed": seed,
        "scores": scores,
        "minutes": minutes,
        "moves": 0 if variant == RIDGE else config.train.moves,
        "card": card,
        "key": key,
    }
    files.append_line(workdir / FILE, json.dumps(row))


def _trained(folder, config, train, test):
    system = pretraining.train(config, folder)
    pair = pretraining.finish(config, folder, system)
    keras.backend.clear_session(free_memory=True)
    return pair.card["scores"], pair.card["minutes"]


def _of_ridge(folder, config, train, test):
    return agreeing.ridge_scores(config, train, test), 0.0


def _card(config, variant, train, test) -> dict:
    """Says what was measured on what, and how."""
    config = config.to_dict()
    config["data"]["path"] = config["data"]["path"] and train.name
    if variant == RIDGE:
        config = {key: config[key] for key in ("data", "image")}
    return {
        "config": config,
        "data_digest": {"train": train.digest, "test": test.digest},
        "split": "test",
        "counts": {"reference": len(train), "candidate": len(test)},
        "captions": "each test picture's first",
        "candidates": min(r_precision.CANDIDATES, len(test)),
        "draws": list(evaluator.DRAWS),
        "versions": evaluator.versions(),
    }


def _cell(values) -> str:
    values = [value for value in values if value is not None]
    if not values:
        return "-"
    spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}"


def _is_plain(letter) -> bool:
    return letter.isalnum() or letter == " "
