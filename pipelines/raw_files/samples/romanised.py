"""Surnames of any alphabet in plain Latin letters, roughly as a passport would have them.

Source: for Greek, Cyrillic and Hangul the usual tables of ISO 843, BGN/PCGN and McCune-Reischauer,
without their rarer rules.
"""

from __future__ import annotations

import unicodedata

GREEK = "αβγδεζηθικλμνξοπρσςτυφχψω"
GREEK_SOUNDS = "a v g d e z i th i k l m n x o p r s s t y f ch ps o"
CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
CYRILLIC_SOUNDS = "a b v g d e zh z i y k l m n o p r s t u f kh ts ch sh shch ' y ' e yu ya"
OTHERS = {"ł": "l", "ø": "o", "đ": "d", "ß": "ss", "æ": "ae", "’": "'"}
LETTERS = {
    **dict(zip(GREEK, GREEK_SOUNDS.split(), strict=True)),
    **dict(zip(CYRILLIC, CYRILLIC_SOUNDS.split(), strict=True)),
    **OTHERS,
}
HANGUL = 0xAC00  # the first of the syllables, which are ordered by their three sounds
FIRST = "k kk n t tt r m p pp s ss . ch cch ch k t p h"
MIDDLE = "a ae ya yae o e yo ye o wa wae oe yo u wo we wi yu u ui i"
LAST = ". k k k n n n t l k m l l l p l m p p t t ng t t k t p t"


def romanise(name: str) -> str:
    """The name in a to z, spaces, hyphens and apostrophes, each word with a capital.

    Example:
        >>> romanise("Μιχαηλίδης"), romanise("Толстой"), romanise("박"), romanise("Nguyễn")
        ('Michailidis', 'Tolstoy', 'Pak', 'Nguyen')
    """
    composed = unicodedata.normalize("NFC", name.lower())
    composed = composed.replace("ου", "ou").replace("ού", "ou")
    # Whole letters first (й is y, not an accented и), then the accents of the rest are dropped.
    mapped = "".join(LETTERS.get(letter) or _syllable(letter) for letter in composed)
    plain = unicodedata.normalize("NFKD", mapped)
    latin = "".join(LETTERS.get(letter, letter) for letter in plain)
    kept = (letter for letter in latin if letter in " '-" or "a" <= letter <= "z")
    return "".join(kept).title().replace("'S ", "'s ")


def _syllable(letter: str) -> str:
    """The sounds of a Hangul syllable; any other letter as it is."""
    first, middle, last = FIRST.split(), MIDDLE.split(), LAST.split()
    place = ord(letter) - HANGUL
    if not 0 <= place < len(first) * len(middle) * len(last):
        return letter
    rest, at_last = divmod(place, len(last))
    at_first, at_middle = divmod(rest, len(middle))
    return (first[at_first] + middle[at_middle] + last[at_last]).replace(".", "")
