"""Which images a network finds most alike: the nearest by its features, by brute force."""

import torch
from torch import Tensor

ROWS = 4096  # features compared at once: with QUERIES of them the numbers in work stay under 150 MB
QUERIES = 512


def nearest(features: Tensor, query: Tensor, count: int = 10) -> tuple[Tensor, Tensor]:
    """The features that point most nearly where a query points.

    Args:
        features: float16 or float32 (N, F), on any device.
        query: (F,) or (Q, F), same device.
        count: how many to find; N if there are fewer.

    Returns:
        indices: int64 (count,) or (Q, count), most alike first; of equally alike ones the lower index.
        similarity: float32, same shape: the cosine of the angle, -1 to 1; 0 where one of the two is all zero.

    Source: brute force; compared with another one in test_neighbours.py.
    """
    if query.dim() == 1:
        indices, similarity = nearest(features, query[None], count)
        return indices[0], similarity[0]
    count = min(count, len(features))
    found = [_nearest(features, some, count) for some in query.split(QUERIES)]
    if not found:
        return query.new_zeros((0, count), dtype=torch.int64), query.new_zeros((0, count), dtype=torch.float32)
    indices, similarity = (torch.cat(side) for side in zip(*found, strict=True))
    return indices, similarity


def _nearest(features: Tensor, query: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Pass over all features and keep the best so far. The sums are in float64, so that equal images are equally alike to the
    last bit of float32 wherever they lie in a chunk."""
    towards = _unit(query).T  # (F, Q)
    best = torch.zeros(query.shape[0], 0, dtype=torch.int64, device=query.device)
    for start in range(0, len(features), ROWS):
        similarity = (_unit(features[start : start + ROWS]) @ towards).T.float()  # (Q, rows)
        best = torch.cat([best, _ranked(similarity, start)], 1)
        best = best.topk(min(count, best.shape[1]), 1).values
    return _unranked(best)


def _unit(vectors: Tensor) -> Tensor:
    vectors = vectors.double()
    return vectors / vectors.norm(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)


def _ranked(similarity: Tensor, start: int) -> Tensor:
    """One int64 that orders by similarity first and then by the lower index: no two are equal, so the order has no luck in it.

    The bits of a float32 above zero are in the order of its values; those of one below zero run backwards.
    """
    bits = (similarity + 0.0).view(torch.int32).long()  # + 0.0: there is only one zero
    ordered = torch.where(bits < 0, bits ^ 0x7FFF_FFFF, bits)
    index = torch.arange(start, start + similarity.shape[1], device=similarity.device)
    return (ordered << 32) | (0xFFFF_FFFF - index)


def _unranked(ranked: Tensor) -> tuple[Tensor, Tensor]:
    """The index and the similarity in a number of `_ranked`."""
    ordered = ranked >> 32
    bits = torch.where(ordered < 0, ordered ^ 0x7FFF_FFFF, ordered)
    return 0xFFFF_FFFF - (ranked & 0xFFFF_FFFF), bits.to(torch.int32).view(torch.float32)
