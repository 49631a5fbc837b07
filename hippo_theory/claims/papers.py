"""The papers whose claims are checked: title, authors, arXiv number."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PAPERS", "Paper"]


@dataclass(frozen=True)
class Paper:
    """A source of claims.

    Attributes
    ----------
    key, title, authors : str
    year : int
    arxiv : str, optional
        None for what is derived here.
    """

    key: str
    title: str
    authors: str
    year: int
    arxiv: str | None = None


_LIST = (
    Paper("core", "Exact identities behind HiPPO and S4D", "the hippo_theory developers", 2026),
    Paper(
        "hippo",
        "HiPPO: Recurrent Memory with Optimal Polynomial Projections",
        "Albert Gu and Tri Dao and Stefano Ermon and Atri Rudra and Christopher Ré",
        2020,
        "2008.07669",
    ),
    Paper(
        "s4",
        "Efficiently Modeling Long Sequences with Structured State Spaces",
        "Albert Gu and Karan Goel and Christopher Ré",
        2021,
        "2111.00396",
    ),
    Paper(
        "dss",
        "Diagonal State Spaces are as Effective as Structured State Spaces",
        "Ankit Gupta and Albert Gu and Jonathan Berant",
        2022,
        "2203.14343",
    ),
    Paper(
        "s4d",
        "On the Parameterization and Initialization of Diagonal State Space Models",
        "Albert Gu and Ankit Gupta and Karan Goel and Christopher Ré",
        2022,
        "2206.11893",
    ),
    Paper(
        "httyh",
        "How to Train Your HiPPO: State Space Models with Generalized Orthogonal Basis Projections",
        "Albert Gu and Isys Johnson and Aman Timalsina and Atri Rudra and Christopher Ré",
        2022,
        "2206.12037",
    ),
    Paper(
        "ptd",
        "Robustifying State-space Models for Long Sequences via Approximate Diagonalization",
        "Annan Yu and Arnur Nigmetov and Dmitriy Morozov and Michael W. Mahoney and N. Benjamin Erichson",
        2023,
        "2310.01698",
    ),
    Paper(
        "s5",
        "Simplified State Space Layers for Sequence Modeling",
        "Jimmy T. H. Smith and Andrew Warrington and Scott W. Linderman",
        2022,
        "2208.04933",
    ),
    Paper(
        "lru",
        "Resurrecting Recurrent Neural Networks for Long Sequences",
        "Antonio Orvieto and Samuel L. Smith and Albert Gu and Anushan Fernando and Caglar Gulcehre and Razvan Pascanu"
        " and Soham De",
        2023,
        "2303.06349",
    ),
    Paper(
        "hope",
        "HOPE for a Robust Parameterization of Long-memory State Space Models",
        "Annan Yu and Michael W. Mahoney and N. Benjamin Erichson",
        2024,
        "2405.13975",
    ),
    Paper(
        "fb",
        "Tuning Frequency Bias of State Space Models",
        "Annan Yu and Dongwei Lyu and Soon Hoe Lim and Michael W. Mahoney and N. Benjamin Erichson",
        2024,
        "2410.02035",
    ),
    Paper(
        "ssd",
        "On Structured State-Space Duality",
        "Jerry Yao-Chieh Hu and Xiwen Zhang and Weimin Wu and Han Liu",
        2025,
        "2510.04944",
    ),
    Paper(
        "s6",
        "Understanding Input Selectivity in Mamba: Impact on Approximation Power, Memorization, and Associative Recall"
        " Capacity",
        "Ningyuan Huang and Miguel Sarabia and Abhinav Moudgil and Pau Rodriguez and Luca Zappella and Federico Danieli",
        2025,
        "2506.11891",
    ),
    Paper(
        "fedgc",
        "Federated Granger Causality Learning for Interdependent Clients with State Space Representation",
        "Ayush Mohanty and Nazal Mohamed and Paritosh Ramanan and Nagi Gebraeel",
        2025,
        "2501.13890",
    ),
)

PAPERS: dict[str, Paper] = {paper.key: paper for paper in _LIST}
