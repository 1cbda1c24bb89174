"""Around every command: its words, its settings, and what is told of a mistake. It and commands/ alone know Hydra."""

from omegaconf import OmegaConf

# ${or:${sweep.name},...}: the first, or where it is null the second.
OmegaConf.register_new_resolver("or", lambda first, second: second if first is None else first, replace=True)
