"""Where numbers and pictures of a run go: always to the run folder, and to a service that follows runs beside it."""

from colorize.tracking.logger import Guarded, JsonLines, Logger, Loggers, Tracker, start_tracker
from colorize.tracking.tensorboard_trackio import TensorBoard, Trackio
from colorize.tracking.wandb import WandB

__all__ = ["Guarded", "JsonLines", "Logger", "Loggers", "TensorBoard", "Tracker", "Trackio", "WandB", "start_tracker"]
