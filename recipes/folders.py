"""Judges pictures in folders, whoever made them."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
from tqdm import tqdm

from keras_t2i.data import picture_files
from keras_t2i.encoders import text
from keras_t2i.metrics import evaluator, r_precision, statistics
from recipes import agreeing, asking, judging, wiring


def judge(
    real: picture_files.PictureFiles | None,
    fakes: Mapping[str, picture_files.PictureFiles],
    how: judging.How,
    reader=None,
    show=None,
) -> Iterator[dict]:
    """Measures folders of pictures against a folder of real ones.

    Args:
        real: the real ones; None where `how.imported` stand for them, or
            where the protocol compares with none.
        fakes: name -> pictures.
        how: how; parts of data and noises are no matter here.
        reader: reads captions that lie beside the pictures, as
            `weights.pretrained.minilm` gives it; None leaves R-precision out.
            With `how.matcher` its text side reads.
        show: callable on (`evaluator.Judge`, name, features), called once
            each folder is measured; or None.

    Yields:
        Rows of `metrics.evaluator.Judge`.

    Raises:
        ValueError: if there are too few pictures for the protocol.
    """
    for pictures in filter(None, (real, *fakes.values())):
        asking.whole(len(pictures), how.protocol)
    matcher, is_read = how.matcher, how.matcher is not None
    if is_read:
        reader = matcher.text
    elif reader is not None and real is not None:
        is_read = bool(real.captions)
    bench = evaluator.Judge(
        how.imported if real is None else _shown(real, "real pictures"),
        _read(real, reader, how) if is_read and not matcher else None,
        how.judge,
        reader,
        {
            "data": "folders",
            **_reference(how.imported if real is None else real),
            "captions": "beside the pictures" if is_read else "none",
        },
        wiring.cache_dir() / "features",
        ruler=dataclasses.replace(how.protocol, rounding="given"),
        matcher=matcher and r_precision.Readers(matcher.image),
        fast=how.fast,
        sampling=how.sampling,
    )
    for name, pictures in fakes.items():
        has_words = is_read and bool(pictures.captions)
        judging.tell_lacking(bench, len(pictures))
        seen = bench.read(_shown(pictures, name), how.cache)
        yield from bench.figures(
            name,
            {0: seen},
            _read(pictures, reader, how) if has_words else None,
            image_size=list(pictures.size),
        )
        if show is not None:
            show(bench, name, seen)


def _reference(compared):
    """Says on a card what all are compared with."""
    if compared is None:
        return {"reference": "none"}
    is_imported = isinstance(compared, statistics.Statistics)
    kind = "statistics" if is_imported else "folder"
    return {"reference": kind, "reference_digest": compared.digest}


def _read(pictures, reader, how):
    """Vectors of the captions of those pictures that the protocol sees."""
    captions = pictures.captions[: asking.whole(len(pictures), how.protocol)]
    if how.matcher is not None:
        return agreeing.sentences(how.matcher, list(captions))
    table = np.array(captions)[:, None]
    found = text.embed(reader, table, wiring.cache_dir(), progress=True)
    return found[:, 0]


def _shown(pictures, name):
    with tqdm(
        total=len(pictures), desc=f"  {name}", unit=" pictures", disable=None
    ) as bar:
        for batch in pictures.batches():
            yield batch
            bar.update(len(batch))
