"""Publishing on the Hugging Face Hub: a model, the shipped weights, and the project as a Space."""
