"""The learner's side: pieces that are saved and found, progress, the doctor, Colab."""
