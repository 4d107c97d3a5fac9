"""I/O that knows no business: HTTP, child processes that outlive us, archives, blob files, the data folder."""
