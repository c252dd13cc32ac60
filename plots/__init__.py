"""The interactive pictures: one module a lab, and the parts they share (style, page, flipbook, live)."""
