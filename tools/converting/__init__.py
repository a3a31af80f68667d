"""How released files and run directories become each other.

`naming` says by which names a run's networks are known elsewhere, `reading`
makes a pair of readers of their files, `directory` a run directory of all
files, and `back` files of a run directory.
"""
