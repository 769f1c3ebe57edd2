"""Automatic image colorization: four families of networks, one trainer, one way of judging them."""

__version__ = "0.1.0"
