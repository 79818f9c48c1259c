"""Life-cycle news for the rooms above: sent after commit, unless told otherwise, with ``session`` as the only argument.

====================  ======================================================================
``session_started``   the session became active for the first time
``session_changed``   the session took a step of its life-cycle, whichever it was, or got more time
``session_finished``  the session was submitted, terminated or expired
``session_closed``    everything that came in has been analysed and the scores are final
``evidence_removed``   pictures and raw observations go, because their time is over; sent before the commit
====================  ======================================================================
"""

from django.dispatch import Signal

session_started = Signal()
session_changed = Signal()
session_finished = Signal()
session_closed = Signal()
evidence_removed = Signal()
