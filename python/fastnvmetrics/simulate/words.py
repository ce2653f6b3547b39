"""Files whose values change under a reader without ever being seen half-written.

The engine keeps its files open and reads each with one pread(2), so a file can neither be replaced
by rename(2) nor be rewritten: between truncation and write a reader would find it empty. Instead
each changing value has an aligned 8-byte word of the file to itself, in fixed width, and is
replaced by one 8-byte store into a shared mapping. Processors this runs on (x86-64, aarch64) do not
tear such a store, and the kernel copies aligned words to a reader whole, from the very page that is
mapped.
"""

from __future__ import annotations

import mmap
import os
import sys

__all__ = ["WORD", "WordFile", "counter_word", "value_word"]

WORD = 8

_COUNTER_LIMIT = 10**WORD


def value_word(value: int) -> bytes:
    """Return a sysfs attribute of one word: the number, blanks up to 7 characters, a newline.

    Parsers end at the first character that is no digit, and ``int()`` ignores blanks.
    """
    word = b"%-7d\n" % value
    if len(word) != WORD:
        raise ValueError(f"{value} does not fit in a word of {WORD - 1} characters")
    return word


def counter_word(value: int) -> bytes:
    """Return 8 digits, right-aligned; a counter that outgrows them begins again."""
    return b"%8d" % (value % _COUNTER_LIMIT)


class WordFile:
    """An existing file with words that are replaced in place.

    Parameters
    ----------
    path
        The file; whatever follows its last whole word cannot be changed.
    """

    def __init__(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size // WORD * WORD
            self._mapping = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)
        self._bytes = memoryview(self._mapping)
        # Assigning to an item of a "Q" view compiles to one 8-byte move (memoryobject.c,
        # pack_single), where slice assignment would be a memmove of bytes in any order. Mappings
        # begin at a page: item i is aligned.
        self._words = self._bytes.cast("Q")

    def store(self, index: int, word: bytes) -> None:
        """Replace word `index` by 8 bytes, in one store."""
        # In the byte order of the host, so that the first byte comes first in memory.
        self._words[index] = int.from_bytes(word, sys.byteorder)

    def close(self) -> None:
        """Unmap the file; the words stay as they are."""
        self._words.release()
        self._bytes.release()
        self._mapping.close()
