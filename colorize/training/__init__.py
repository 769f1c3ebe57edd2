"""One run, from a composed config to its summary. The face loads no torch: settings are checked before it is."""

from colorize.training.config_schema import TrainerSettings as TrainerSettings
