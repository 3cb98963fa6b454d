"""Page of Configure Schema: what it shows of a mapping table.

context.py     the template context of the whole page
rows.py        a row for each field
copied.py      the fields of an exact copy, which are locked
key_notes.py   what becomes of the source's key
preview.py     the first rows as they will arrive
row_counts.py  the rows of the collection
parts.py       which parts an edit has changed
"""
