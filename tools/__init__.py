"""What prepares, proves and keeps; never imported by the library."""

import recipes  # noqa: F401  It quiets TensorFlow before that loads.
