"""What a game is, told by the text of its type or by its NBA id: exhibition, regular season, playoffs.

features.md, sections 1.1 and 2.6. Texts are read once for each distinct value.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import Bools, Floats, to_codes

PLAYOFF_TYPES, REGULAR_TYPES, EXHIBITION_TYPES = (
    "playoff|playin|postseason",
    "regular|cup|tournament",
    "preseason|allstar",
)
PLAYOFF_IDS, REGULAR_IDS, EXHIBITION_IDS = "^00[45][0-9]{7}$", "^00[26][0-9]{7}$", "^00[13][0-9]{7}$"


def tell_by_type(column: pa.DictionaryArray) -> Floats:
    """1 in play-in and playoffs, 0 in the regular season, NaN where the type does not tell."""
    letters = read_letters(column.dictionary)
    return _tell(column, _matches(letters, PLAYOFF_TYPES), _matches(letters, REGULAR_TYPES))


def tell_by_id(column: pa.DictionaryArray) -> Floats:
    """The same from an NBA game id of ten digits."""
    texts = column.dictionary
    return _tell(column, _matches(texts, PLAYOFF_IDS), _matches(texts, REGULAR_IDS))


def find_exhibition_types(column: pa.DictionaryArray) -> Bools:
    """Which types name a preseason or all-star game."""
    flags: Bools = np.append(_matches(read_letters(column.dictionary), EXHIBITION_TYPES), False)[
        to_codes(column)
    ]
    return flags


def find_exhibition_ids(column: pa.DictionaryArray) -> Bools:
    """Which NBA game ids are those of a preseason or all-star game."""
    flags: Bools = np.append(_matches(column.dictionary, EXHIBITION_IDS), False)[to_codes(column)]
    return flags


def read_letters(texts: pa.Array) -> pa.Array:
    """Only the letters of each text, in lower case."""
    return pc.replace_substring_regex(pc.utf8_lower(texts), r"[^\p{L}]+", "")


def _tell(column: pa.DictionaryArray, yes: Bools, no: Bools) -> Floats:
    told = np.where(yes, 1.0, np.where(no, 0.0, np.nan))
    # the last entry is that of NULL, whose code is -1
    values: Floats = np.append(told, np.nan)[to_codes(column)]
    return values


def _matches(texts: pa.Array, pattern: str) -> Bools:
    flags = pc.fill_null(pc.match_substring_regex(texts, pattern), False)
    matched: Bools = flags.to_numpy(zero_copy_only=False)
    return matched
