"""Life-cycle news for the rooms above: sent after commit, with ``session`` as the only argument.

====================  ======================================================================
``session_started``   the session became active for the first time
``session_finished``  the session was submitted, terminated or expired
``session_closed``    everything that came in has been analysed and the scores are final
====================  ======================================================================
"""

from django.dispatch import Signal

session_started = Signal()
session_finished = Signal()
session_closed = Signal()
