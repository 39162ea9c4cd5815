"""Which images a network finds most alike: the nearest by its features, all of them compared.

For one query single precision first says which ones may be among the nearest, within the bound of its rounding errors, and only these are
compared in double precision: the same answer as without it, in a quarter of the time.
"""

import torch
from torch import Tensor

ROWS = 4096  # features compared at once: with QUERIES of them the numbers in work stay under 150 MB
QUERIES = 512
ROUGH_ROWS = 512  # of 512 features in single precision: a megabyte, which stays in a core's cache
TRUSTED = (1e-15, 1e15)  # lengths whose squares single precision can add up


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
    count = min(count, len(features))
    if query.dim() == 1:
        candidates = _candidates(features, query, count)
        places, similarity = nearest(features[candidates], query[None], count)
        return candidates[places[0]], similarity[0]
    found = [_nearest(features, some, count) for some in query.split(QUERIES)]
    if not found:
        return query.new_zeros((0, count), dtype=torch.int64), query.new_zeros((0, count), dtype=torch.float32)
    indices, similarity = (torch.cat(side) for side in zip(*found, strict=True))
    return indices, similarity


def _candidates(features: Tensor, query: Tensor, count: int) -> Tensor:
    """The features that may be among the `count` nearest of a query (F,), as far as single precision can tell: int64 (C,), ascending.

    Source: N. Higham, Accuracy and Stability of Numerical Algorithms, section 3.1: however n products are added up, the error is at most
    about n units of rounding times the lengths of the two vectors.
    """
    towards = _unit(query[None])[0].float()
    rough = torch.cat([_rough(some.float(), towards) for some in features.split(ROUGH_ROWS)] or [towards.new_zeros(0)])
    error = (features.shape[1] + 8) * torch.finfo(torch.float32).eps  # of the sum, half as much of the length, and a few roundings
    known = rough.isfinite()
    at_least = torch.where(known, rough - error, -torch.inf).topk(count).values[-1:]  # so near are `count` of them for sure
    return torch.nonzero(~known | (rough + error >= at_least))[:, 0]


def _rough(some: Tensor, towards: Tensor) -> Tensor:
    """Cosines in single precision, float32 (R, F) and (F,) -> float32 (R,); not a number where it cannot tell."""
    lengths = some.norm(dim=1)
    trusted = (lengths > TRUSTED[0]) & (lengths < TRUSTED[1])
    return torch.where(trusted, some @ towards / lengths, torch.nan)


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
