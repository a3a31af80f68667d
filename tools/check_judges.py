r"""Shows judges pictures that a person can put in order.

    python -m tools.check_judges
    python -m tools.check_judges --data=data/holiday --protocol=clean \
        --network_weights=pt_inception-2015-12-05-6726825d.pth

Half of OpenMoji's training pictures is the reference. The other half is shown
as it is, blurred, noised (three strengths each) and with colours exchanged;
then pictures of another set, if --data names a prepared one, with which the
same is done the other way round. A person finds each strength worse than the
one before and all of them worse than the half as it is: "in_order" is the
share of these pairs that a figure puts in that order. The last line is JSON.
"""

import json
from collections.abc import Callable, Iterator

import numpy as np
from absl import flags
from PIL import Image, ImageFilter

from keras_t2i.data import openmoji, pipeline, prepared
from keras_t2i.metrics import evaluator, features, protocols
from keras_t2i.ops import noise
from recipes import messages, ruling

_DATA = flags.DEFINE_string("data", None, "A prepared set; its train part.")
_SIZE = flags.DEFINE_integer(
    "image_size", 64, "Height and width of all pictures.", lower_bound=8
)
_RULER = ruling.define_flags()

_FIGURES = {"fid": 1, "kid": 1, "precision": -1, "coverage": -1}  # 1: more
_AS_IT_IS = "as it is"


def main(_):
    """Judges from the flags."""
    sets = {"openmoji": openmoji.load("train", _SIZE.value).images}
    if _DATA.value:
        pictures = prepared.load(_DATA.value, "train")
        sets[pictures.name] = np.concatenate(
            [*pipeline.in_order(pictures, _SIZE.value)]
        )
    ruler = _RULER.protocol()
    extractor = _RULER.network(ruler)
    rows = [
        {"real": name, **row}
        for name in sets
        for row in judged(name, sets, ruler, extractor)
    ]
    order = {name: in_order(rows, name) for name in _names(rows)}
    rows.append({"real": "all", "shown": "in order", "pictures": "-", **order})
    for row in rows:
        print(" ".join(f"{k} {_short(v)}" for k, v in row.items()))
    print(json.dumps({"ways": rows, "in_order": order}))


def judged(
    name: str,
    sets: dict[str, np.ndarray],
    ruler: protocols.Protocol,
    extractor: Callable,
) -> Iterator[dict]:
    """Judges changed pictures of one set, and those of the others.

    Args:
        name: the set.
        sets: name -> (N, H, W, 3) uint8.
        ruler: how.
        extractor: the protocol's network.

    Yields:
        What was shown, and its figures.
    """
    real, rest = halves(sets[name])
    judge = evaluator.Judge(
        features.in_batches(real), None, extractor, None, {}, ruler=ruler
    )
    shown = {how: change(rest) for how, change in CHANGES.items()}
    for other in sets:
        if other != name:
            shown[f"pictures of {other}"] = halves(sets[other])[1]
    for how, pictures in shown.items():
        stream = {0: features.in_batches(pictures)}
        found = judge.pictures(how, stream, None)
        yield {
            "shown": how,
            "pictures": len(pictures),
            **{
                row["name"]: round(row["value"], 4)
                for row in found
                if row["name"].split("_")[0] in _FIGURES
            },
        }


def halves(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parts pictures by chance, always in the same way.

    Args:
        pictures: (N, H, W, 3).

    Returns:
        Two halves.
    """
    order = noise.permutation(noise.key(0, salt="halves"), len(pictures))
    middle = len(pictures) // 2
    return pictures[order.numpy()[:middle]], pictures[order.numpy()[middle:]]


def in_order(rows: list[dict], figure: str) -> float:
    """Tells how often a figure orders two rows as a person would.

    Args:
        rows: of `judged`, with "real".
        figure: its name.

    Returns:
        Share of the pairs of rows that a person can order.
    """
    worse = _FIGURES[figure.split("_")[0]]
    right = []
    for real in dict.fromkeys(row["real"] for row in rows):
        values = {
            row["shown"]: worse * row[figure]
            for row in rows
            if row["real"] == real
        }
        right += [values[a] < values[b] for a, b in _pairs(values)]
    return round(float(np.mean(right)), 4)


def _pairs(shown):
    """What a person finds better, and what worse."""
    yield from ((_AS_IT_IS, how) for how in shown if how != _AS_IT_IS)
    for kind in ("blurred", "noised"):
        steps = [how for how in shown if how.startswith(kind)]
        yield from zip(steps, steps[1:], strict=False)


def _blurred(radius):
    kernel = ImageFilter.GaussianBlur(radius)

    def change(pictures):
        found = [Image.fromarray(one).filter(kernel) for one in pictures]
        return np.stack([np.asarray(one) for one in found])

    return change


def _noised(deviation):
    def change(pictures):
        drawn = np.random.RandomState(0).normal(0.0, deviation, pictures.shape)
        return np.clip(np.rint(pictures + drawn), 0, 255).astype(np.uint8)

    return change


#: What is done to pictures, the weakest of each kind first.
CHANGES = {
    _AS_IT_IS: lambda pictures: pictures,
    "blurred, 1 px": _blurred(1),
    "blurred, 2 px": _blurred(2),
    "blurred, 4 px": _blurred(4),
    "noised, 8 levels": _noised(8),
    "noised, 24 levels": _noised(24),
    "noised, 72 levels": _noised(72),
    "red, green and blue exchanged": lambda pictures: pictures[..., [1, 2, 0]],
}


def _names(rows):
    known = ("real", "shown", "pictures")
    return [key for key in rows[0] if key not in known]


def _short(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    messages.run(main)
