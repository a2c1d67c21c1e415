r"""Some characters must not stand in a text; these tables name them, by where the text goes. Every place has its own
table, and this says why.

What has no width or changes the direction of writing is harmless in a row and dangerous before a person's eyes; a line
end is what a note is made of, and forges a line of a log. So there is no one table: a text is judged by the strictest
place that it goes to, and no stricter. Names of people who act are stricter than all of these: `str.isprintable`.
Characters without width inside addresses and links are a matter of reading those, in `campaigns`.
"""

import re

# Parts of the tables below, as they stand between the brackets of a regular expression.
LONE_SURROGATES = "\ud800-\udfff"  # halves of characters: no encoding takes them
CONTROLS = "\x00-\x1f\x7f-\x9f"  # C0 and C1: NUL, tab, line ends, escape ...
CONTROLS_IN_LINES = "\x00-\x08\x0b-\x1f\x7f-\x9f"  # all but tab and line feed
CONTROLS_IN_TYPED_TEXT = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f"  # C0 but tab, line feed and carriage return
C1 = "\x80-\x9f"
DIRECTIONS = "\u202a-\u202e\u2066-\u2069"  # what follows is written the other way round
LINE_ENDS_AND_DIRECTIONS = "\u2028-\u202e"  # Unicode's own line ends stand next to them
BYTE_ORDER_MARK = "\ufeff"
TAGS = "\U000e0000-\U000e007f"  # invisible letters: a whole sentence that only a machine reads


def table(*parts: str) -> re.Pattern[str]:
    return re.compile(f"[{''.join(parts)}]")


# A column or JSON of PostgreSQL, which refuses NUL and cannot be sent a half of a character. Nothing else: a mail may
# have any form.
UNSTORABLE = table("\x00", LONE_SURROGATES)

# A reason, a note, a cause: stored, and shown in pages, logs and terminals. People write notes with tabs and line ends.
IN_A_REASON = table(CONTROLS_IN_LINES, LONE_SURROGATES)

# What a vendor said, quoted in one line of an error.
IN_A_LINE = table(CONTROLS, LONE_SURROGATES)

# A prompt that an operator has typed. C1 stays: it is what Word's quotation marks turn into on some ways here, and a
# model reads over it; marks of direction are needed by who writes Hebrew or Arabic.
IN_A_TEMPLATE = table(CONTROLS_IN_TYPED_TEXT, LONE_SURROGATES)

# A mail that a model has written: as a prompt, and nothing that shows the reader another text than was checked.
IN_A_MAIL = table(CONTROLS_IN_TYPED_TEXT, C1, DIRECTIONS, LONE_SURROGATES)

# A cell of a CSV: a name or a title is one line and one direction. A half of a character cannot come out of UTF-8.
IN_A_CELL = table(CONTROLS, LINE_ENDS_AND_DIRECTIONS, "\u2066-\u2069", BYTE_ORDER_MARK)

# A lead's record inside a prompt: strangers wrote it, and nothing in it may be invisible to who reads along. The
# joiners (U+200C, U+200D) stay: Persian names and emoji are written with them.
IN_A_RECORD = table(
    CONTROLS, "\u200b\u200e\u200f", LINE_ENDS_AND_DIRECTIONS, "\u2060-\u206f", LONE_SURROGATES, BYTE_ORDER_MARK, TAGS
)

# A line of a log: nothing forges a line or colours a terminal, and nothing at all is invisible.
IN_A_LOG = table(
    CONTROLS,
    "\xad\u061c\u180e\u200b-\u200f",
    LINE_ENDS_AND_DIRECTIONS,
    "\u2060-\u206f\ufff9-\ufffb",
    BYTE_ORDER_MARK,
    LONE_SURROGATES,
    TAGS,
)
