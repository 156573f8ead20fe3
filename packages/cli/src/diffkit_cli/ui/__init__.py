"""The page of `diffkit ui`: watch runs, and play with their networks. Imports reports, training and sampling, which compute all.

`watch` has the curves of runs, `play` what a network generates. Needs the extra diffkit-cli[ui].
"""
