"""One trace of several that follow each other: what was recorded in pieces, in one piece."""
