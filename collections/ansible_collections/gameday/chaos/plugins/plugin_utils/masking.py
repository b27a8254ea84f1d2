# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes any value fit for a journal: JSON can hold it, and no secret is in it."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping, Set

HIDDEN = "***"

SECRET = r"password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|authorization"
SECRET_KEY = re.compile(SECRET + r"|^(set-)?cookie$", re.IGNORECASE)
SECRET_OPTION = re.compile(rf"^--?[\w-]*(?:{SECRET})[\w-]*$", re.IGNORECASE)
HEADER = r"(\b(?:proxy-)?authorization|\b(?:set-)?cookie|\bx-api-key)(['\"]?\s*[:=]\s*['\"]?)[^\r\n'\"]+"
IN_TEXT = (
    (re.compile(r"([a-z][a-z0-9+.-]*://)[^\s/@]+@", re.IGNORECASE), rf"\1{HIDDEN}@"),
    (re.compile(HEADER, re.IGNORECASE), rf"\1\2{HIDDEN}"),
    (re.compile(rf"(--[\w-]*(?:{SECRET})[\w-]*\s+)[^\s-]\S*", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(rf"([\w-]*(?:{SECRET})[\w-]*['\"]?\s*[=:]\s*['\"]?)(?!\*\*\*)[^\s&'\",;]+", re.IGNORECASE), rf"\1{HIDDEN}"),
)
MAY_HOLD_ONE = re.compile(rf"://|cookie|{SECRET}", re.IGNORECASE)


def clean(value):
    """A copy of the value that is plain JSON, with what looks like a secret replaced by ***."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(str(value))
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return clean_mapping(value)
    if isinstance(value, (list, tuple, Set)):
        return clean_list(list(value))
    if isinstance(value, (bytes, bytearray)):
        return clean_text(bytes(value).decode("utf-8", "replace"))
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    return clean_text(str(value))


def clean_text(text):
    text = text.encode("utf-8", "replace").decode("utf-8")
    if MAY_HOLD_ONE.search(text):
        for pattern, shown in IN_TEXT:
            text = pattern.sub(shown, text)
    return text


def clean_mapping(mapping):
    cleaned = {}
    # A header may come as {name: Authorization, value: Bearer ...}.
    names_a_secret = set(mapping) == {"name", "value"} and SECRET_KEY.search(str(mapping["name"]))
    for key, value in mapping.items():
        secret = SECRET_KEY.search(str(key)) or (names_a_secret and str(key) == "value")
        hide = secret and value not in (None, "") and not isinstance(value, bool)
        cleaned[clean_text(str(key))] = HIDDEN if hide else clean(value)
    return cleaned


def clean_list(values):
    cleaned = []
    for index, value in enumerate(values):
        before = values[index - 1] if index else None
        secret = isinstance(value, str) and isinstance(before, str) and SECRET_OPTION.match(before)
        cleaned.append(HIDDEN if secret else clean(value))
    return cleaned
