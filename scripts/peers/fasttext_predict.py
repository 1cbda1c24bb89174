"""Predict with fastText (package fasttext), a label and a probability a line, as its ``predict-prob`` does.

python scripts/peers/fasttext_predict.py model.bin texts.txt predicted.txt
"""

from __future__ import annotations

import argparse

import fasttext


def main() -> None:
    """Read, predict, write, line by line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "texts", "output"):
        parser.add_argument(name)
    arguments = parser.parse_args()
    model = fasttext.load_model(arguments.model)
    with open(arguments.texts, encoding="utf-8") as texts, open(arguments.output, "w", encoding="utf-8") as output:
        for text in texts:
            # Not model.predict: 0.9.3 asks NumPy for a view without a copy, which NumPy 2 refuses.
            ((prob, label),) = model.f.predict(text, 1, 0.0, "strict")
            output.write(f"{label} {prob:.6f}\n")


if __name__ == "__main__":
    main()
