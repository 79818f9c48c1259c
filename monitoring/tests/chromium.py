"""A Chromium with tabs that really hide one another, and with recordings for its camera and microphone."""

import shutil
import subprocess
from contextlib import contextmanager

from monitoring.tests.test_server import wait_until

CHROMIUM = shutil.which("chromium")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--remote-debugging-port=0",
    "--window-size=1280,900",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]


@contextmanager
def chromium(folder, *, camera=None, microphone=None, language="en"):
    """Start a browser and give its window, whose pages are tabs; without recordings it shows and plays its test signal.

    Playwright does not start it, because pages of a browser that it starts all believe to be in front.
    """
    options = [
        *OPTIONS,
        f"--user-data-dir={folder}",
        f"--lang={language}",
        f"--accept-lang={language}",
        *([f"--use-file-for-fake-video-capture={camera}"] if camera else []),
        *([f"--use-file-for-fake-audio-capture={microphone}"] if microphone else []),
    ]
    from playwright.sync_api import sync_playwright  # not everywhere installed

    process = subprocess.Popen([CHROMIUM, *options, "about:blank"], stderr=subprocess.DEVNULL)
    try:
        port = folder / "DevToolsActivePort"
        wait_until(lambda: port.read_text().split())
        with sync_playwright() as playwright:
            address = f"http://127.0.0.1:{port.read_text().split()[0]}"
            browser = playwright.chromium.connect_over_cdp(address, no_defaults=True, is_local=True)
            yield browser.contexts[0]
    finally:
        process.kill()
        process.wait(10)
