"""Where numbers and pictures of a run go: always to the run folder, and to a service that follows runs beside it."""

from colorize.tracking.guard import Guarded, begin
from colorize.tracking.lines import JsonLines
from colorize.tracking.local_trackio import Trackio
from colorize.tracking.logger import Logger, Loggers, Tracker
from colorize.tracking.tensorboard import TensorBoard
from colorize.tracking.weights_and_biases import WandB

__all__ = ["Guarded", "JsonLines", "Logger", "Loggers", "TensorBoard", "Tracker", "Trackio", "WandB", "begin"]
