"""Models follow data: the sensor that evaluates the automation conditions of assets."""

import dagster as dg

from sf_sync.settings import Settings


def automation_sensor(settings: Settings) -> dg.AutomationConditionSensorDefinition:
    """Dagster's own starts stopped; this one follows the setting."""
    status = dg.DefaultSensorStatus.RUNNING if settings.automation else dg.DefaultSensorStatus.STOPPED
    return dg.AutomationConditionSensorDefinition(
        "models_follow_data",
        target=dg.AssetSelection.all(),
        default_status=status,
        description="Rebuilds marts when the mirror tables below them have changed.",
    )
