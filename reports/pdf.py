"""From a report's content to a PDF, by WeasyPrint."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from monitoring import summary
from monitoring.timeline import draw
from reports.context import ReportContext

TEMPLATE = "reports/session.html"
STYLE_SHEET = "reports/print.css"
PICTURE_ADDRESS = "evidence:"
TIMELINE_WIDTH = 760


def render_html(context: ReportContext, *, generated_at: datetime) -> str:
    """Return the report as HTML, in the site's language and time zone whoever asks."""
    with translation.override(settings.LANGUAGE_CODE), timezone.override(None):
        drawing = draw(context.timeline, description=_("Timeline"), width=TIMELINE_WIDTH)
        return render_to_string(
            TEMPLATE,
            {
                "report": context,
                "generated_at": generated_at,
                "content_sha256": context.content_sha256(),
                "timeline": mark_safe(drawing),  # noqa: S308  every text inside was escaped when it was drawn
                "coverage_means": summary.COVERAGE_MEANS,
                "confidence_means": summary.CONFIDENCE_MEANS,
                "machine_points": summary.MACHINE_POINTS,
            },
        )


def render(context: ReportContext, *, generated_at: datetime) -> bytes:
    """Return the report as PDF; the same content and time give the same bytes.

    Raises:
        OSError: WeasyPrint's system libraries (Pango) are missing.
    """
    from weasyprint import CSS, HTML

    fetcher = _evidence_fetcher(context)
    html = HTML(string=render_html(context, generated_at=generated_at), url_fetcher=fetcher)
    style = CSS(string=_style_sheet(), url_fetcher=fetcher)
    pdf: bytes = html.write_pdf(stylesheets=[style], pdf_tags=True)
    return pdf


def _style_sheet() -> str:
    found = finders.find(STYLE_SHEET)
    if not isinstance(found, str):
        raise FileNotFoundError(f"The style sheet {STYLE_SHEET} is missing.")
    return Path(found).read_text(encoding="utf-8")


def _evidence_fetcher(context: ReportContext) -> Any:
    """Give WeasyPrint the report's own pictures and nothing else, neither files nor the network."""
    from weasyprint.urls import URLFetcher, URLFetcherResponse

    pictures = {
        f"{PICTURE_ADDRESS}{entry.activity.id}": entry.picture.data for entry in context.entries if entry.picture
    }

    class EvidenceFetcher(URLFetcher):  # type: ignore[misc]
        def fetch(self, url: str, headers: Any = None) -> Any:
            data = pictures.get(url)
            if data is None:
                raise ValueError(f"A report shows its own evidence only, not {url}.")
            return URLFetcherResponse(url, data, {"Content-Type": "image/jpeg"})

    return EvidenceFetcher()
