"""Every call of the interface, and what it should answer to whom; written by hand, by what each role may do.

Nobody: 401. A role that may never make the call: 403. A role that may, about somebody else's: 404.
"""

from proctoring.tests.permission_rows import (
    accounts,
    exams,
    faces,
    intake,
    monitoring,
    overview,
    reports,
    service,
    sessions,
)

PAGES = service.PAGES
ROWS = [
    *service.ROWS,
    *accounts.ROWS,
    *faces.ROWS,
    *exams.ROWS,
    *sessions.ROWS,
    *intake.ROWS,
    *monitoring.ROWS,
    *overview.ROWS,
    *reports.ROWS,
]
