"""The interactive pictures: one module a lab; style, page, flipbook and live are shared."""
