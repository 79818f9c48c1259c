"""The Bangla catalogue: which messages there are, and whether each is translated.

Messages come from our code and templates, and from the libraries whose words people see, as far as those libraries
bring no Bangla of their own. Babel, which reads and writes the files, is a tool of development, not of the server.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from babel.messages import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "proctoring/locale/bn/LC_MESSAGES/django.po"
COMPILED = CATALOGUE.with_suffix(".mo")

OURS = ("accounts", "exams", "monitoring", "proctoring", "reports", "templates", "vision")
LIBRARIES = {
    "rest_framework": "*.py",
    "rest_framework_simplejwt": "**/*.py",
    "django_filters": "**/*.py",
    "axes": "**/*.py",
}
DJANGO = ("conf", "contrib/admin", "contrib/auth", "contrib/contenttypes")
LEFT_OUT = re.compile(r"/(tests|migrations|browsable|management)/|rest_framework/renderers\.py")
LANGUAGE_NAMES = "global_settings.py"
KEYWORDS: dict[str, Any] = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop")),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    "npgettext": ((1, "c"), 2, 3),
}

BENGALI = re.compile(r"[\u0980-\u09FF]")
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[sd]|\{\w*\}")
CODE = re.compile(r"(?:[A-Z0-9][A-Z0-9_/.-]*|[^A-Za-z]*)(?:\s+(?:[A-Z0-9][A-Z0-9_/.-]*|[^A-Za-z]*))*")
"""What is the same in every language: signs, numbers and abbreviations such as SHA-256."""

Id = str | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """One message: its text (and plural), its context, and the file it stands in."""

    id: Id
    context: str | None
    where: str

    @property
    def key(self) -> tuple[str, str | None]:
        """What the catalogue files it under."""
        return (_first(self.id), self.context)


def find_messages() -> list[Found]:
    """Return every message that people may read, each once."""
    found: dict[tuple[str, str | None], Found] = {}
    for message in (*_of_ours(), *_of_libraries(), *_of_django()):
        known = found.get(message.key)
        if known is None or isinstance(known.id, str):
            found[message.key] = message
    return list(found.values())


def _of_ours() -> Iterator[Found]:
    for folder in OURS:
        for path in sorted((ROOT / folder).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            if path.suffix == ".py" and not LEFT_OUT.search(f"/{name}") and path.name != Path(__file__).name:
                yield from _in_file(path, name)
            elif path.suffix in (".html", ".txt") and folder == "templates":
                yield from _in_file(path, name, templatize)


def _of_libraries() -> Iterator[Found]:
    for package, pattern in LIBRARIES.items():
        folder = _folder(package)
        for path in sorted(folder.glob(pattern)):
            name = f"{package}/{path.relative_to(folder).as_posix()}"
            if not LEFT_OUT.search(f"/{name}"):
                yield from _in_file(path, name)


def _of_django() -> Iterator[Found]:
    """Django brings Bangla, but not for everything it says."""
    for part in DJANGO:
        locale = _folder("django") / part / "locale"
        with (locale / "bn/LC_MESSAGES/django.po").open("rb") as file:
            theirs = read_po(file)
        with (locale / "en/LC_MESSAGES/django.po").open("rb") as file:
            for message in read_po(file):
                known = theirs.get(_first(message.id), message.context)
                done = known is not None and not known.fuzzy and all(_texts(known))
                if message.id and not done and not _names_a_language(message):
                    yield Found(_pair(message.id), message.context, f"django/{part}")


def _pair(text: Any) -> Id:
    return text if isinstance(text, str) else (text[0], text[1])


def _first(text: Any) -> str:
    return text if isinstance(text, str) else text[0]


def _names_a_language(message: Message) -> bool:
    return any(LANGUAGE_NAMES in name for name, _line in message.locations)


def _in_file(path: Path, name: str, prepare: Callable[[str], str] | None = None) -> Iterator[Found]:
    text = path.read_text(encoding="utf-8")
    source = io.BytesIO((prepare(text) if prepare else text).encode())
    for _line, found, _comments, context in extract("python", source, keywords=KEYWORDS):
        if found and found != ("", ""):
            yield Found(found if isinstance(found, str) else (found[0], found[1]), context, name)


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(package)
    return Path(spec.origin).parent


def read_catalogue() -> Catalog:
    """Return the translations as they stand, an empty catalogue if there are none."""
    if not CATALOGUE.exists():
        return Catalog(locale="bn", fuzzy=False)
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="bn")


def update_catalogue() -> Catalog:
    """Write the catalogue anew: every message there is, with the translation it had, and the compiled file."""
    before, after = read_catalogue(), Catalog(locale="bn", fuzzy=False, charset="utf-8", project="Proctoring")
    after.header_comment = "# Bangla for people who sit exams, review them and run the server."
    for message in sorted(find_messages(), key=lambda item: (item.where, item.key[0])):
        known = before.get(message.key[0], message.context)
        text: Any = known.string if known is not None else ""
        if isinstance(message.id, tuple) and not isinstance(text, tuple):
            text = (text, text)
        elif isinstance(message.id, str) and isinstance(text, tuple):
            text = text[0]
        flags = ["python-format"] if re.search(r"%(\(\w+\))?[sd]", message.key[0]) else []
        after.add(message.id, text, locations=[(message.where, 0)], flags=flags, context=message.context)
    CATALOGUE.parent.mkdir(parents=True, exist_ok=True)
    with CATALOGUE.open("wb") as file:
        write_po(file, after, width=120, include_lineno=False, omit_header=False)
    COMPILED.write_bytes(compiled())
    return after


def compiled() -> bytes:
    """Return the compiled form of the catalogue; the same catalogue gives the same bytes."""
    out = io.BytesIO()
    write_mo(out, read_catalogue())
    return out.getvalue()


def find_problems() -> list[str]:
    """Return one line for each message without proper Bangla, and for files that are not up to date."""
    catalogue, problems = read_catalogue(), []
    found = find_messages()
    for message in found:
        known = catalogue.get(message.key[0], message.context)
        if known is None:
            problems.append(f"{message.where}: {message.key[0]!r} is not in the catalogue.")
        else:
            problems += [f"{message.where}: {message.key[0]!r} {problem}" for problem in _problems_of(message, known)]
    wanted = {message.key for message in found}
    for entry in catalogue:
        key = _first(entry.id)
        if key and (key, entry.context) not in wanted:
            problems.append(f"{key!r} is in the catalogue, but nobody says it any more.")
    if not COMPILED.exists() or COMPILED.read_bytes() != compiled():
        problems.append("The compiled catalogue is not up to date.")
    return problems


def _problems_of(message: Found, known: Message) -> Iterator[str]:
    originals = (message.id,) if isinstance(message.id, str) else message.id
    for original, text in zip(originals, _texts(known), strict=False):
        plain = PLACEHOLDER.sub("", original)
        if not text:
            yield "has no Bangla text."
        elif CODE.fullmatch(plain.strip()):
            continue
        elif text == original:
            yield "is the same in Bangla."
        elif not BENGALI.search(text):
            yield "has no Bengali letters."
        missing = set(PLACEHOLDER.findall(original)) ^ set(PLACEHOLDER.findall(text)) if text else set()
        if missing and isinstance(message.id, str):
            yield f"does not hold the same placeholders: {', '.join(sorted(missing))}."


def _texts(message: Message) -> tuple[str, ...]:
    text: Any = message.string
    return (text,) if isinstance(text, str) else tuple(text)
