"""How things are drawn: plain numbers and words in, PNG and SVG out; what, and when, is decided elsewhere."""
