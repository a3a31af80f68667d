"""Sums up in a manifest what became of the rows of a plan."""

import collections
import hashlib
import pathlib

from keras_t2i.data import prepared
from tools.preparing import asked, plan, report, rows


def manifest(
    found: plan.Plan,
    settings: asked.Settings,
    refused: list[tuple[str, str]],
    dropped: dict[str, int],
    done: list[tuple[rows.Shard, dict]],
):
    """Sums up a set.

    Args:
        found: the plan.
        settings: what was asked for.
        refused: (file, reason) of items without a row.
        dropped: how often captions were left out, by reason.
        done: each shard with what its worker told: records, bytes, sha256,
            refused (place, reason), mended.

    Returns:
        The manifest (without hashes of indices), the vocabulary, and (file,
        reason) of all that was refused.

    Raises:
        ValueError: if no picture is left.
    """
    refused, kept, mended = list(refused), [], collections.Counter()
    splits = {}
    for shard, told in done:
        bad = dict(told["refused"])
        for place, row in enumerate(shard.rows):
            if place in bad:
                name = rows.shown(row.item.picture, settings.source)
                refused.append((name, bad[place]))
            else:
                kept.append(row)
        mended.update(told["mended"])
        if told["records"]:
            splits.setdefault(shard.split, []).append(told)
    if not kept:
        raise ValueError(_nothing(refused, settings))
    counts, lengths, words = report.counts(
        [(row.item.split, row.captions, row.own) for row in kept],
        found.vocabulary,
    )
    present = {c for row in kept for c in (row.item.label, *row.item.labels)}
    counts |= {
        "classes": len(present - {-1}),
        "several_classes": sum(len(row.item.labels) > 1 for row in kept),
    }
    per_picture = len(kept[0].captions)
    hashes = [told["sha256"] for part in splits.values() for told in part]
    answer = {
        "format": prepared.FORMAT,
        "name": found.name,
        "about": found.about,
        "settings": {
            "source": pathlib.PurePath(settings.source).name,
            "size": settings.size,
            "min_size": settings.min_size,
            "limit": settings.limit,
            "seed": settings.seed,
        },
        "captions_per_picture": per_picture,
        "multi_label": found.multi_label,
        "class_names": list(found.class_names),
        "vocabulary": len(words),
        "counts": counts,
        "known": found.known,
        "caption_words": lengths,
        "captions_dropped": dropped,
        "mended": dict(mended.most_common()),
        "refused": _reasons(refused),
        "refused_first": [list(pair) for pair in refused[: report.LISTED]],
        "notes": found.notes,
        "config": list(found.config),
        "splits": {
            split: _part(split, part, per_picture)
            for split, part in splits.items()
        },
        "samples": _samples(kept),
        "digest": hashlib.sha256("".join(hashes).encode()).hexdigest(),
    }
    return answer, words, refused


def _part(split: str, part: list[dict], per_picture: int) -> dict:
    pictures_ = sum(told["records"] for told in part)
    return {
        "pictures": pictures_,
        "captions": pictures_ * per_picture,
        "shards": [
            {
                "file": rows.file_name(split, number, len(part)),
                **{n: told[n] for n in ("records", "bytes", "sha256")},
            }
            for number, told in enumerate(part)
        ],
        "index": {"file": f"{split}.index.npz"},
    }


def _samples(kept: list[rows.Row]) -> list[str]:
    """Picks captions for the sample film, of tests where there are any."""
    last = max(plan.SPLITS.index(row.item.split) for row in kept)
    own = [row for row in kept if row.item.split == plan.SPLITS[last]]
    step = max(1, len(own) // report.SHOWN)
    texts = [row.captions[0] for row in own[::step]]
    return list(dict.fromkeys(texts))[: report.SHOWN]


def _reasons(refused) -> dict[str, int]:
    found = collections.Counter(reason for _, reason in refused)
    return dict(found.most_common())


def _nothing(refused, settings) -> str:
    if not refused:
        return f"--source={settings.source} holds no picture."
    file, reason = refused[0]
    return (
        f"--source={settings.source} holds no usable picture; the first, "
        f"{file}: {reason}."
    )
