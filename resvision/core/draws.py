"""Counted randomness: numbers that follow from a seed and counters alone, with nothing to store or restore.

A draw is a hash of its counters, so it does not depend on what was drawn before it, in which process, or
together with which other samples. The hash is SplitMix64's finalizer (Steele, Lea, Flood 2014,
https://doi.org/10.1145/2714064.2660195), applied once for each counter. Orders sort the raw 64-bit output of
numpy's bit generators, the part of numpy.random that never changes between versions.
"""

import numpy as np
from numpy.typing import NDArray

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def uniform(seed: int, epoch: int, indices: NDArray[np.int64], slots: int) -> NDArray[np.float64]:
    """Draws in [0, 1) for every sample, (N, slots).

    Row i is a function of seed, epoch and indices[i] only; slot s stays the same when `slots` grows.
    """
    state = _chained(_chained(_START, np.uint64(seed)), np.uint64(epoch))
    rows = _chained(state, indices.astype(np.uint64))[:, None]
    hashed = _chained(rows, np.arange(slots, dtype=np.uint64)[None, :])
    return (hashed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def order(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    """The order in which an epoch visits n samples: a permutation of 0..n-1, (n,) int64."""
    counters = np.random.Philox(key=np.array([seed, epoch], dtype=np.uint64))
    return np.argsort(counters.random_raw(n), kind="stable").astype(np.int64)


def shuffled(n: int, *, seed: int) -> NDArray[np.int64]:
    """A permutation of 0..n-1 that splits a data set once and for all (PCG64), (n,) int64."""
    return np.argsort(np.random.PCG64(seed).random_raw(n), kind="stable").astype(np.int64)


def key(*counters: int) -> int:
    """A number in 0..2^63-1 that seeds a generator for these counters, such as (seed, step, rank)."""
    state = _START
    for counter in counters:
        state = _chained(state, np.uint64(counter))
    return int(state[0] >> np.uint64(1))


def _chained(state: NDArray[np.uint64], counter: NDArray[np.uint64] | np.uint64) -> NDArray[np.uint64]:
    """The state after one more counter: SplitMix64's finalizer of both. Arithmetic is modulo 2^64."""
    mixed = (state ^ counter) + _GAMMA
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


_START = np.zeros(1, dtype=np.uint64)  # an array, since numpy warns of overflow in scalars only
