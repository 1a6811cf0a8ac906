"""A table as Markdown, LaTeX and HTML, and the files that tables and figures are written to."""
