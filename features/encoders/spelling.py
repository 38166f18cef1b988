"""A word's letters as one number, so that unknown and rare words can be read by their parts.

Names are written large, "un-" and "-less" turn what they stand beside, "-ly" goes with verbs. What
is made of the letters is up to the network.
"""

from __future__ import annotations

N_LETTERS, BITS = 12, 5  # 60 bits; of a longer word the first six letters and the last six
DIGIT, APOSTROPHE, HYPHEN, OTHER = 27, 28, 29, 30  # behind a = 1 to z = 26; 0 is none
CAPITAL = 1 << (N_LETTERS * BITS)  # set where the first letter is a capital

_CODES = {letter: code for code, letter in enumerate("abcdefghijklmnopqrstuvwxyz", start=1)}
_CODES |= dict.fromkeys("0123456789", DIGIT) | {"'": APOSTROPHE, "-": HYPHEN}


def spelling(word: str) -> int:
    """Its letters in groups of five bits, the first one lowest, and whether it is written large.

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
