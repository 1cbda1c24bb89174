"""The run folder: what is in it, files that are there whole or not at all, and the machine that it was made on."""
