"""What a GPU does with this project, in one command: ``python -m bench.perf.gpu``.

It needs torch, numpy and three small packages of the core, no network and no data set; the parts are processes of their
own, each with its share of the time, so none can take the others with it.
"""
