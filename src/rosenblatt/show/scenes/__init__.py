"""What there is to draw of a model: tensors in, plain numbers and words out, which `rosenblatt.show.figures` draws."""
