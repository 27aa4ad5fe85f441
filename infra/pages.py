"""Addresses on our own page, for links from Prefect and MLflow."""

from urllib.parse import quote

from infra.settings import Settings


def symbol_page(settings: Settings, symbol: str) -> str:
    """Address of a share's page."""
    return f"{settings.web_ui}/symbol/{quote(symbol, safe='')}"


def model_page(settings: Settings, version: str) -> str:
    """Address of a model version's page."""
    return f"{settings.web_ui}/model/{quote(version, safe='')}"
