"""The commands, one file each; every one reads top to bottom as the story of what it does."""

from omegaconf import OmegaConf

from rosenblatt.titles import direction

# ${better:val/acc} in a YAML file: whether that metric is to be low or high.
OmegaConf.register_new_resolver("better", direction, replace=True)

# ${or:${sweep.name},...}: the first, or where it is null the second.
OmegaConf.register_new_resolver("or", lambda first, second: second if first is None else first, replace=True)
