"""``python -m hippo_theory.cli``, the same as the command `hippo`."""

from __future__ import annotations

import sys

from hippo_theory.cli import main

if __name__ == "__main__":
    sys.exit(main())
