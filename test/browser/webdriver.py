# SPDX-License-Identifier: Apache-2.0
"""A browser driven over the WebDriver protocol with nothing but Python: chromedriver is started on a free port and asked in JSON."""

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015",
        "Tab": "\ue004", "Home": "\ue011", "End": "\ue010", "Space": " ", "Shift": "\ue008"}


def installed():
    return shutil.which("chromedriver") and shutil.which("chromium")


class Browser:
    def __init__(self, *, width=1400, height=900):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
                     "--disable-background-networking", f"--window-size={width},{height}", "--force-device-scale-factor=1"]
        chosen = {"browserName": "chrome", "goog:chromeOptions": {"args": arguments, "binary": shutil.which("chromium")},
                  "goog:loggingPrefs": {"browser": "ALL"}}
        try:
            self.await_driver()
            answer = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": chosen}})
        except BaseException:
            self.driver.kill()
            raise
        self.session = f"/session/{answer['sessionId']}"

    def await_driver(self):
        for _ in range(200):
            try:
                if self.ask("GET", "/status")["ready"]:
                    return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)
        raise RuntimeError("chromedriver does not answer")

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from None

    def close(self):
        try:
            self.ask("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait(10)

    def open(self, path):
        self.ask("POST", self.session + "/url", {"url": f"file://{path}"})

    def media(self, dark):
        """What the system wishes for: pages opened from now on see it."""
        wish = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("POST", self.session + "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {"features": [wish]}})

    def script(self, code, *arguments):
        return self.ask("POST", self.session + "/execute/sync", {"script": code, "args": list(arguments)})

    def keys(self, text, *, shift=False):
        """Types into what has the focus: a name of KEYS, or a text."""
        letters = [KEYS[text]] if text in KEYS else list(text)
        actions = [{"type": kind, "value": letter} for letter in letters for kind in ("keyDown", "keyUp")]
        if shift:
            actions = [{"type": "keyDown", "value": KEYS["Shift"]}, *actions, {"type": "keyUp", "value": KEYS["Shift"]}]
        self.ask("POST", self.session + "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def click_at(self, x, y):
        steps = [{"type": "pointerMove", "x": round(x), "y": round(y), "duration": 0}, {"type": "pointerDown", "button": 0},
                 {"type": "pointerUp", "button": 0}]
        self.ask("POST", self.session + "/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": steps}]})

    def click(self, selector):
        found = self.ask("POST", self.session + "/element", {"using": "css selector", "value": selector})
        self.ask("POST", f"{self.session}/element/{found[ELEMENT]}/click", {})

    def wheel(self, x, y, delta):
        steps = [{"type": "scroll", "x": round(x), "y": round(y), "deltaX": 0, "deltaY": delta, "duration": 0, "origin": "viewport"}]
        self.ask("POST", self.session + "/actions", {"actions": [{"type": "wheel", "id": "wheel", "actions": steps}]})

    def screenshot(self):
        return base64.b64decode(self.ask("GET", self.session + "/screenshot"))

    def log(self):
        return self.ask("POST", self.session + "/se/log", {"type": "browser"})
