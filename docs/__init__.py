"""The site: its pages, the scripts of its figures, and `assemble`, which adds pages made from READMEs and docstrings."""
