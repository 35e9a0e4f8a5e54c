"""What the shards say together: the manifest."""

from collections.abc import Iterable, Mapping
from typing import Any

from gradtruce.data.prepared_manifest import Manifest
from gradtruce.data.preparing.shards import ShardSummary
from gradtruce.data.study import SPLITS, Split


def manifest_of(
    summaries: Iterable[ShardSummary],
    *,
    name: str,
    source: str,
    is_synthetic: bool = False,
    **further: Any,  # other fields of the manifest
) -> Manifest:
    """Return the manifest of a set with these shards, by split and name.

    Args:
        summaries: Of all shards, in any order; at least one view must be in them.
        name: What the set is called.
        source: Where the studies come from, in words.
        is_synthetic: True if the whole source is; a shard's own word counts too.
        further: Other fields of `Manifest`, such as notes.
    """
    kept = sorted((s for s in summaries if s.shard is not None), key=_place)
    sides = [side for summary in kept for side in summary.short_sides or ()]
    return Manifest(
        schema=1,
        name=name,
        source=source,
        is_synthetic=is_synthetic or any(summary.is_synthetic for summary in kept),
        label_source="; ".join(sorted({one for s in kept for one in s.label_sources})),
        splits=dict(studies_of(kept)),
        short_side=(min(sides), max(sides)),
        shards=tuple(summary.shard for summary in kept if summary.shard is not None),
        **further,
    )


def studies_of(summaries: Iterable[ShardSummary]) -> Mapping[Split, int]:
    """Return how many studies of each split the shards hold.

    >>> studies_of([])
    {'train': 0, 'val': 0, 'test': 0}
    """
    counts: dict[Split, int] = dict.fromkeys(SPLITS, 0)
    for summary in summaries:
        if summary.shard is not None:
            counts[summary.shard.split] += summary.shard.rows
    return counts


def _place(summary: ShardSummary) -> tuple[int, str]:
    if summary.shard is None:
        raise ValueError("a shard without studies has no place in a set")
    return SPLITS.index(summary.shard.split), summary.shard.file
