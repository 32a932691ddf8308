"""What integrations keep in the risk table."""

from risk.integrations.repository.integrations import IntegrationRepository
from risk.integrations.repository.work import WorkRepository

__all__ = ["IntegrationRepository", "WorkRepository"]
