"""What the benchmarks count, and that the documents say what was measured."""

import pytest

from bench import arithmetic


def test_the_arithmetic_of_the_reference_is_what_one_counts_by_hand() -> None:
    convolutions = [1 * 9 * 32 * 28 * 28, 32 * 9 * 32 * 28 * 28, 32 * 9 * 64 * 14 * 14, 64 * 9 * 64 * 14 * 14]
    linear = [64 * 7 * 7 * 512, 512 * 10]
    macs = sum(convolutions) + sum(linear)
    assert arithmetic.forward_macs("reference") == macs == 19_899_904
    # Backward is twice the forward, the gradient of the weights and that of the input; pictures need none.
    assert sum(arithmetic.training_flop("reference").values()) == 2 * (3 * macs - convolutions[0]) == pytest.approx(118.9e6, rel=1e-3)
