"""Rosenblatt: a PyTorch Lightning + Hydra project template whose example is a complete classifier."""

__version__ = "0.1.0"
