"""From files and generators to batches. Knows nothing of models: both know `rosenblatt.data.features` only."""
