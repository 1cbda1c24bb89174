"""Pages that explain a run, or a sweep, in one file: no network, no script, nothing beside them."""
