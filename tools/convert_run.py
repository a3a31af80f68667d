r"""Turns released files into a run directory, as if it had been trained here.

    python -m tools.convert_run --workdir=runs/bird \
        --config=recipes/configs/attngan_cub.py:paper \
        --generator=bird_AttnGAN2.pth --captions=captions.pickle \
        --text=text_encoder200.pth --image=image_encoder200.pth

recipes.sample, evaluate, export, train and tools.make_preset take the
directory. The generator's file goes to the generator and to its average, since
averages are what the authors save. --discriminator_64=netD0.pth,
--discriminator_128=netD1.pth and --discriminator=netD2.pth are taken too;
those without a file, and all optimizers, start anew when training goes on.

The readers go to WORKDIR/reader, and config.text.source names it. Without
--text, --image and --captions the readers are those that the config names.
--captions is AttnGAN's captions.pickle, or a text file of one word a line.

Every array is reported: where it goes, or why it does not. Nothing is written
unless all arrays of all files fit. The way back: tools.export_weights.
"""

from absl import flags

from recipes import messages
from tools.converting import directory

_CONFIG = messages.config(
    "recipes/configs/attngan_cub.py",
    "The config file and its scale, whose networks the files are of.",
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "The run directory to make.", required=True
)
_FILES = {
    "text": flags.DEFINE_string("text", None, "DAMSM's RNN_ENCODER."),
    "image": flags.DEFINE_string("image", None, "DAMSM's CNN_ENCODER."),
    "captions": flags.DEFINE_string(
        "captions", None, "AttnGAN's captions.pickle, or a list of words."
    ),
    **{
        flag: flags.DEFINE_string(flag, None, f"The {flag}'s file.")
        for flag in directory.NETWORKS
    },
}
_MOVE = flags.DEFINE_integer(
    "move", None, "How many moves count as made; else all.", lower_bound=1
)
_MAX_WORDS = flags.DEFINE_integer(
    "max_words",
    None,
    "Words of a caption that are read; else 18 with SSA-GAN and DF-GAN, and 25 "
    "with others (their authors judge birds with 25, COCO with 20).",
    lower_bound=1,
)
_RESIZE = flags.DEFINE_string(
    "resize",
    None,
    "How pictures reach Inception; else bilinear with SSA-GAN and DF-GAN, and "
    "bilinear_corners with others, as under the Torch of AttnGAN and in DM-GAN "
    "(T2I_CL's AttnGAN has bilinear).",
)


def main(_):
    """Runs the command."""
    paths = {name: flag.value for name, flag in _FILES.items() if flag.value}
    config, workdir = _CONFIG.value, _WORKDIR.value
    move = _MOVE.value or config.train.moves
    usual = directory.usual(config)
    try:
        reports = directory.make(
            config,
            workdir,
            paths,
            move=move,
            max_words=_MAX_WORDS.value or usual["max_words"],
            resize=_RESIZE.value or usual["resize"],
        )
    except ValueError as error:
        if getattr(error, "report", None):
            print(error.report)
        raise
    for report in filter(None, reports.values()):
        print(report)
    print()
    for name, report in reports.items():
        told = "no file; it starts anew"
        if report:
            told = f"all {len(report.loaded)} arrays of {paths[name]} placed"
        print(f"{name}: {told}")
    print(
        f"All lies in {workdir}. Next: python -m recipes.sample "
        f"--workdir={workdir} --caption=...; python -m recipes.train with the "
        f"same --config, --config.text.source={config.text.source}, data and "
        f"more moves than {move:,} goes on."
    )


if __name__ == "__main__":
    messages.run(main)
