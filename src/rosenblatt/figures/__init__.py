"""What is drawn of a run: tensors in, a matplotlib figure out; when to draw is decided elsewhere."""
