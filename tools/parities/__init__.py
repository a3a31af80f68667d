"""What each reference recorded and how this library computes the same.

`FAMILIES` maps a family's name to a function that takes the ledger of
`tools.parity`, reads inputs and weights from it, and enters our outputs. A
name FAMILY/PART proves one part of such a file and leaves the others out.
"""

from tools.parities import attngan, dcgan_cls, dfgan, fid, ssa, supcon, t2icl

FAMILIES = {
    "attngan": attngan.attngan,
    "attngan/damsm": attngan.damsm,
    "dcgan_cls": dcgan_cls.prove,
    "dfgan": dfgan.prove,
    "dmgan": attngan.dm_gan,
    "dmgan/damsm": attngan.damsm,
    "fid": fid.prove,
    "ssa": ssa.prove,
    "supcon": supcon.prove,
    "t2icl": t2icl.prove,
}

__all__ = ["FAMILIES"]
