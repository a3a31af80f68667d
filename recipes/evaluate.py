r"""Judges a generator, or pictures, and says how each figure was measured.

    python -m recipes.evaluate --workdir=runs/mine
    python -m recipes.evaluate --preset=openmoji_64 --out=scores
    python -m recipes.evaluate --saved_model=runs/mine/saved_model --out=scores
    python -m recipes.evaluate --real=photos --fakes=ours,theirs --out=scores

Rows of a generator's table: an untrained one of the same shape, the mean
training picture, the trained generator and the real test pictures, in equal
numbers, all against the part of the data that --protocol or --reference names.
Folders hold PNG or JPEG files; captions beside them (see README) give
R-precision too, unless --nocaptions.

Each figure becomes one line of scores.jsonl, with the card of its protocol;
scores.md is the table, report.html a page with pictures. --protocol=clean and
its like need a network: --network_weights. --statistics takes those of real
pictures from an .npz file, pytorch-fid's and clean-fid's too;
--export_statistics writes one. A quick look takes --pictures=100 --seeds=1
--nosampling. What was broken off goes on where it was.

Scores that lie there and would only be measured again are printed as they are.
"""

import pathlib
import shutil

from absl import flags

from keras_t2i import weights
from keras_t2i.data import picture_files
from keras_t2i.metrics import statistics
from recipes import (
    folders,
    judging,
    messages,
    pages,
    ruling,
    scores,
    trained,
)

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "A run directory of recipes.train; its newest checkpoint."
)
_CHECKPOINT = messages.checkpoint()
_PRESET = flags.DEFINE_string(
    "preset", None, "A trained model that comes with the package."
)
_SAVED_MODEL = flags.DEFINE_string(
    "saved_model", None, "A folder that recipes.export wrote."
)
_FAKES = flags.DEFINE_list(
    "fakes", None, "Folders of pictures to be judged, with commas between."
)
_REAL = flags.DEFINE_string(
    "real", None, "Folder of real pictures that --fakes are compared with."
)
_OUT = flags.DEFINE_string(
    "out", None, "Folder of the scores; else the run directory."
)
_SEEDS = flags.DEFINE_integer(
    "seeds", 3, "Noises each test caption is drawn with.", lower_bound=1
)
_PICTURES = flags.DEFINE_integer(
    "pictures",
    None,
    "Look at so many pictures of each part at most, for a quick look.",
    lower_bound=2,
)
_REFERENCE = flags.DEFINE_enum(
    "reference",
    None,
    ["train", "test"],
    "Which pictures all are compared with; else the protocol's choice. With "
    "test, real training pictures are the last row.",
)
_MATCHER = flags.DEFINE_string(
    "matcher",
    None,
    "A pair of readers that R-precision asks, instead of a map fitted to the "
    "training part: a name, or the folder reader/ of a run of "
    "recipes.pretrain.",
)
_RULER = ruling.define_flags()
_SIZE = flags.DEFINE_integer(
    "image_size",
    None,
    "Bring pictures of folders to this size first; else each folder must have "
    "pictures of one size.",
    lower_bound=1,
)
_CAPTIONS = flags.DEFINE_bool(
    "captions", True, "Read captions that lie beside pictures in folders."
)
_STATISTICS = flags.DEFINE_string(
    "statistics", None, "An .npz file that stands for the real pictures."
)
_EXPORT = flags.DEFINE_string(
    "export_statistics", None, "Write those of the real pictures to this .npz."
)
_BESIDE = flags.DEFINE_bool(
    "beside", True, "Judge what gives a scale too, not the generator alone."
)
_FAST = flags.DEFINE_bool(
    "fast", False, "This library's moments instead of TF-GAN's functions."
)
_SAMPLING = flags.DEFINE_bool(
    "sampling", True, "Measure intervals, and FID without end."
)


