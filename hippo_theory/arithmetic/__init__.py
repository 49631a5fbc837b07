"""Number systems, certification, and correct rounding: the ground that every formula stands on."""

from hippo_theory.arithmetic.certification import certified, complex_radius, is_narrow, magnitude_bounds
from hippo_theory.arithmetic.decimals import DecimalBall, decimal_ball
from hippo_theory.arithmetic.exact_numbers import exact_complex, exact_fraction
from hippo_theory.arithmetic.number_systems import (
    FLOAT64,
    Arithmetic,
    Balls,
    balls,
    elementwise,
    exact,
    mpmath_numbers,
    rationals,
    to_ball,
)
from hippo_theory.arithmetic.rounding import nearest, nearest_certified

__all__ = [
    "FLOAT64",
    "Arithmetic",
    "Balls",
    "DecimalBall",
    "balls",
    "certified",
    "complex_radius",
    "decimal_ball",
    "elementwise",
    "exact",
    "exact_complex",
    "exact_fraction",
    "is_narrow",
    "magnitude_bounds",
    "mpmath_numbers",
    "nearest",
    "nearest_certified",
    "rationals",
    "to_ball",
]
