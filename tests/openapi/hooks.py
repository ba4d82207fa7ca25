"""What schemathesis cannot know by itself, and a tally of what it was answered."""

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
    # Where `cargo dev` has the webhooks' own URL.
    webhooks = raw_schema["paths"].pop("/")
    del webhooks["servers"]
    raw_schema["paths"]["/webhooks"] = webhooks
    # A caller must ignore members that it does not know; here none may go undescribed.
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
def tell():
    with open(os.environ["TALLY"], "w") as tally:
        for label, statuses in sorted(answers.items(), key=lambda it: it[0].split(" ")[::-1]):
            counts = ", ".join(f"{status} {count}x" for status, count in sorted(statuses.items()))
            print(f"      {label}: {counts}", file=tally)
