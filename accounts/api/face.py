"""Enrolling one's face, taking it back, and signing in by face."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.addresses import client_address
from accounts.api.answers import SIGNED_IN, SignedInSerializer, answer_tokens
from accounts.api.auth import JSON, PublicView, plain_request
from accounts.api.fields import PictureField
from accounts.face import MOST_PICTURES, enrol_face, remove_face
from accounts.face_pictures import MAX_BYTES, instruction, too_large
from accounts.face_sign_in import (
    CHALLENGE_S,
    issue_challenge,
    sign_in_by_face,
    sign_in_by_one_picture,
)
from accounts.models import FaceChallenge, FaceEnrolment
from accounts.openapi import describe
from accounts.permissions import signed_in
from vision.analyzers.identity import Side

MULTIPART = "multipart/form-data"
PICTURE_TEXT = "data:image/jpeg;base64,/9j/4AAQSkZJRgABAQAAAQABAAD…"
BASE64_LENGTH = (MAX_BYTES + 2) // 3 * 4 * 1.05
"""Base64 of the largest picture, with room for line breaks and the data URL's head."""


@extend_schema_field({"type": "string", "description": "An uploaded file, or base64, or a data: URL; at most 8 MB."})
class FacePictureField(PictureField):
    """A picture as bytes; one that is too large is told so by its status, 413."""

    def to_internal_value(self, data: Any) -> bytes:
        """Return the bytes."""
        if isinstance(data, UploadedFile):
            large = (data.size or 0) > MAX_BYTES
        else:
            large = isinstance(data, str) and len(data) > BASE64_LENGTH
        if large:
            raise too_large()
        return super().to_internal_value(data)


