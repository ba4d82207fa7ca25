#!/usr/bin/env python3
"""Prints the CloudFormation template that SAM produces from template.yaml, as JSON.

    cloudformation.py PARAMETER=VALUE…
"""

import json
import sys
from pathlib import Path

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"

FUNCTION = "AWS::Serverless::Function"
LOGS = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


class Region:
    """The part of a boto3 session that the translator uses."""

    region_name = "eu-west-1"


def cloudformation(template, parameters):
    """The template that CloudFormation receives, with these parameters and defaults for the others."""
    for described in template["Resources"].values():
        if described["Type"] == FUNCTION:
            described["Properties"]["CodeUri"] = "s3://bucket/code"
    defaults = {name: about.get("Default", name) for name, about in template["Parameters"].items()}
    policies = {"AWSLambdaBasicExecutionRole": LOGS}
    translator = Translator(policies, Parser(), boto_session=Region())
    return translator.translate(template, {**defaults, **parameters})


if __name__ == "__main__":
    chosen = dict(argument.split("=", 1) for argument in sys.argv[1:])
    print(json.dumps(cloudformation(yaml_parse(TEMPLATE.read_text()), chosen), indent=1))
