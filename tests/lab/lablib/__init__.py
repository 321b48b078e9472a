# SPDX-License-Identifier: GPL-2.0-only
"""The test bed's parts: one module a subject, `lab` is the door."""
