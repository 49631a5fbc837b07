"""Validation reports: findings of equal layers taken together, advice in words, and a self-contained HTML page."""

from __future__ import annotations

from hippo_theory.report.advice import advice, reason
from hippo_theory.report.grouping import Group, grouped
from hippo_theory.report.pages import validation_page

__all__ = ["Group", "advice", "grouped", "reason", "validation_page"]
