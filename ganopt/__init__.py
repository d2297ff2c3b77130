"""ganopt: GANs of animal faces, made cheaper by distillation and transfer."""

__version__ = "0.1.0"
