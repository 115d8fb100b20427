"""Transactions and indexes of a table, against the plain idea of them."""

from hypothesis import given
from hypothesis import strategies as st

from sf_sync.sandbox.cells import FALSE, NULL, TRUE, cell_text, text_cell
from sf_sync.sandbox.schema import load
from sf_sync.sandbox.table import Table

VALUES = st.sampled_from(["", "a", "A", "b", "ü", "Ü"])
STEP = st.tuples(
    st.sampled_from(["insert", "update", "delete", "undelete", "remove", "late"]), st.integers(0, 5), VALUES
)


def cell(text: str) -> bytes:
    return text_cell(text) if text else NULL


def apply(table: Table, step: tuple[str, int, str]) -> None:
    kind, position, text = step
    if kind == "insert":
        table.insert({"LastName": cell(text), "IsDeleted": FALSE})
        return
    ids = [i for i in made(table) if table.newest(i) is not None]
    if not ids:
        return
    chosen = ids[position % len(ids)]
    if kind == "remove":
        table.remove(chosen)
    elif kind == "late":
        table.update(chosen, {"LastName": cell(text)}, visible_at=10.0)
    elif kind == "update":
        table.update(chosen, {"LastName": cell(text)})
    else:
        table.update(chosen, {"IsDeleted": TRUE if kind == "delete" else FALSE})


def made(table: Table) -> list[str]:
    return sorted({cell_text(one) for one in table.columns["Id"]})


def state(table: Table) -> dict[str, tuple[bytes, bytes, int | None] | None]:
    """For every record: its newest cells, and the version that readers see."""
    found: dict[str, tuple[bytes, bytes, int | None] | None] = {}
    for record_id in made(table):
        slot = table.newest(record_id)
        if slot is not None:
            cells = table.cell(slot, "LastName"), table.cell(slot, "IsDeleted")
            found[record_id] = (*cells, table.slot(record_id))
    return found


@given(st.lists(STEP, max_size=12), st.lists(STEP, max_size=12), st.lists(STEP, max_size=12))
def test_undoing_leaves_everything_as_it_was(
    before: list[tuple[str, int, str]], inside: list[tuple[str, int, str]], nested: list[tuple[str, int, str]]
) -> None:
    table = Table(load("contact"))
    table.found("LastName", cell("a"))
    for step in before:
        apply(table, step)
    at_first, live = state(table), list(table.slots(all_rows=False))
    outer = table.begin()
    for step in inside:
        apply(table, step)
    in_between = state(table)
    inner = table.begin()
    for step in nested:
        apply(table, step)
    table.undo(inner)
    assert state(table) == in_between
    table.undo(outer)
    table.end()
    assert state(table) == at_first
    assert list(table.slots(all_rows=False)) == live
    check_index(table)


@given(st.lists(STEP, max_size=25))
def test_an_index_finds_what_a_search_finds(steps: list[tuple[str, int, str]]) -> None:
    table = Table(load("contact"))
    for position, step in enumerate(steps):
        apply(table, step)
        if position == 3:
            table.found("LastName", cell("a"))
    check_index(table)


def check_index(table: Table) -> None:
    for text in ("a", "b", "ü"):
        wanted = [
            record_id
            for record_id, (last_name, deleted, _) in (
                (i, s) for i, s in state(table).items() if s is not None
            )
            if cell_text(last_name).casefold() == text and deleted != TRUE
        ]
        found = [cell_text(table.cell(slot, "Id")) for slot in table.found("LastName", cell(text.upper()))]
        assert found == wanted
