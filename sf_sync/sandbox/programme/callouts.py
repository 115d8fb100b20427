"""What Salesforce sends: records that phones are to have as cases."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from .people import GROUP, OTHERS, OWNER, PROJECT, ROLE, TRAINER, Farmer, Group
from .submission import Document, new_id


def project_role(random: Random) -> Document:
    """The trainer."""
    role = {
        "projectRoleId": ROLE,
        "commCareCaseId": ROLE,
        "staffName": "Demo Trainer 01",
        "staffStatus": "Active",
        "staffId": TRAINER,
        "tnsId": "DMO-FT-01",
        "locationName": "Demo Hill",
        "roleForCommCare": "Farmer_Trainer",
        "currentModule": 5,
        "currentModuleName": "Erosion control",
        "previousModule": 4,
        "previousModuleName": "Weeding",
    }
    return _callout("Project Role", "projectRoles", [role], random)


def training_groups(random: Random, counter: int) -> Document:
    """The groups of the trainer."""
    groups = [
        {
            "trainingGroupId": group.id,
            "commCareCaseId": group.id,
            "trainingGroupName": group.name,
            "tnsId": group.tns_id,
            "locationName": "Demo Hill",
            "market": "Demo Market",
            "groupStatus": "Active",
            "staffId": ROLE,
            "householdCounter": counter if group is GROUP else 12,
            "measurementGroup": "MG-A",
            "cooperative": "COOP-7",
            "focalFarmerId": "",
            "assistantFocalFarmerId": "",
        }
        for group in (GROUP, *OTHERS)
    ]
    return _callout("Training Group", "trainingGroups", groups, random)


def training_sessions(random: Random) -> Document:
    """This month's training of each group."""
    return _callout(
        "Training Session", "trainingSessions", [_session(one) for one in (GROUP, *OTHERS)], random
    )


def participants(farmers: Sequence[Farmer], random: Random) -> Document:
    """Farmers of the group."""
    people = [
        {
            "participantId": f"a0QDM0000001P{number:02d}AA2",
            "commCareCaseId": farmer.case_id,
            "participantName": farmer.first_name,
            "participantMiddleName": "",
            "participantLastName": farmer.last_name,
            "participantAge": 41,
            "participantGender": farmer.gender,
            "participantPhoneNumber": farmer.phone,
            "participantOtherIDNumber": f"CM-{farmer.household:04d}",
            "participantPrimaryHouseholdMember": "Yes" if farmer.number == 1 else "No",
            "householdId": farmer.household_id,
            "householdPIMAId": f"a0HDM0000001H{farmer.household:02d}AA2",
            "householdName": f"{farmer.household:02d}",
            "HHID": farmer.household,
            "householdFarmSize": 350,
            "shadeTrees": "12",
            "tnsId": farmer.tns_id,
            "status": "Active",
            "trainingGroupId": GROUP.id,
        }
        for number, farmer in enumerate(farmers, start=1)
    ]
    return _callout("Participant", "participants", people, random)


def _session(group: Group) -> dict[str, Any]:
    return {
        "sessionId": group.session,
        "commCareCaseId": group.session,
        "trainingModuleName": "Erosion control",
        "trainingModuleNumber": 5,
        "currentPrevious": "Current",
        "sessionStatus": "Active",
        "trainingGroupName": group.name,
        "trainingGroupCommCareId": group.id,
        "trainingGroupResponsibleStaff": TRAINER,
    }


def _callout(job: str, array: str, records: Sequence[dict[str, Any]], random: Random) -> Document:
    return {
        "id": new_id(random),
        "source": "salesforce",
        "jobType": job,
        "uniqueProjectKey": PROJECT,
        array: [{**record, "ccMobileWorkerGroupId": OWNER} for record in records],
    }
