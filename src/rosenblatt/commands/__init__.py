"""The commands, one file each; every one reads top to bottom as the story of what it does."""

from omegaconf import OmegaConf

# ${better:val/acc} in a YAML file: whether that metric is to be low or high.
OmegaConf.register_new_resolver("better", lambda metric: "min" if metric.endswith("loss") else "max", replace=True)
