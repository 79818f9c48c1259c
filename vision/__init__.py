"""Perception: pictures and sound in, facts out. Knows nothing of Django, databases or clocks."""

import os

# Before anything here loads numpy: its BLAS would keep threads spinning between two small products, which doubles what
# a picture costs. Workers share the cores among sessions, one thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
