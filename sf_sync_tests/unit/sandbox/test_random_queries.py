"""Queries put together by chance: each is answered or refused by the org, none breaks it."""

import json
import random

from sf_sync.sandbox.schema import ObjectType
from sf_sync.sandbox.seed.build import Sizes

from .conftest import make_client

LITERALS = (
    "'x'", "'a%'", "''", "5", "-1.5e3", "true", "null", "2024-05-20", "2024-05-20T00:00:00Z", "TODAY", "LAST_N_DAYS:3",
    "N_YEARS_AGO:99999", "LAST_N_DAYS:99999999", "'003Hs0000000001IAA'", "'O\\'B'", "2024-13-45", "1024-01-01",
    "0001-01-01T00:00:00+14:00",
)  # fmt: skip
PATHS = ("Foo", "Account.Name", "Owner.Name", "Who.Type", "a.b.c", "CreatedBy.Name", "MailingAddress")


class Chance:
    """Makes queries."""

    def __init__(self, kinds: list[ObjectType]) -> None:
        self.rng = random.Random(7)
        self.kinds = kinds

    def path(self, kind: ObjectType) -> str:
        return self.rng.choice(PATHS) if self.rng.random() < 0.1 else self.rng.choice(kind.fields).name

    def condition(self, kind: ObjectType, depth: int = 0) -> str:
        chance, rng = self.rng.random(), self.rng
        if depth < 3 and chance < 0.2:
            return f"({self.condition(kind, depth + 1)} {rng.choice(['AND', 'OR'])} {self.condition(kind, depth + 1)})"
        if depth < 3 and chance < 0.3:
            return f"NOT {self.condition(kind, depth + 1)}"
        if chance < 0.45:
            options = ",".join(rng.choices(LITERALS, k=2))
            return f"{self.path(kind)} {rng.choice(['IN', 'NOT IN', 'INCLUDES', 'EXCLUDES'])} ({options})"
        if chance < 0.5:
            other = rng.choice(self.kinds)
            return f"{self.path(kind)} IN (SELECT {self.path(other)} FROM {other.name})"
        operator = rng.choice(["=", "!=", "<", "<=", ">", ">=", "LIKE"])
        return f"{self.path(kind)} {operator} {rng.choice(LITERALS)}"

    def query(self) -> str:
        rng, kind = self.rng, self.rng.choice(self.kinds)
        path = self.path(kind)
        item = rng.choice(
            [path] * 6 + [f"COUNT({path})", f"MIN({path}) a", f"AVG({path})", "COUNT()", "FIELDS(ALL)"]
        )
        text = f"SELECT {item} FROM {kind.name}"
        text += f" WHERE {self.condition(kind)}" if rng.random() < 0.7 else ""
        text += f" GROUP BY {path}" if rng.random() < 0.2 else ""
        text += (
            f" ORDER BY {self.path(kind)} {rng.choice(['', 'DESC', 'ASC NULLS LAST'])}"
            if rng.random() < 0.3
            else ""
        )
        return text + (f" LIMIT {rng.choice([0, 1, 200])}" if rng.random() < 0.3 else "")


def test_no_query_breaks_the_org() -> None:
    client = make_client(Sizes(contacts=40, tasks=30, leads=10, products=3))
    chance = Chance(list(client.org.kinds.values()))
    answered = 0
    for _ in range(1_500):
        soql = chance.query()
        reply = client.send("GET", "/queryAll", {"q": soql})
        assert reply.status in (200, 400), soql
        json.loads(reply.data)
        answered += reply.status == 200
        job = client.job(soql, "queryAll")
        if job.status == 200:
            results = client.send("GET", f"/jobs/query/{json.loads(job.data)['id']}/results")
            assert results.status == 200, soql
            assert results.data.startswith(b'"')
    assert answered > 200
