"""What there is to predict: labels, target, loss, metrics, decisions and how sure they are, one class a task."""
