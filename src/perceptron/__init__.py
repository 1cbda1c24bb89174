"""The project: the book's perceptron, its loop, and its points. It stands on rosenblatt, and nothing there knows it."""
