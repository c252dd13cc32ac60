"""The course as web pages: `make site` writes them from the executed notebooks."""
