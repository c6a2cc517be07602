"""The history of the tables: one file a revision in `versions`, run by Alembic.

A new one is made by Alembic's `revision --autogenerate`, with `agentic_spliceai.records.schema.configuration` on a
database of the last one, and named in `REVISIONS`; the tests compare what the files make with the models.
"""

from __future__ import annotations

#: Every revision, oldest first, so that an ordinary start need not load Alembic. A test holds them to the files.
REVISIONS = ("0001", "0002")
#: Of the tables that this version of the program uses.
HEAD = REVISIONS[-1]
#: Of a database of release 0.1.0, which kept no revision.
BASELINE = "0001"
