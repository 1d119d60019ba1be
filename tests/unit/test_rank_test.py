"""The rank test of `make timing` tells apart what differs, and nothing else."""

import random

import pytest

from tests.load.timing import rank_test


def test_by_hand() -> None:
    # U = 4.5 of 5 × 5 with one tie: z = 8 / 4.7735, the table's p = 0.0938.
    # U is 1.5 of 25 with one tie of two, so z = 11 / sqrt(25 / 12 * (11 - 6 / 90)).
    assert rank_test([1, 2, 3, 4, 5], [4, 6, 7, 8, 9]) == pytest.approx(0.0212, abs=0.0001)
    assert rank_test([1, 3, 5], [2, 4, 6]) == pytest.approx(0.5127, abs=0.0005)
    assert rank_test([7, 7], [7, 7]) == 1.0


@pytest.mark.parametrize(("shift", "is_told"), [(0.0, False), (0.002, True)])
def test_two_milliseconds_in_fifty_are_told_by_a_thousand(shift: float, is_told: bool) -> None:
    dice = random.Random(7)
    one = [dice.gauss(0.050, 0.008) for _ in range(1000)]
    other = [dice.gauss(0.050 + shift, 0.008) for _ in range(1000)]

    assert (rank_test(one, other) < 0.01) is is_told
