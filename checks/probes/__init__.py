"""Probes that one lab alone needs, where its checks would be too long with them."""
