"""Conversations in the database."""

from __future__ import annotations

from pydantic import AwareDatetime, Field, JsonValue
from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from agentic_spliceai.records.base import Border, find, new_id, now, plain_json
from agentic_spliceai.records.database import Database
from agentic_spliceai.records.errors import UnknownRecordError
from agentic_spliceai.records.tables import ChatMessageRow, ChatSessionRow

_ADVICE = "`agentic-spliceai chat --list` shows the conversations."
_LATEST = "latest"


class ChatSession(Border):
    """A conversation."""

    id: str
    title: str
    model: str = Field(description="'offline', or the language model's name.")
    created_at: AwareDatetime
    updated_at: AwareDatetime
    model_calls: int
    tool_calls: int
    cost_usd: float
    evidence: int = Field(description="How many facts it has gathered.")


class ChatMessage(Border):
    """One message of a conversation."""

    sequence: int = Field(description="1 is the first.")
    at: AwareDatetime
    role: str = Field(description="user, assistant, tool, ...")
    kind: str = Field(description="text, plan, approval, ...")
    content: str
    payload: JsonValue = None


class SessionStore:
    """The conversations of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, title: str, model: str) -> ChatSession:
        """Begin a conversation."""
        at = now()
        with self._database.writing() as session:
            row = ChatSessionRow(id=new_id(), title=_storable(title), model=model, created_at=at, updated_at=at)
            session.add(row)
            return _session(row)

    def get(self, session_id: str) -> ChatSession:
        """Return a conversation by its id, an unambiguous beginning of it, or 'latest'.

        Raises
        ------
        UnknownRecordError
            If there is none, or more than one.
        """
        with self._database.session() as session:
            return _session(_get(session, session_id, prefix=True))

    def list(self, limit: int = 50) -> tuple[ChatSession, ...]:
        """Return the conversations, the one that was used last first."""
        with self._database.session() as session:
            return tuple(_session(row) for row in session.exec(_by_use().limit(limit)).all())

    def add_message(self, session_id: str, role: str, kind: str, content: str, payload: JsonValue = None) -> int:
        """Write a message down and return its place in the conversation, from 1 on."""
        with self._database.writing() as session:
            row = _get(session, session_id, lock=True)
            last = select(func.max(ChatMessageRow.sequence)).where(ChatMessageRow.session_id == row.id)
            sequence = (session.exec(last).one() or 0) + 1
            row.updated_at = now()
            session.add(row)
            session.add(
                ChatMessageRow(
                    session_id=row.id,
                    sequence=sequence,
                    at=row.updated_at,
                    role=role,
                    kind=kind,
                    content=_storable(content),
                    payload=plain_json(payload),
                )
            )
            return sequence

    def messages(self, session_id: str) -> tuple[ChatMessage, ...]:
        """Return the messages of a conversation, oldest first; `session_id` as for `get`."""
        with self._database.session() as session:
            row = _get(session, session_id, prefix=True)
            query = select(ChatMessageRow).where(ChatMessageRow.session_id == row.id)
            found = session.exec(query.order_by(col(ChatMessageRow.sequence))).all()
            return tuple(ChatMessage.model_validate(one.model_dump(exclude={"session_id"})) for one in found)

    def touch(
        self,
        session_id: str,
        *,
        model_calls: int = 0,
        tool_calls: int = 0,
        cost_usd: float = 0.0,
        evidence: int = 0,
        title: str | None = None,
    ) -> ChatSession:
        """Add to the counts of a conversation, and name it anew where a title is given."""
        with self._database.writing() as session:
            row = _get(session, session_id, lock=True)
            row.model_calls += model_calls
            row.tool_calls += tool_calls
            row.cost_usd += cost_usd
            row.evidence += evidence
            row.title = row.title if title is None else _storable(title)
            row.updated_at = now()
            session.add(row)
            return _session(row)


def _by_use() -> SelectOfScalar[ChatSessionRow]:
    return select(ChatSessionRow).order_by(col(ChatSessionRow.updated_at).desc(), col(ChatSessionRow.id).desc())


def _get(session: Session, session_id: str, *, prefix: bool = False, lock: bool = False) -> ChatSessionRow:
    if prefix and session_id == _LATEST:
        row = session.exec(_by_use().limit(1)).first()
        if row is None:
            raise UnknownRecordError("there is no conversation yet.", "Begin one with `agentic-spliceai chat`.")
        return row
    return find(session, ChatSessionRow, session_id, what="conversation", advice=_ADVICE, prefix=prefix, lock=lock)


def _session(row: ChatSessionRow) -> ChatSession:
    return ChatSession.model_validate(row.model_dump())


def _storable(text: str) -> str:
    """Return a text that every database keeps: pasted bytes may hold what is no Unicode, and a NUL."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")
