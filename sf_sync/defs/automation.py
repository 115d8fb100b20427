"""Models follow data: the sensor that evaluates the automation conditions of assets."""

import dagster as dg

from sf_sync.defs.initial_status import sensor_status
from sf_sync.settings import Settings


def automation_sensor(settings: Settings) -> dg.AutomationConditionSensorDefinition:
    """Dagster's own starts stopped; this one follows the setting."""
    return dg.AutomationConditionSensorDefinition(
        "models_follow_data",
        target=dg.AssetSelection.all(),
        default_status=sensor_status(settings),
        description="Rebuilds marts when the mirror tables below them have changed.",
    )
