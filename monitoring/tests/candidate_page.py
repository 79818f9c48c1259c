"""The candidate page as a candidate uses it, and what goes over its wires."""

import json
import re

STEPS_MS = 20_000
POINTS = 5


NO_COMPLAINTS = ("Failed to load resource", "A VideoFrame was garbage collected")
"""A browser notes every call that gets no answer, with which the page deals. And now and then a frame nobody closed:
most likely the one that still waits in the camera's stream when the worker that reads it ends."""


class CandidatePage:
    """One tab with the page; remembers what the server acknowledged and what the browser complained of."""

    def __init__(self, window, line):
        self.line_to_server = line
        self.page = window.pages[0]
        self.page.set_default_timeout(STEPS_MS)
        self.acked, self.refused, self.complaints = [], [], []
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._hear))
        self.page.on("console", self._read)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, text):
        message = json.loads(text)
        if message["type"] == "ack":
            self.acked.append((message["stream"], message["seq"]))
        elif message["type"] == "error":
            self.refused.append(message)

    def _read(self, said):
        if said.type == "error" and not said.text.startswith(NO_COMPLAINTS):
            self.complaints.append(said.text)

    # --- before the exam ----------------------------------------------------------------------------------------------

    def open(self, path="/exam/demo/"):
        self.page.goto(f"{self.line_to_server.address}{path}")

    def load_again(self):
        """Reload, though the page asks whether that is meant."""
        self.page.once("dialog", lambda dialog: dialog.accept())
        self.page.reload()

    def register(self, name, email, password):
        self.page.click("[data-step=signin] [data-go=register]")
        self.page.fill("#register-name", name)
        self.page.fill("#register-email", email)
        self.page.fill("#register-password", password)
        self.page.click("#register-form .main")

    def sign_in(self, email, password):
        self.page.fill("#signin-email", email)
        self.page.fill("#signin-password", password)
        self.page.click("#signin-form .main")

    def sign_out(self):
        self.page.click("#sign-out")
        self.page.wait_for_selector("#signin-form")

    def agree(self):
        self.page.click("#consent-yes")

    def pass_check(self):
        self.page.click("#check-open")
        self.page.wait_for_selector("[data-check=microphone][data-state=good]")
        self.page.click("#check-send")
        self.page.wait_for_selector("[data-step=calibrate]")

    def calibrate(self):
        self.page.click("#calibrate-go")
        for number in range(1, POINTS + 1):
            self.page.wait_for_selector(f"#point[aria-label*='{number}']")
            self.page.click("#point")
        self.page.wait_for_selector("[data-step=ready]")

    # --- the exam -----------------------------------------------------------------------------------------------------

    def begin(self):
        self.page.click("#ready-go")
        self.page.wait_for_selector("#exam-line[data-state=online]")

    def write(self, code):
        """Type at the end of what is there, key by key."""
        self.page.click("#editor")
        self.page.keyboard.press("Control+End")
        self.page.keyboard.type(code)

    def hand_in(self, version):
        self.page.click("#editor-submit")
        self.page.wait_for_selector(f"#editor-state:has-text('Version {version} handed in')")

    def choose_problem(self, number):
        self.page.click(f"[data-problem='{number}']")

    def go_offline(self):
        """Lose the connection, and have the browser know it."""
        self.line_to_server.cut()
        self.page.context.set_offline(True)

    def come_back(self):
        self.line_to_server.mend()
        self.page.context.set_offline(False)

    def line(self):
        return self.page.get_attribute("#exam-line", "data-state")

    def wait_for_line(self, state):
        self.page.wait_for_selector(f"#exam-line[data-state={state}]", timeout=60_000)

    def noted(self):
        """Return what the page lists as noted about the candidate, without the times."""
        return [re.sub(r"^\S+(\s[AP]M)?\s+", "", entry) for entry in self.page.locator("#log li").all_inner_texts()]

    def finish(self):
        self.page.click("#exam-finish")
        self.page.click("#finish-yes")
        self.page.wait_for_selector("[data-step=outcome]", timeout=60_000)

    def camera_is_on(self):
        """Say whether the small picture of the own camera is alive."""
        return self.page.evaluate("document.getElementById('own-video').srcObject.active")
