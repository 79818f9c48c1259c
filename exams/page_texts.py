"""What the scripts of the candidate page say; what the page itself says stands in its template."""

from __future__ import annotations

from django.utils.translation import gettext as _

from exams.kinds import RiskLevel


def page_texts() -> dict[str, str]:
    """Return every sentence by the name that the scripts know it by, in the reader's language.

    ``%(name)s`` is filled in by the scripts.
    """
    return _calls() | _exams() | _check() | _exam() | _editor() | _lines() | _after()


def _calls() -> dict[str, str]:
    return {
        "offline": _("The server cannot be reached. Check your connection, then try again."),
        "failed": _("That did not work. Try again in a moment."),
        "signed_out": _("You were signed out. Sign in again; nothing that you handed in is lost."),
        "not_candidate": _("This page is for candidates. Your account has another role; use the console."),
        "no_such_exam": _(
            "There is no exam of this name that you may sit. Ask your teacher to add you, then load this page again."
        ),
        "face_first": _("Look straight into the camera."),
        "face_take_first": _("Take the first picture"),
        "face_take_second": _("Take the second picture"),
        "face_wait": _("Comparing the pictures…"),
        "camera_denied": _(
            "Your browser does not let this page use the camera and the microphone. Allow both in the "
            "address bar, then try again."
        ),
        "camera_missing": _("No camera or no microphone was found. Plug them in, then try again."),
        "camera_busy": _("Another program uses the camera or the microphone. Close it, then try again."),
        "device_failed": _("Camera and microphone could not be opened. Try again, or use another browser."),
        "insecure": _("Camera and microphone work only over a secure connection (https) or on this very computer."),
    }


def _exams() -> dict[str, str]:
    return {
        "start": _("Start"),
        "go_on": _("Continue"),
        "see_outcome": _("See the outcome"),
        "minutes": _("%(count)s minutes"),
        "problems": _("%(count)s problems"),
        "opens": _("Opens %(time)s"),
        "closes": _("Open until %(time)s"),
        "consent_version": _("Version %(version)s of this text"),
        "begin": _("Begin the exam"),
        "resume_exam": _("Continue the exam"),
        "your_time": _("You have %(minutes)s minutes."),
        "break_time": _("Of these breaks you may take %(minutes)s minutes; the clock stops during a break."),
    }


def _check() -> dict[str, str]:
    return {
        "check_wait": _("Waiting"),
        "check_good": _("Good"),
        "check_look": _("Look at this"),
        "check_unknown": _("Not measured"),
        "camera_size": _("%(width)s × %(height)s"),
        "light_dark": _("Too dark: put a light in front of you."),
        "light_bright": _("Too bright: turn away from the window or the lamp."),
        "face_one": _("One face"),
        "face_none": _("No face is seen"),
        "face_many": _("%(count)s faces are seen"),
        "face_self": _("See that your face, and only yours, is in the oval."),
        "mic_speak": _("Speak a few words."),
        "mic_heard": _("You are heard."),
        "voice_optional": _("Not recorded: you may leave this out."),
        "voice_reading": _("Recording: read the sentence aloud."),
        "voice_waiting": _("Listening to what you read…"),
        "voice_known": _("Your voice is known."),
        "voice_unknown": _("Your voice is not known yet: try again, or go on without."),
        "voice_again": _("Read it again"),
        "voice_go": _("Record my voice"),
        "network_ms": _("%(ms)s ms there and back"),
        "screens_one": _("One screen"),
        "screens_more": _("More than one screen: disconnect the others."),
        "check_again": _("Check again"),
        "check_anyway": _("Continue all the same"),
        "check_continue": _("Continue"),
        "point": _("Point %(number)s of %(count)s: look at it, then press it"),
    }


