"""What a run looks like: figures, the page, TensorBoard, the terminal. Named arrays in, figures out."""
