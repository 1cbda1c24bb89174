"""From files and generators to batches, and what any LightningDataModule offers."""
