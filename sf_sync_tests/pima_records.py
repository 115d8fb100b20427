"""Records of PIMA in a local org, as its forms leave them: attendances, farm visits, observations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from sf_sync.sandbox.server import LocalOrg

GREEN = (
    "Nearly all leaves are dark green and less than 5% (less than 5 in 100) are yellow, pale green, or brown."
)
FEW_WEEDS = "Few small weeds (less than 30cm) under the tree canopy"


def attend(org: LocalOrg, status: Mapping[int, str], day: date, *, session: int = 0, **counts: int) -> str:
    """Hold a session on that day, with the status of each farmer by place among the seed's; returns its id."""
    control = org.control
    given = str(control.ids("Training_Session__c")[session])
    control.update("Training_Session__c", given, {"Date__c": day, **counts})
    for place, value in status.items():
        farmer = control.ids("Participant__c")[place]
        control.insert(
            "Attendance__c",
            {
                "Submission_ID__c": f"{given}{farmer}",
                "Training_Session__c": given,
                "Participant__c": farmer,
                "Status__c": value,
            },
        )
    return given


def visit(
    org: LocalOrg,
    day: date,
    practices: Sequence[tuple[str, str]] = (("Pruning", "Centers opened"),),
    **answers: str,
) -> str:
    """A farm visit at the seed's first farmer, all that hangs on one; returns its id."""
    control = org.control
    farmer, group = control.ids("Participant__c")[0], control.ids("Training_Group__c")[0]
    key = f"FV-{day}"
    made = control.insert(
        "Farm_Visit__c",
        {
            "FV_Submission_ID__c": key,
            "Farm_Visit_Type__c": "Farm Visit Full - KE",
            "Training_Group__c": group,
            "Household__c": control.ids("Household__c")[0],
            "Date_Visited__c": day,
            "Farm_Visited__c": farmer,
        },
    )
    best = control.insert(
        "FV_Best_Practices__c", {"FV_Submission_ID__c": key, "Farm_Visit__c": made, **answers}
    )
    for number, (kind, method) in enumerate(practices):
        control.insert(
            "FV_Best_Practice_Results__c",
            {
                "Best_Practice_Result_Submission_ID__c": f"{key}_{number}",
                "FV_Best_Practices__c": best,
                "Best_Practice_Result_Type__c": kind,
                "Best_Practice_Result_Description__c": method,
            },
        )
    farm = control.insert(
        "Farm__c", {"TNS_Id__c": f"F-{day}", "Name": "01", "Latest_Farm_Visit_Record__c": made}
    )
    control.insert("Coffee_Variety__c", {"Name": f"CV-{day}", "Farm__c": farm})
    control.insert(
        "Check__c", {"Submission_ID__c": f"CHK-{day}", "Participant__c": farmer, "Farm_Visit__c": made}
    )
    return made


def observation(org: LocalOrg, day: date) -> str:
    """An observation of a training with one result; returns its id."""
    control = org.control
    made = control.insert("Observation__c", {"Submission_ID__c": f"OBS-{day}", "Date__c": day})
    criterion = control.ids("Observation_Criterion__c")[0]
    control.insert(
        "Observation_Result__c",
        {"Submission_ID__c": f"OR-{day}", "Observation__c": made, "Observation_Criterion__c": criterion},
    )
    return made
