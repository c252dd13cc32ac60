"""Numbers measured on the reader's machine, where a lab's pictures would be too long with them."""
