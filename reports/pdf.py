"""From a report's content to a PDF, by WeasyPrint."""

from __future__ import annotations

from collections.abc import Mapping
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
from monitoring.timeline import draw_unlabelled
from reports.context import EVIDENCE, ReportContext

TEMPLATE = "reports/session.html"
STYLE_SHEET = "reports/print.css"
TIMELINE_WIDTH = 760


def render_html(context: ReportContext, *, generated_at: datetime, language: str = "") -> str:
    """Return the report as HTML, in the site's language unless another is named, and in its time zone whoever asks."""
    with translation.override(language or settings.LANGUAGE_CODE), timezone.override(None):
        drawing = draw_unlabelled(context.timeline, description=_("Timeline"), width=TIMELINE_WIDTH)
        return render_to_string(
            TEMPLATE,
            {
                "report": context,
                "generated_at": generated_at,
                "content_sha256": context.content_sha256(),
                "timeline": mark_safe(drawing.svg),  # noqa: S308  every text inside was escaped when it was drawn
                "rows": drawing.labels,
                "coverage_means": summary.COVERAGE_MEANS,
                "confidence_means": summary.CONFIDENCE_MEANS,
                "machine_points": summary.MACHINE_POINTS,
            },
        )


def render(context: ReportContext, *, generated_at: datetime, language: str = "") -> bytes:
    """Return the report as PDF; the same content, language and time give the same bytes.

    Raises:
        OSError: WeasyPrint's system libraries (Pango) are missing.
    """
    pictures = {f"{EVIDENCE}{entry.activity.id}": entry.picture.data for entry in context.entries if entry.picture}
    pictures |= {face.address: face.picture.data for face in context.faces if face.picture}
    return as_pdf(render_html(context, generated_at=generated_at, language=language), pictures=pictures)


def as_pdf(html: str, *, pictures: Mapping[str, bytes | None]) -> bytes:
    """Return a report's HTML as a tagged PDF (PDF/UA-1, ISO 14289-1), with these JPEGs by their addresses."""
    from weasyprint import CSS, HTML

    fetcher = _fetcher_of(pictures)
    style = CSS(string=_style_sheet(), url_fetcher=fetcher)
    pdf: bytes = HTML(string=html, url_fetcher=fetcher).write_pdf(stylesheets=[style], pdf_variant="pdf/ua-1")
    return pdf


def _style_sheet() -> str:
    found = finders.find(STYLE_SHEET)
    if not isinstance(found, str):
        raise FileNotFoundError(f"The style sheet {STYLE_SHEET} is missing.")
    return Path(found).read_text(encoding="utf-8")


def _fetcher_of(pictures: Mapping[str, bytes | None]) -> Any:
    """Give WeasyPrint the report's own pictures and nothing else, neither files nor the network."""
    from weasyprint.urls import URLFetcher, URLFetcherResponse

    class PictureFetcher(URLFetcher):  # type: ignore[misc]
        def fetch(self, url: str, headers: Any = None) -> Any:
            data = pictures.get(url)
            if data is None:
                raise ValueError(f"A report shows its own evidence only, not {url}.")
            return URLFetcherResponse(url, data, {"Content-Type": "image/jpeg"})

    return PictureFetcher()
