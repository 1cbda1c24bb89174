"""Texts to features: words, n-grams, weights; and the sparse layer that takes them."""
