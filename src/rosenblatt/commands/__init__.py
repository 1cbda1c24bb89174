"""The commands, one file each; every one reads top to bottom as the story of what it does."""
