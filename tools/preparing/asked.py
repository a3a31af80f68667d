"""What the flags ask for that all tools share."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the flags that all tools share ask for.

    Attributes:
        out: the folder to make.
        source: what was prepared; reports name files as seen from there.
        size: pixels of the shorter side; 0 keeps pictures as they are.
        min_size: pictures with a shorter side are refused.
        captions: a picture; None is what the plan says.
        limit: about so many pictures at most, of every split its share.
        workers: threads; None is one a core.
        shard_size: pictures a file at most.
        seed: of the sheet's choice.
        dry_run: do all but write.
    """

    out: str
    source: str = ""
    size: int = 0
    min_size: int = 16
    captions: int | None = None
    limit: int | None = None
    workers: int | None = None
    shard_size: int = 1000
    seed: int = 0
    dry_run: bool = False

    @classmethod
    def of(cls, options) -> "Settings":
        """Reads them from flags, or anything with such attributes.

        Args:
            options: those it lacks have their usual value.

        Returns:
            `Settings`.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        found = {n: getattr(options, n) for n in names if hasattr(options, n)}
        return cls(**found)
