"""The answers that checks compare with: slow, obvious and in float64, one module per lab."""
