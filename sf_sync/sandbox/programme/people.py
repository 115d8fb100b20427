"""Who and what the programme is about: staff, groups and farmers of the org's own seed, and those who join."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from .submission import App, new_id

TRAINER = "003DM0000001F01AA2"
ADVISOR = "003DM0000001A01AA2"
ROLE = "a0PDM0000001R01AA2"  # of the trainer
OWNER = "9d1f0a3c5b7e4d2f8a6c1b0e3f5d7a92"  # the group of mobile workers that has the cases
PROJECT = "Coffee_KE_2024AC"

KENYA = App("30cee26f064e403388e334ae7b0c403b", 231, "demo.ft01")
MILLS = App("7be0c4d1a2f34e5d8c9b0a1f2e3d4c5b", 63, "demo.ba01")

VILLAGE = (-1.2864, 36.8172)
FIRST_HOUSEHOLD = 8  # the org's seed ends at household 07
VARIETIES = [
    "Bourbon",
    "Catuai",
    "Caturra",
    "Geisha",
    "Jember",
    "Kent",
    "Maragogype",
    "Mokka",
    "Novo",
    "Obata",
    "Pacas",
    "Ruiru",
    "Sidamo",
    "Tekisic",
    "Typica",
    "Villalobos",
]


@dataclass(frozen=True, slots=True)
class Group:
    """A group of farmers, and the session that it has this month."""

    id: str
    session: str
    name: str
    tns_id: str


GROUP = Group("a0TDM0000001G01AA2", "a0SDM0000001S01AA2", "Demo Hill Group 1", "DMOKE01")
OTHERS = (
    Group("a0TDM0000001G02AA2", "a0SDM0000001S02AA2", "Demo Barrio Group 2", "DMOPR02"),
    Group("a0TDM0000001G03AA2", "a0SDM0000001S03AA2", "Demo Barrio Group 3", "DMOPR03"),
)


@dataclass(frozen=True, slots=True)
class Farmer:
    """A participant, known to phones by the id of a case."""

    case_id: str
    first_name: str
    last_name: str
    gender: str
    household: int
    number: int = 1

    @property
    def household_id(self) -> str:
        return f"{GROUP.tns_id}{self.household:02d}"

    @property
    def tns_id(self) -> str:
        return f"{self.household_id}{self.number}"

    @property
    def phone(self) -> str:
        return f"07000{self.household:04d}{self.number}"


@dataclass(frozen=True, slots=True)
class Mill:
    """A wet mill, known to phones by the id of a case."""

    case_id: str
    tns_id: str
    name: str
    latitude: float
    longitude: float


KNOWN = (
    Farmer("e161e4b3-07eb-5458-8c92-a8e424eb2ed8", "Arabica", "Typica", "Female", 7),
    Farmer("0e275543-f315-5836-8965-37c259e2e9c4", "Caturra", "Catuai", "Male", 7, 2),
    Farmer("39d32118-c3b9-54e2-948f-ca5833db4f1f", "Geisha", "Maragogype", "Female", 1),
    Farmer("5da2cd30-77ba-5c31-ba27-523b70e15176", "Pacas", "Pacamara", "Male", 1, 2),
    Farmer("c85d17ae-7c39-58a8-95d5-9c45c9da7869", "Harar", "Sidamo", "Male", 3),
    Farmer("ef8d554f-44dd-5693-87b3-02d2f8cf32cd", "Ruiru", "Batian", "Female", 3, 2),
)


def newcomers(random: Random, number: int) -> list[Farmer]:
    """Farmers who join during the week, each with a new household."""
    return [
        Farmer(
            new_id(random),
            random.choice(VARIETIES),
            random.choice(VARIETIES),
            random.choice(("Female", "Male")),
            FIRST_HOUSEHOLD + place,
        )
        for place in range(number)
    ]


def mills(random: Random) -> list[Mill]:
    """Wet mills along a river."""
    names = ("Demo Ridge", "Demo River", "Demo Falls", "Demo Bridge", "Demo Valley")
    return [
        Mill(
            new_id(random),
            f"WM-DMO-{place:03d}",
            f"{name} Factory",
            -0.41 - 0.03 * place,
            36.93 + 0.04 * place,
        )
        for place, name in enumerate(names, start=1)
    ]
