"""Reads an uploaded file: from bytes to a roster, each module using those above it only.

text: bytes → physical lines. Is it a text file, in which encoding, where do its lines end?
rows: lines → rows of cells. Delimiters and quotation marks; it knows nothing about columns.
header: the first row → the format. Opens the file, finds the delimiter, compares the header with the two formats.
faults: `RowReader`, the base of all readers below: it counts rows, enforces the limits and reports problems.
peers: files of other products, by their header. suspicions: group names that may not be what was meant (see also
`domain.spreadsheets`).
user_based and group_based: rows → a roster, by way of their base `roster_reader`. roster_file chooses between them.
licence_file: rows → the users to license.
"""
