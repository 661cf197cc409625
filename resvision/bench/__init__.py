"""Speed of a net on this machine: our ways to compute it beside the usual ones, in turn, under measured ceilings.

The modules that know bundles and engines alone reach no torch; `torch_contenders` and `usual_contenders` do.
"""
