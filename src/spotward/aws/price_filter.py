"""EC2's filter on Spot prices knows no "less than", but it knows wildcards: this writes the one with the other.

A region's price history has thousands of rows and a page takes a thousand; those below the on-demand price of a small
type fit on one. Prices stand there as text with six decimals ("0.038300").
Source: EC2 API reference, DescribeSpotPriceHistory, filter `spot-price`.
"""

from decimal import ROUND_CEILING, Context

_TWO_DIGITS = Context(prec=2, rounding=ROUND_CEILING)
"""Two significant digits make at most 18 patterns (a filter takes 200) and let in little that is not wanted."""


def patterns_below(price_per_hour: float) -> list[str]:
    """Patterns that match every price below this one; above it none that the second digit tells apart.

    0.096 → `0.00*` … `0.08*`, `0.090*` … `0.095*`. None at all for a price of 0.
    """
    text = f"{_TWO_DIGITS.create_decimal(repr(price_per_hour)):f}"
    whole = len(text.partition(".")[0])
    patterns = ["?" * digits + ".*" for digits in range(1, whole)]
    for at, digit in enumerate(text):
        if digit != ".":
            rest = "?" * (whole - at - 1) + ".*" if at < whole else "*"
            patterns += [f"{text[:at]}{smaller}{rest}" for smaller in range(int(digit)) if smaller or at or whole == 1]
    return patterns
