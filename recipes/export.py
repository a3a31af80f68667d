r"""Writes a trained model as a SavedModel: captions in, pictures out.

    python -m recipes.export --workdir=runs/mine
    python -m recipes.export --preset=openmoji_64 --out=served/1

Programs load the folder with TensorFlow alone (and tensorflow_text, whose
operations cut the captions into words); this library is not needed.
"""

import pathlib
import shlex

from absl import flags

from keras_t2i import serving
from recipes import messages, trained

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "A run directory of recipes.train; its newest checkpoint."
)
_CHECKPOINT = messages.checkpoint()
_PRESET = flags.DEFINE_string(
    "preset", None, "A trained model that comes with the package."
)
_OUT = flags.DEFINE_string(
    "out", None, "The folder to write; else saved_model in the run directory."
)


def main(_):
    """Exports from the flags."""
    flag, name = messages.one_of(workdir=_WORKDIR.value, preset=_PRESET.value)
    if flag == "preset" and not _OUT.value:
        raise ValueError("Say with --out=FOLDER where to write.")
    found = trained.opened(flag, name, _CHECKPOINT.value)
    out = pathlib.Path(_OUT.value or pathlib.Path(name, "saved_model"))
    serving.export(found.painter, out, found.card)
    asked = "--count=8"
    if found.painter.text_names:
        caption = shlex.quote(found.config.samples.captions[0])
        asked = f"--caption={caption}"
    print(f"""The SavedModel lies in {out}. Draw with it:

  python -m recipes.sample --saved_model={out} {asked}

See what it takes and gives:

  saved_model_cli show --dir {out / "from_embeddings"} --all""")


if __name__ == "__main__":
    messages.run(main)