class FaceSerializer(serializers.Serializer):
    """One picture of one's face as ``face`` or ``file``, or several as ``pictures``, which makes sign-in surer."""

    face = FacePictureField(required=False)
    file = FacePictureField(required=False, help_text="The same as face.")
    pictures = serializers.ListField(
        child=FacePictureField(), required=False, min_length=1, max_length=MOST_PICTURES, allow_empty=False
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Put whatever was sent into ``pictures``."""
        single = [attrs[name] for name in ("face", "file") if name in attrs]
        pictures = [*single, *attrs.get("pictures", [])]
        if not pictures:
            raise serializers.ValidationError({"face": _("Send a picture of your face.")})
        if len(pictures) > MOST_PICTURES:
            message = _("At most %(count)d pictures are taken at once.") % {"count": MOST_PICTURES}
            raise serializers.ValidationError({"pictures": message})
        return {"pictures": pictures}


class EnrolledFaceSerializer(serializers.ModelSerializer):
    """That a face is enrolled: since when, for which model, and how good the picture was."""

    quality = serializers.DictField(child=serializers.FloatField(), help_text="Size, light, sharpness and angles.")

    class Meta:
        model = FaceEnrolment
        fields = ("enrolled_at", "model", "quality")


class MyFaceView(APIView):
    """``auth/me/face``."""

    parser_classes = (*JSON, MultiPartParser)
    throttle_scope = "sign_in"

    @describe(
        "Enrol my face",
        tag="accounts",
        says="One clear face that looks straight ahead, as a file or in base64; it takes the place of an earlier one. "
        "One small picture of the head is kept, encrypted, if the text agreed to says so. Needs consent of purpose "
        "`face` (409, `consent_required`). A picture that will not "
        "do is answered with 422 and what to do better: `no_face`, `several_faces`, `too_small`, `cut_off`, `covered`, "
        "`dark`, `bright`, `blurred`, `turned`, `different_people`.",
        request={"application/json": FaceSerializer, MULTIPART: FaceSerializer},
        sends={"face": PICTURE_TEXT},
        answer=EnrolledFaceSerializer,
        gets={
            "enrolled_at": "2026-03-02T09:00:00Z",
            "model": "dlib-resnet-v1+mediapipe-mesh",
            "quality": {"face_px": 260, "highlights": 0.8, "sharpness": 0.02, "yaw": 2.5, "pitch": -4.0, "roll": 1.0},
        },
        status=201,
    )
    def post(self, request: Request) -> Response:
        given = FaceSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        user = signed_in(request)
        picture, *more = given.validated_data["pictures"]
        enrolment = enrol_face(user=user, picture=picture, more=more, actor=user, ip_address=client_address(request))
        return Response(EnrolledFaceSerializer(enrolment).data, status=201)

    @describe(
        "Remove my face",
        tag="accounts",
        says="Deletes what is kept of my face at once; doing it again changes nothing.",
        status=204,
    )
    def delete(self, request: Request) -> Response:
        user = signed_in(request)
        remove_face(user=user, actor=user, ip_address=client_address(request))
        return Response(status=204)


class FaceChallengeRequestSerializer(serializers.Serializer):
    """Who wants to sign in."""

    # Not an EmailField: an impossible address is answered like an unknown one.
    email = serializers.CharField(max_length=254)


class FaceChallengeSerializer(serializers.Serializer):
    """What to do before the camera, and for how long that counts."""

    challenge = serializers.UUIDField()
    turn = serializers.ChoiceField(choices=FaceChallenge.Turn.choices, help_text="The person's own left or right.")
    instruction = serializers.CharField(help_text="The same as a sentence, in the reader's language.")
    expires_in = serializers.IntegerField(help_text="Seconds.")


class FaceChallengeView(PublicView):
    """``auth/login/face/challenge``."""

    throttle_scope = "sign_in"

    @describe(
        "Ask what to do to sign in by face",
        tag="accounts",
        says="The same answer for every address, known or not. A challenge lives two minutes and is good for one "
        "comparison; a picture that will not do does not use it up. Of one caller's challenges for an address the "
        "newest five stay.",
        request=FaceChallengeRequestSerializer,
        sends={"email": "candidate@example.com"},
        answer=FaceChallengeSerializer,
        gets={
            "challenge": "0b6b1f5e-93cb-4a0f-9d49-5f2d8f8f3a11",
            "turn": "left",
            "instruction": "First picture: look straight into the camera. Second picture: turn your head to your left, "
            "a third of the way to your shoulder, so that both eyes can still be seen.",
            "expires_in": CHALLENGE_S,
        },
        public=True,
    )
    def post(self, request: Request) -> Response:
        given = FaceChallengeRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        challenge = issue_challenge(email=given.validated_data["email"], ip_address=client_address(request))
        body = {
            "challenge": challenge.pk,
            "turn": challenge.turn,
            "instruction": instruction(Side(challenge.turn)),
            "expires_in": CHALLENGE_S,
        }
        return Response(FaceChallengeSerializer(body).data, headers={"Cache-Control": "no-store"})


class FaceSignInSerializer(serializers.Serializer):
    """Address, challenge, and two pictures: ``pictures`` in this order, or ``front`` and ``turned``."""

    PAIR: ClassVar[int] = 2

    email = serializers.CharField(max_length=254)
    challenge = serializers.UUIDField(required=False)
    pictures = serializers.ListField(
        child=FacePictureField(), required=False, min_length=PAIR, max_length=PAIR, help_text="From the front, turned."
    )
    front = FacePictureField(required=False)
    turned = FacePictureField(required=False)
    picture = FacePictureField(required=False, help_text="Alone, only where the deployment allows one picture.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Put the two pictures into ``pictures``, and say what is missing."""
        pictures = attrs.get("pictures") or [attrs[name] for name in ("front", "turned") if name in attrs]
        if "picture" in attrs and "challenge" not in attrs and not pictures:
            return attrs
        missing: dict[str, str] = {}
        if "challenge" not in attrs:
            missing["challenge"] = _("Ask for a challenge first (auth/login/face/challenge).")
        if len(pictures) != self.PAIR:
            missing["pictures"] = _("Send two pictures: one from the front, one with your head turned.")
        if missing:
            raise serializers.ValidationError(missing)
        return {**attrs, "pictures": pictures}


class FaceSignInView(PublicView):
    """``auth/login/face``."""

    parser_classes = (*JSON, MultiPartParser)
    throttle_scope = "sign_in"

    @describe(
        "Sign in by face",
        tag="accounts",
        says="Two pictures that are not mirrored, one from the front and one with the head turned as the challenge "
        "asked, as base64 or as files `front` and `turned`. Anything wrong but the pictures themselves is one answer "
        "(401, `wrong_credentials`) and counts for the lock-out as a wrong password does (429, `locked_out`). A "
        "picture that will not do is answered with 422 and what to do better, as at enrolment, or `not_turned`, "
        "`wrong_side`, `turned_too_far`; the challenge may then be tried again. A used or expired challenge: 409, "
        "`challenge_expired`. One `picture` alone is taken only where the deployment allows it (else 400, "
        "`challenge_needed`).",
        request={"application/json": FaceSignInSerializer, MULTIPART: FaceSignInSerializer},
        sends={
            "email": "candidate@example.com",
            "challenge": "0b6b1f5e-93cb-4a0f-9d49-5f2d8f8f3a11",
            "pictures": [PICTURE_TEXT, PICTURE_TEXT],
        },
        answer=SignedInSerializer,
        gets=SIGNED_IN,
        public=True,
    )
    def post(self, request: Request) -> Response:
        given = FaceSignInSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        fields, plain = given.validated_data, plain_request(request)
        if "pictures" in fields:
            front, turned = fields["pictures"]
            user, tokens = sign_in_by_face(
                request=plain, email=fields["email"], challenge_id=fields["challenge"], front=front, turned=turned
            )
        else:
            user, tokens = sign_in_by_one_picture(request=plain, email=fields["email"], picture=fields["picture"])
        return answer_tokens(tokens, user=user)
