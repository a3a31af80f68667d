"""What each reference recorded and how this library computes the same.

`FAMILIES` maps a family's name to a function that takes the ledger of
`tools.parity`, reads inputs and weights from it, and enters our outputs.
"""

from tools.parities import dcgan_cls, dfgan, fid

FAMILIES = {
    "dcgan_cls": dcgan_cls.prove,
    "dfgan": dfgan.prove,
    "fid": fid.prove,
}

__all__ = ["FAMILIES"]
