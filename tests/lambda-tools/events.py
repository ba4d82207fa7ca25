#!/usr/bin/env python3
"""Invokes the functions with events/ through the developers' tools, and checks the answers.

    events.py watch      every event through `cargo lambda watch` and `invoke`
    events.py invoke     every event through `sam local invoke`
    events.py start-api  the documents' payments, and the smoke test of docs/deploying.md, through
                         `sam local start-api`
    events.py documents  the documents' payments as they are written there

Each runs against its own `cargo dev`, so with empty tables. Events run in the
order of events/expected.json: {EVENT: {"function", "status", "body"}}, where
body is the text, or the members, that the answer must have. `sam local` needs
`sam build` done and Docker reachable.
"""

import base64
import json
import os
import platform
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "events"
LOGS = Path(tempfile.mkdtemp(prefix="lambda-tools-"))
API, *OTHERS = 3000, 3001, 3002, 3003  # where `cargo dev` listens

ARCHITECTURE = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
SAM_OPTIONS = [
    "--skip-pull-image",
    "--parameter-overrides",
    f"Architecture={ARCHITECTURE[platform.machine().lower()]}",
]


class Failed(Exception):
    """A tool failed or returned an unexpected result."""


# Processes ------------------------------------------------------------------


def listening(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def log_tail(log):
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


@contextmanager
def running(name, command, ports, env=None):
    """Runs the command until the block ends, and enters the block once it listens on every port."""
    taken = [port for port in ports if listening(port)]
    if taken:
        raise Failed(f"{name} needs port {taken[0]}, where something listens already")
    log = LOGS / f"{name}.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **(env or {})}, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + 60
        while not all(map(listening, ports)):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"{name} does not start:\n{log_tail(log)}")
            time.sleep(0.1)
        yield log
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cargo_dev():
    # Containers reach the host's address, but not its loopback.
    return running("cargo-dev", [ROOT / "target/debug/dev", "--host", "0.0.0.0"], [API, *OTHERS])


def output(*command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}".strip())
    return done.stdout.strip()


# Checks ---------------------------------------------------------------------


def contains(actual, expected):
    """True if actual has all members, items and values of expected."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(
            name in actual and contains(actual[name], value) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(actual, list)
            and bool(actual) == bool(expected)
            and all(any(contains(item, value) for item in actual) for value in expected)
        )
    return actual == expected


def parsed(body):
    try:
        return json.loads(body)
    except ValueError:
        return body


def answer(text):
    """Status and body of a function's answer to API Gateway; None as the status of other answers."""
    response = json.loads(text.splitlines()[-1])
    if "statusCode" not in response:
        return None, response
    body = response.get("body") or ""
    if response.get("isBase64Encoded"):
        body = base64.b64decode(body).decode()
    return response["statusCode"], parsed(body)


def check(status, body, expected_status, expected_body):
    if isinstance(expected_body, str):
        expected_body = parsed(expected_body)
    if status != expected_status or not contains(body, expected_body):
        raise Failed(
            f"expected {expected_status} {json.dumps(expected_body)}\n"
            f"      got      {status} {json.dumps(body)}"
        )


class Tally:
    """Counts and prints the checks that passed."""

    def __init__(self):
        self.passed = self.failed = 0

    def run(self, name, step):
        started = time.monotonic()
        try:
            step()
        except (Failed, subprocess.TimeoutExpired, ValueError, OSError) as failure:
            self.failed += 1
            print(f"FAIL  {name}: {failure}", flush=True)
        else:
            self.passed += 1
            print(f"ok    {name} ({time.monotonic() - started:.1f} s)", flush=True)


# The tools ------------------------------------------------------------------


def every_event(tool, tally, invoke):
    expectations = json.loads((EVENTS / "expected.json").read_text())
    without = {path.stem for path in EVENTS.glob("*.json")} - set(expectations) - {"env", "expected"}
    if without:
        raise Failed(f"events without an expectation: {', '.join(sorted(without))}")
    for name, expected in expectations.items():

        def step():
            got = answer(invoke(expected["function"], EVENTS / f"{name}.json"))
            check(*got, expected["status"], expected.get("body", {}))

        tally.run(f"{tool} {name}", step)


def host_variables():
    """The variables of events/env.json for a process instead of a container."""
    merged = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    for variables in json.loads((EVENTS / "env.json").read_text()).values():
        merged.update(variables)
    return {name: value.replace("host.docker.internal", "127.0.0.1") for name, value in merged.items()}


def watch(tally):
    port = free_port()
    watching = ["cargo", "lambda", "watch", "--ignore-changes", "--invoke-port", str(port)]
    with cargo_dev(), running("cargo-lambda-watch", watching, [port], host_variables()):

        def invoke(function, event):
            return output(
                "cargo", "lambda", "invoke", function, "--invoke-port", str(port), "--data-file", event
            )

        every_event("cargo lambda invoke", tally, invoke)
        smoke_test("cargo dev", tally, API)


