"""Products, price books, and the prices of every product in every book."""

from __future__ import annotations

from collections.abc import Sequence

from sf_sync.sandbox.cells import FALSE, TRUE, java_double, text_cell
from sf_sync.sandbox.schema import ObjectType

from . import pools
from .columns import Columns, Maker, complete

BOOKS = ("Standard Price Book", "Wholesale, EU", "Cooperatives")


def products(maker: Maker, kind: ObjectType, users: Sequence[bytes]) -> Columns:
    """All columns of Product2."""
    values = {f.name: f.values for f in kind.fields}
    rng, size = maker.rng, maker.size
    columns = maker.system(kind, users)
    columns |= {
        "Name": [text_cell(f"{rng.choice(pools.COMPANY_WORDS)} Product {row + 1}") for row in range(size)],
        "ProductCode": [b'"P-%05d"' % (row + 1) for row in range(size)],
        "StockKeepingUnit": [b'"SKU-%05d"' % (row + 1) for row in range(size)],
        "Description": maker.texts(pools.PHRASES, 0.5),
        "IsActive": maker.flags(0.9),
        "Family": maker.texts(values["Family"], 0.8),
        "QuantityUnitOfMeasure": maker.texts(values["QuantityUnitOfMeasure"], 0.6),
    }
    return complete(kind, columns, size)


def pricebooks(maker: Maker, kind: ObjectType, users: Sequence[bytes]) -> Columns:
    """All columns of Pricebook2; the first is the standard one."""
    columns = maker.system(kind, users, deleted=0)
    columns |= {
        "Name": [text_cell(BOOKS[row % len(BOOKS)]) for row in range(maker.size)],
        "IsActive": maker.flags(1),
        "IsStandard": [TRUE if row == 0 else FALSE for row in range(maker.size)],
    }
    return complete(kind, columns, maker.size)


def prices(
    maker: Maker, kind: ObjectType, users: Sequence[bytes], catalogue: Columns, books: Sequence[bytes]
) -> Columns:
    """All columns of PricebookEntry: product by product, book by book."""
    columns = maker.system(kind, users, deleted=0.01)
    count = len(books)
    rows = [row // count for row in range(maker.size)]
    columns |= {
        "Name": [catalogue["Name"][row] for row in rows],
        "ProductCode": [catalogue["ProductCode"][row] for row in rows],
        "Product2Id": [catalogue["Id"][row] for row in rows],
        "Pricebook2Id": [books[row % count] for row in range(maker.size)],
        "UnitPrice": maker.numbers(1, 500_000, 1.0, lambda cents: java_double(cents / 100)),
        "IsActive": maker.flags(0.95),
        "UseStandardPrice": maker.flags(0.2),
    }
    return complete(kind, columns, maker.size)
