"""The core of the Fashion-MNIST studio: data, networks, training, evaluation, runs. It knows no screen."""

__version__ = "0.1.0"
