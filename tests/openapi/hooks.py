"""Hooks of schemathesis: tokens, signatures and stricter schemas, and a count of the responses."""

import atexit
import base64
import collections
import hashlib
import hmac
import os

import schemathesis

# local/adyen-simulator/src/keys.rs
HMAC_KEY = bytes.fromhex("dead0001" * 8)
SIGNED = "pspReference originalReference merchantAccountCode merchantReference".split()

answers = collections.defaultdict(collections.Counter)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    # The URL of the webhooks function in `cargo dev`.
    webhooks = raw_schema["paths"].pop("/")
    del webhooks["servers"]
    raw_schema["paths"]["/webhooks"] = webhooks
    # Callers ignore unknown members, but this test rejects members that openapi.yaml lacks.
    for schema in raw_schema["components"]["schemas"].values():
        if schema.get("type") == "object":
            schema.setdefault("additionalProperties", False)


@schemathesis.hook
def map_body(context, body):
    """Signs standard webhooks, so that some are accepted."""
    items = body.get("notificationItems") if isinstance(body, dict) else None
    for item in items if isinstance(items, list) else []:
        event = item.get("NotificationRequestItem") if isinstance(item, dict) else None
        if not isinstance(event, dict):
            continue
        amount = event.get("amount")
        amount = amount if isinstance(amount, dict) else {}
        fields = [event.get(name) for name in SIGNED]
        fields += [amount.get("value"), amount.get("currency"), event.get("eventCode"), event.get("success")]
        text = ":".join("" if field is None else str(field) for field in fields)
        signature = hmac.digest(HMAC_KEY, text.encode("utf-8", "replace"), hashlib.sha256)
        event["additionalData"] = {"hmacSignature": base64.b64encode(signature).decode()}
    return body


@schemathesis.hook
def after_call(context, case, response):
    answers[case.operation.label][response.status_code] += 1


@atexit.register
def report():
    with open(os.environ["TALLY"], "w") as tally:
        for label, statuses in sorted(answers.items(), key=lambda it: it[0].split(" ")[::-1]):
            counts = ", ".join(f"{status} {count}x" for status, count in sorted(statuses.items()))
            print(f"      {label}: {counts}", file=tally)
