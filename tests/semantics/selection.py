# SPDX-License-Identifier: GPL-2.0-only
"""The rows of rows/*.py, all or those that are asked for, in their order."""

import importlib
import pkgutil

import rows
from row import ROWS


def choose(texts):
    """Rows with one of TEXTS in their names; all when there are none."""
    for module in sorted(m.name for m in pkgutil.iter_modules(rows.__path__)):
        importlib.import_module(f"rows.{module}")
    return [row for row in ROWS
            if not texts or any(text.lower() in row.name.lower() for text in texts)]
