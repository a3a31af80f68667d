r"""Gives a run's networks the names and shapes that they have elsewhere.

    python -m tools.export_weights --workdir=runs/bird --out=runs/bird_torch

An .npz for each network: generator.npz, which is the averaged one where a run
keeps an average (the one that learns is then generator_learning.npz), a file a
discriminator, and, of a run that reads with AttnGAN's readers, text.npz,
image.npz and vocabulary.txt. Names and shapes are those of the authors'
PyTorch code:

    arrays = numpy.load("generator.npz")
    model.load_state_dict({k: torch.tensor(arrays[k]) for k in arrays.files})

Counts of batches (num_batches_tracked) are left out, which PyTorch allows.
DF-GAN's discriminator of 2022 is two modules there: arrays whose names begin
with joint_conv belong to netC, the others to netD.
tools.convert_run takes the files back.
"""

from absl import flags

from recipes import messages
from tools.converting import back

_WORKDIR = flags.DEFINE_string(
    "workdir", None, "A run directory of recipes.train.", required=True
)
_CHECKPOINT = messages.checkpoint()
_OUT = flags.DEFINE_string("out", None, "The folder to write.", required=True)


def main(_):
    """Runs the command."""
    told = back.export(_WORKDIR.value, _OUT.value, _CHECKPOINT.value)
    for name, count in told.items():
        what = "words" if name.endswith(".txt") else "arrays"
        print(f"{_OUT.value}/{name}: {count:,} {what}")


if __name__ == "__main__":
    messages.run(main)
