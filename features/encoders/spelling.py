"""A word's letters as one number, so that unknown and rare words are read by their parts.

Names are capitalised, "un-" and "-less" negate, "-ly" marks adverbs. The network decides what to
make of the letters.
"""

from __future__ import annotations

N_LETTERS, BITS = 12, 5  # 60 bits; of longer words, the first six letters and the last six
DIGIT, APOSTROPHE, HYPHEN, OTHER = 27, 28, 29, 30  # after a = 1 to z = 26; 0 is no letter
CAPITAL = 1 << (N_LETTERS * BITS)  # set where the first letter is a capital

_CODES = {letter: code for code, letter in enumerate("abcdefghijklmnopqrstuvwxyz", start=1)}
_CODES |= dict.fromkeys("0123456789", DIGIT) | {"'": APOSTROPHE, "-": HYPHEN}


def spelling(word: str) -> int:
    """Its letters in groups of five bits, the first one lowest, and whether it is capitalised.

    Example:
        >>> spelling("ab") == 1 + (2 << BITS)
        True
        >>> spelling("Ab") == spelling("ab") + CAPITAL
        True
        >>> spelling("unforgettable") == spelling("unforettable")
        True
    """
    small, half = word.lower(), N_LETTERS // 2
    letters = small if len(small) <= N_LETTERS else small[:half] + small[-half:]
    packed = sum(_CODES.get(letter, OTHER) << (BITS * at) for at, letter in enumerate(letters))
    return packed + CAPITAL * word[0].isupper()
