"""The autograder: one module per lab with a `Check` per exercise, and the engine they share."""
