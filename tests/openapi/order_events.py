"""Compares the order events of a running `cargo dev`, whose URL is the argument, with their JSON Schema."""

import json
import sys
import urllib.request

import jsonschema_rs

with urllib.request.urlopen(f"{sys.argv[1]}/workbench/api/order-events") as answer:
    events = json.load(answer)["orderEvents"]
with open("docs/order-event.schema.json") as file:
    schema = json.load(file)
# Receivers ignore unknown members, but this test rejects members that the schema lacks.
schema["additionalProperties"] = False
validator = jsonschema_rs.validator_for(schema, validate_formats=True)
faults = [f"{error.message} in {event}" for event in events for error in validator.iter_errors(event["detail"])]
for fault in faults[:5]:
    print(f"FAIL  {fault}", file=sys.stderr)
if not events:
    print("FAIL  there are no order events", file=sys.stderr)
if faults or not events:
    sys.exit(1)
changes = sorted({change for event in events for change in event["detail"]["changes"]})
print(f"ok    {len(events)} order events: {', '.join(changes)}")
