"""A table as Markdown, LaTeX and HTML."""
