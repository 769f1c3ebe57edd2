"""Loggers of a run: the run folder always, and a tracker (W&B, TensorBoard, trackio) beside it."""

from colorize.tracking.logger import Guarded, JsonLines, Logger, Loggers, Tracker, start_tracker
from colorize.tracking.tensorboard_trackio import TensorBoard, Trackio
from colorize.tracking.wandb import WandB

__all__ = ["Guarded", "JsonLines", "Logger", "Loggers", "TensorBoard", "Tracker", "Trackio", "WandB", "start_tracker"]
