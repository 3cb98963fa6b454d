"""Reading: the rows of a slice, with retries, pauses, lost cursors and a limit of the speed."""