def _exam() -> dict[str, str]:
    return {
        "time_left": _("%(time)s left"),
        "time_warning": _("%(minutes)s minutes are left."),
        "time_last": _("One minute is left. What you wrote is handed in by itself before time is up."),
        "time_up": _("Time is up."),
        "time_up_waits": _(
            "What was recorded is sent, then the exam closes by itself. If your connection was lost, it stays open for "
            "some minutes: ask your proctor if you need the lost time back."
        ),
        "paused": _("The exam is paused"),
        "paused_by_you": _("The clock stands still. Continue when you are ready."),
        "paused_until": _("The clock stands still. Your break ends by itself at %(time)s."),
        "paused_by_proctor": _("The proctor paused the exam, and will let it go on. The clock stands still."),
        "more_time": _("You were given %(minutes)s more minutes."),
        "going_on": _("The exam goes on."),
        "points": _("%(count)s points"),
        "problem_name": _("Problem %(number)s: %(title)s"),
        "not_answered": _("not handed in"),
        "answered": _("handed in"),
        "changed": _("changed since it was handed in"),
        "message_new": _("The proctor says: %(text)s"),
        "log_new": _("Noted: %(event)s"),
        "log_count": _("%(event)s (%(count)s times)"),
        "camera_lost": _(
            "The camera or the microphone stopped. Check that it is plugged in and that no other program uses it."
        ),
        "sound_blocked": _("Your browser holds the microphone back. Press any key or click anywhere in this page."),
        "storage_full": _(
            "This browser has no more room for what is recorded while the connection is lost. Go on working."
        ),
        "finish_says": _("What you wrote and did not hand in is handed in now. After that nothing can be changed."),
        "finish_up": _("What you did not hand in before the end stays out. After that no lost time can be given back."),
        "finish_no": _("Go on working"),
        "finish_wait": _("Wait"),
        "finish_left": _(
            "What was recorded while the connection was lost is being sent: %(count)s parts are left. "
            "Keep this page open."
        ),
        "own_fold": _("Hide my camera"),
        "own_show": _("Show my camera"),
        "other_window": _("The exam goes on in another window"),
        "taken_over": _("The exam was opened in another window. This one does not watch or send any more."),
        "continue_here": _("Continue here"),
        "no_client": _("The part of this page that sends camera and sound could not be loaded. Reload the page."),
    }


def _editor() -> dict[str, str]:
    return {
        "editor_label": _("Your answer to problem %(number)s"),
        "draft_none": _("Nothing written yet"),
        "draft_kept": _("Draft kept in this browser"),
        "draft_not_kept": _("Drafts cannot be kept in this browser: hand in often."),
        "sending": _("Handing in…"),
        "handed_in": _("Version %(version)s handed in at %(time)s"),
        "changed_since": _("Changed since version %(version)s; hand in again"),
        "plain_text": _("Plain text"),
    }


def _lines() -> dict[str, str]:
    return {
        "line_connecting": _("Connecting"),
        "line_online": _("Connected"),
        "line_offline": _("Connection lost; what is recorded is kept and sent later. Go on working."),
        "line_fallback": _("Connected by a slower way"),
        "line_closed": _("Disconnected"),
    }


def _after() -> dict[str, str]:
    return {
        "submitted": _("Your exam is handed in"),
        "terminated": _("The exam was ended by the proctor"),
        "expired": _("Time is up; your exam is closed"),
        "final_answers": _("%(count)s of %(all)s problems were handed in."),
        "risk": _("Points of the machine: %(score)s (%(level)s). They decide nothing by themselves."),
        "level_Low": str(RiskLevel.LOW.label),
        "level_Medium": str(RiskLevel.MEDIUM.label),
        "level_High": str(RiskLevel.HIGH.label),
        "reason": _("Reason: %(reason)s"),
        "decided_on": _("Decided on %(time)s"),
        "nothing_counted": _("No moment was held against you."),
        "evidence_of": _("What was kept of this moment: %(event)s"),
        "appeal_until": _("You may appeal until %(time)s."),
        "appeal_over": _("The time to appeal ended on %(time)s."),
        "appeal_again": _("You said on %(time)s:"),
    }
