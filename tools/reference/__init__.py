"""Reference pages generated from the code: a module per page, each with a function `render`.

`python -m tools.reference` writes all pages to docs/reference, `python -m tools.reference cli` writes one of them.
"""
