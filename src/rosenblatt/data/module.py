"""The LightningDataModule that those of our own are."""

from __future__ import annotations

import lightning.pytorch as lightning

from rosenblatt.data.in_memory import InMemory


class DataModule(InMemory, lightning.LightningDataModule):
    """Splits in memory as a LightningDataModule; see `rosenblatt.data.in_memory.InMemory`.

    To add a source of data, derive from this and write `load`; any other LightningDataModule runs as well.
    """
