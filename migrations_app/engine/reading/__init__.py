"""Reading: the rows of a slice, whatever they are read for, with retries, pauses and lost cursors."""
