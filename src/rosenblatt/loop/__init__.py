"""Around the Trainer: checkpoints, going on to the same bits, signals, progress, and what makes small steps quick."""
