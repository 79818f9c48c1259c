"""From the bytes somebody sent to one clear face, or a refusal that says what to do better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.errors import Refused
from accounts.face_worker import run_on_face_thread
from vision.analyzers import identity
from vision.analyzers.identity import Flaw, Portrait, Side, UnfitPicture
from vision.decoding import Picture, PictureError, PictureFault, decode_picture, downscale, sniff
from vision.head_picture import head_picture
from vision.loading import Availability, identity_availability, models

MAX_BYTES = 8 * 1024**2
WIDTH = 1280


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """A portrait and the picture in which it was seen."""

    portrait: Portrait
    rgb: Picture

    def head(self) -> bytes:
        """Return a small JPEG of the head."""
        return head_picture(self.rgb, identity.box_of(self.portrait, self.rgb))


Check = Callable[[Sequence[Portrait]], None]
"""Raises ``UnfitPicture`` for portraits that do not show what was asked for."""


class FaceUnavailable(Refused):
    """Faces are not recognised by this server."""

    code = "face_unavailable"
    status = 503

    def __init__(self) -> None:
        super().__init__(_("Recognition by face is not available here; use your password."))


class UnusablePicture(Refused):
    """Bytes that are no picture, or none that is taken."""

    code = "invalid_picture"
    status = 400


class UnfitFace(Refused):
    """A picture that does not show one clear face as asked for; ``measured`` says what was found instead."""

    status = 422

    def __init__(self, unfit: UnfitPicture) -> None:
        super().__init__(advice(unfit.flaw), code=unfit.flaw.value)
        self.measured = unfit.measured


def face_availability() -> Availability:
    """Say whether faces can be recognised here, in one sentence for staff."""
    found = identity_availability()
    if found.available and not settings.FACE_KEY:
        return Availability(False, "FACE_KEY is not set.", found.model)
    return found


def require_faces() -> None:
    """Raise ``FaceUnavailable`` unless faces can be recognised here."""
    if not face_availability().available:
        raise FaceUnavailable


def portray_pictures(pictures: Sequence[bytes], check: Check) -> list[Portrait]:
    """Return the one clear face in each of the encoded pictures, checked; raises what ``take_pictures`` raises."""
    return [taken.portrait for taken in take_pictures(pictures, check)]


def take_pictures(pictures: Sequence[bytes], check: Check) -> list[Taken]:
    """Return the one clear face in each of the encoded pictures, checked, with the pixels around it.

    Only headers are read here; pixels are decoded and models run on the thread for faces. Raises ``UnusablePicture``,
    ``UnfitFace`` and ``FacesBusy``.
    """
    for data in pictures:
        _refuse_by_header(data)
    try:
        return run_on_face_thread(lambda: _portray(pictures, check))
    except PictureError as error:
        raise _unusable(error) from error
    except UnfitPicture as unfit:
        raise UnfitFace(unfit) from unfit


def _portray(pictures: Sequence[bytes], check: Check) -> list[Taken]:
    decoded = (downscale(decode_picture(data), WIDTH) for data in pictures)
    taken = [Taken(identity.portray(rgb, models()), rgb) for rgb in decoded]
    check([one.portrait for one in taken])
    return taken


def _refuse_by_header(data: bytes) -> None:
    if len(data) > MAX_BYTES:
        raise too_large()
    try:
        sniff(data)
    except PictureError as error:
        raise _unusable(error) from error


def too_large() -> UnusablePicture:
    """Return the refusal of a file that is too large."""
    message = _("This picture is too large: at most %(megabytes)d MB are taken, and far fewer do.")
    return UnusablePicture(message % {"megabytes": MAX_BYTES // 1024**2}, code="too_large", status=413)


def _unusable(error: PictureError) -> UnusablePicture:
    if error.fault is PictureFault.TOO_LARGE:
        return UnusablePicture(
            _("This picture has too many pixels: send one of at most 12 megapixels."), code="too_large", status=413
        )
    if error.fault is PictureFault.UNKNOWN:
        return UnusablePicture(
            _("This is not a picture that can be read: send a JPEG, PNG or WebP file."),
            code="unsupported_media_type",
            status=415,
        )
    if error.fault is PictureFault.TOO_SMALL:
        return UnusablePicture(advice(Flaw.TOO_SMALL), code=Flaw.TOO_SMALL.value, status=422)
    if error.fault is PictureFault.EMPTY:
        return UnusablePicture(_("This picture is empty."))
    return UnusablePicture(_("This picture is damaged or cut off: take it again."))


def advice(flaw: Flaw) -> str:
    """Say what is wrong with the picture and what to do better."""
    return {
        Flaw.NO_FACE: _("No face was found: look into the camera, with your whole face in the picture."),
        Flaw.SEVERAL_FACES: _("More than one face is in the picture: nobody else, and no picture of a face, may be."),
        Flaw.TOO_SMALL: _("Your face is too small in the picture: come closer to the camera."),
        Flaw.CUT_OFF: _("A part of your face is outside the picture: move to its middle."),
        Flaw.COVERED: _("Your face cannot be seen completely: uncover it and look into the camera."),
        Flaw.DARK: _("It is too dark: put a light in front of you."),
        Flaw.BRIGHT: _("It is too bright: turn away from the lamp or the sun."),
        Flaw.BLURRED: _("The picture is blurred: hold still and clean the lens."),
        Flaw.TURNED: _("Look straight into the camera with your head upright."),
        Flaw.NOT_TURNED: _("Turn your head further to the side that was asked for, while your eyes stay open."),
        Flaw.WRONG_SIDE: _(
            "Your head is turned to the other side. If your camera shows a mirror image, send the picture unmirrored."
        ),
        Flaw.TURNED_TOO_FAR: _("Your head is turned too far: both eyes must be seen."),
    }[flaw]


def instruction(side: Side) -> str:
    """Say what the second picture must show."""
    if side is Side.LEFT:
        return _(
            "First picture: look straight into the camera. Second picture: turn your head to your left, a third of the "
            "way to your shoulder, so that both eyes can still be seen."
        )
    return _(
        "First picture: look straight into the camera. Second picture: turn your head to your right, a third of the "
        "way to your shoulder, so that both eyes can still be seen."
    )
