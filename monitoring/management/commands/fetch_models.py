"""``manage.py fetch_models``: bring the model weights that no package carries."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from vision import weights


class Command(BaseCommand):
    """Fetch weights from their publishers or a mirror folder; files that are there and right are left alone."""

    help = "Fetch the model weights, checked by SHA-256, from their publishers or from a mirror folder."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="also the weights that are only for comparison")
        parser.add_argument("--from", dest="mirror", type=Path, metavar="DIR", help="copy what this folder holds")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        mirror: Path | None = options["mirror"]
        try:
            wanted = _wanted(everything=options["all"], mirror=mirror)
            results = [self._fetch(weight, mirror, quiet=options["json"]) for weight in wanted]
        except weights.WeightError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(_report(results), indent=2))
        else:
            self._list(results)

    def _fetch(self, weight: weights.Weight, mirror: Path | None, *, quiet: bool) -> weights.FetchResult:
        from tqdm import tqdm

        with tqdm(
            total=weight.size,
            desc=weight.name,
            unit="B",
            unit_scale=True,
            leave=False,
            disable=True if quiet else None,  # None: only on a terminal
        ) as bar:

            def advance(done: int, _total: int) -> None:
                bar.update(done - bar.n)

            return weights.fetch(weight, mirror=mirror, progress=advance)

    def _list(self, results: list[weights.FetchResult]) -> None:
        words = {"present": "was there, verified", "copied": "copied, verified", "downloaded": "downloaded, verified"}
        self.stdout.write(f"Weights in {weights.directory()}:")
        for result in results:
            weight = result.weight
            size = f"{weight.size / 1e6:.1f} MB"
            self.stdout.write(
                f"  {weight.name:34} {size:>8}  {words[result.action]}; {weight.licence}; {weight.purpose}"
            )


def _wanted(*, everything: bool, mirror: Path | None) -> list[weights.Weight]:
    """Choose from the manifest: what the mirror holds, else what publishers offer."""
    if mirror is not None:
        if not mirror.is_dir():
            raise weights.WeightError(f"There is no mirror folder at {mirror}.")
        held = [weight for weight in weights.WEIGHTS if (mirror / weight.name).is_file()]
        if not held:
            names = ", ".join(weight.name for weight in weights.WEIGHTS)
            raise weights.WeightError(f"The mirror folder {mirror} holds none of {names}.")
        return held
    folder = weights.directory()
    return [
        weight
        for weight in weights.WEIGHTS
        if (weight.url and (weight.default or everything)) or weights.verify(folder / weight.name, weight)
    ]


def _report(results: list[weights.FetchResult]) -> dict[str, Any]:
    return {
        "directory": str(weights.directory()),
        "weights": [
            {
                "name": result.weight.name,
                "path": str(result.path),
                "action": result.action,
                "sha256": result.weight.sha256,
                "size": result.weight.size,
                "licence": result.weight.licence,
                "purpose": result.weight.purpose,
            }
            for result in results
        ],
    }