def main(_):
    """Judges from the flags and prints the table."""
    flag, name = messages.one_of(
        workdir=_WORKDIR.value,
        preset=_PRESET.value,
        saved_model=_SAVED_MODEL.value,
        fakes=",".join(_FAKES.value or []).strip(","),
    )
    if flag != "fakes" and _REAL.value:
        raise ValueError(
            f"--real goes with --fakes; --{flag} has real pictures of its own."
        )
    if flag != "workdir" and not _OUT.value:
        raise ValueError("Say with --out=FOLDER where the scores go.")
    out = pathlib.Path(_OUT.value or name)
    how = _how(out)
    if flag == "fakes":
        page = _of_folders(how, out)
    else:
        found = trained.opened(flag, name, _CHECKPOINT.value)
        rows = scores.kept(out, judging.TRAINED, judging.wanted(found, how))
        if rows and not _EXPORT.value and (out / pages.FILE).exists():
            print(
                f"{scores.told(rows)}\n\nThis generator was judged like this "
                f"before; remove {out / scores.FILE} to measure again."
            )
            return
        page = pages.OfGenerator(found, how)
        page.add(scores.write(judging.judge(found, how, page.show), out))
    told = scores.card(page.rows, judging.TRAINED)
    print(f"{told}\n\nThe report is {page.write(out)}")
    if _EXPORT.value:
        page.bench.statistics.save(_EXPORT.value)
        print(f"Statistics of the real pictures: {_EXPORT.value}")
    shutil.rmtree(how.cache, ignore_errors=True)


def _how(out):
    protocol = _RULER.protocol()
    if _EXPORT.value and not pathlib.Path(_EXPORT.value).parent.is_dir():
        raise ValueError(
            f"--export_statistics={_EXPORT.value}: there is no such folder."
        )
    real = None
    if _STATISTICS.value:
        if _REAL.value:
            raise ValueError("Give --real or --statistics, not both.")
        real = statistics.load(_STATISTICS.value)
    if _EXPORT.value and not (protocol.compares or _REAL.value):
        raise ValueError(
            f"Protocol {protocol.name} looks at no real pictures; there is "
            "nothing to --export_statistics of."
        )
    return judging.How(
        seeds=_SEEDS.value,
        most=_PICTURES.value,
        reference=_REFERENCE.value,
        protocol=protocol,
        network=_RULER.network(protocol),
        imported=real,
        fast=_FAST.value,
        sampling=_SAMPLING.value,
        beside=_BESIDE.value,
        matcher=_matcher(protocol),
        cache=str(out / ".features"),
    )


def _matcher(protocol):
    if not _MATCHER.value:
        return None
    if "r_precision" not in protocol.figures:
        raise ValueError(
            f"--matcher={_MATCHER.value} is asked by R-precision, which "
            f"protocol {protocol.name} doesn't measure."
        )
    return weights.readers.load(_MATCHER.value)


def _of_folders(how, out):
    if how.protocol.compares and not _REAL.value and not how.imported:
        raise ValueError(
            "--fakes are compared with --real=FOLDER or --statistics=FILE."
        )
    fakes = {
        name: _opened("fakes", name) for name in filter(None, _FAKES.value)
    }
    real = _opened("real", _REAL.value) if _REAL.value else None
    reader = None
    is_told = _CAPTIONS.value and any(one.captions for one in fakes.values())
    if how.matcher and not is_told:
        raise ValueError(
            "--matcher asks whether pictures fit their captions, but none of "
            "--fakes has any beside it (or --nocaptions was given)."
        )
    if is_told and not how.matcher and real is not None and real.captions:
        reader = weights.pretrained.minilm()
    page = pages.OfFolders(real, fakes, _CAPTIONS.value)
    rows = folders.judge(real, fakes, how, reader, page.show)
    page.add(scores.write(rows, out))
    return page


def _opened(flag, name):
    return picture_files.opened(
        messages.folder(flag, name),
        size=_SIZE.value,
        least=2,
        progress=True,
    )


if __name__ == "__main__":
    messages.run(main)