def logical_id(function):
    return "".join(word.capitalize() for word in function.split("-")) + "Function"


def invoke(tally):
    with cargo_dev():
        every_event(
            "sam local invoke",
            tally,
            lambda function, event: output(
                "sam", "local", "invoke", logical_id(function), "--event", event, *SAM_OPTIONS
            ),
        )


# Sections of documents whose commands are run and whose answers are compared.
PAYMENTS = [
    ("README.md", "See one payment"),
    ("docs/local.md", "A payment"),
    ("docs/local.md", "A subscription"),
]


# Stands for the further members of a list.
MORE = "…"


def section(document, title):
    """The blocks of a section: the first is not a request, and the others are commands and answers."""
    text = (ROOT / document).read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)
    texts = [text for _, text in blocks]
    if [language for language, _ in blocks] != ["sh", *["sh", "json"] * (len(blocks) // 2)]:
        raise Failed(f"{document}, {title}: not one command, then commands and answers in turn")
    # `cargo dev` is already running.
    before = "" if texts[0] == "cargo dev\n" else texts[0]
    answers = (json.loads(text.replace(f", {MORE}]", f', "{MORE}"]')) for text in texts[2::2])
    return before, list(zip(texts[1::2], answers))


def alike(actual, printed):
    """True if an answer equals the printed one, except for values that differ each time."""
    if isinstance(printed, dict) and isinstance(actual, dict):
        return list(actual) == list(printed) and all(
            name in ("pspReference", "createdAt", "updatedAt") or alike(actual[name], value)
            for name, value in printed.items()
        )
    if isinstance(printed, list) and printed[-1:] == [MORE] and isinstance(actual, list):
        return all(map(alike, actual, printed[:-1])) and len(actual) >= len(printed) - 1
    if isinstance(printed, list) and isinstance(actual, list):
        return len(actual) == len(printed) and all(map(alike, actual, printed))
    return actual == printed


def pay_as_documented(tool, tally, port):
    for document, title in PAYMENTS:
        pay_as_in(document, title, tool, tally, port)


def pay_as_in(document, title, tool, tally, port):
    before, steps = section(document, title)
    for command, printed in steps:

        def step():
            script = f"set -e\n{before}\n{command}".replace("127.0.0.1:3000", f"127.0.0.1:{port}")
            # Webhooks arrive after a moment.
            deadline = time.monotonic() + 20
            while not alike(got := parsed(output("bash", "-c", script)), printed):
                if time.monotonic() > deadline:
                    raise Failed(f"{document} has {json.dumps(printed)}\n      got {json.dumps(got)}")
                time.sleep(0.5)

        tally.run(f"{tool} {re.search('127.0.0.1:3000([^ ]+)', command)[1]}", step)


def smoke_test(tool, tally, port):
    """The smoke test of docs/deploying.md. Webhooks go to `cargo dev`."""
    section = (ROOT / "docs/deploying.md").read_text().split("## 4. A smoke test\n")[1]
    command = re.search(r"```sh\nAPI_URL=…\n(.*?)```", section, re.DOTALL)[1]
    urls = f"API_URL=http://127.0.0.1:{port} WEBHOOK_URL=http://127.0.0.1:{API}/webhooks"

    def step():
        lines = output("bash", "-c", f"{urls}\n{command}").splitlines()
        wrong = [line for line in lines if not line.startswith("401 ")]
        if wrong or not lines:
            raise Failed(f"expected 401 of every route, got {wrong}")

    tally.run(f"{tool} smoke test", step)


def as_documented(tally):
    with cargo_dev():
        pay_as_documented("documents", tally, API)
        smoke_test("documents", tally, API)


def start_api(tally):
    port = free_port()
    serving = ["sam", "local", "start-api", "--port", str(port), *SAM_OPTIONS]
    with cargo_dev(), running("sam-local-start-api", serving, [port]):
        # Adyen's webhook goes to `cargo dev`, which shares the tables.
        pay_as_documented("sam local start-api", tally, port)
        smoke_test("sam local start-api", tally, port)


def main(modes):
    known = {"watch": watch, "invoke": invoke, "start-api": start_api, "documents": as_documented}
    if not modes or not set(modes) <= set(known):
        sys.exit(__doc__)
    tally = Tally()
    for mode in modes:
        try:
            known[mode](tally)
        except (Failed, OSError) as failure:
            tally.failed += 1
            print(f"FAIL  {mode}: {failure}")
    if tally.failed:
        print(f"logs: {LOGS}")
    print(f"{tally.passed} passed, {tally.failed} failed")
    sys.exit(1 if tally.failed else 0)


if __name__ == "__main__":
    os.environ["SAM_CLI_TELEMETRY"] = "0"
    main(sys.argv[1:])
