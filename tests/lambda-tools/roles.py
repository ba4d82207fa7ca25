#!/usr/bin/env python3
"""Compares each function's role with the actions that the function performs.

    roles.py ACTIONS    the file that RECORD_ACTIONS named while the tests ran

Of the built template as CloudFormation gets it: a role allows every action
that its function performed at DynamoDB, and no other; it reads the secrets
that the function's X_SECRET variables name, and no other; and apart from
writing logs that is all. A condition counts as true.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

from cloudformation import FUNCTION, LOGS, cloudformation

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / ".aws-sam/build/template.yaml"

SECRET = re.compile(r"arn:\$\{AWS::Partition\}:secretsmanager:\$\{AWS::Region\}:\$\{AWS::AccountId\}:secret:\$\{(\w+)\}-\?{6}")


def listed(value):
    return value if isinstance(value, list) else [value]


def met(value):
    """The value without its conditions."""
    if isinstance(value, dict):
        if "Fn::If" in value:
            return met(value["Fn::If"][1])
        return {name: met(member) for name, member in value.items()}
    if isinstance(value, list):
        return [met(item) for item in value]
    return value


def table(logical_id):
    """The name of a table in the file of actions."""
    return logical_id.removesuffix("Table").lower()


def resource(value):
    """The resource of a statement: orders, orders/index/open, or the parameter of a secret."""
    match value:
        case {"Fn::GetAtt": [str(logical_id), "Arn"]}:
            return table(logical_id)
        case {"Fn::Sub": str(text)}:
            if secret := SECRET.fullmatch(text):
                return secret[1]
            if index := re.fullmatch(r"\$\{(\w+)\.Arn\}(/index/\w+)", text):
                return table(index[1]) + index[2]
    return f"{value} (unexpected)"


def allowed(name, resources):
    """The (action, resource) pairs of the role of that name."""
    role = resources[name]["Properties"]
    pairs = set()
    attached = [
        about["Properties"]
        for about in resources.values()
        if about["Type"] == "AWS::IAM::ManagedPolicy" and {"Ref": name} in about["Properties"]["Roles"]
    ]
    for policy in role.get("Policies", []) + attached:
        for statement in listed(policy["PolicyDocument"]["Statement"]):
            if statement["Effect"] != "Allow" or statement.keys() - {"Effect", "Action", "Resource"}:
                pairs.add((f"{statement} (unexpected)", ""))
            for action in listed(statement["Action"]):
                for about in listed(statement["Resource"]):
                    pairs.add((action, resource(about)))
    for arn in role.get("ManagedPolicyArns", []):
        if arn != LOGS:
            pairs.add((f"{arn} (unexpected)", ""))
    return pairs


def needed(function, performed):
    """The actions that the function performed, and the secrets in its variables."""
    variables = function.get("Environment", {}).get("Variables", {})
    secrets = {value["Ref"] for name, value in variables.items() if name.endswith("_SECRET")}
    return performed | {("secretsmanager:GetSecretValue", secret) for secret in secrets}


def folder(logical_id):
    """The folder of a function: payment-methods for PaymentMethodsFunction."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", logical_id.removesuffix("Function")).lower()


def main(actions):
    performed = defaultdict(set)
    for line in Path(actions).read_text().splitlines():
        caller, action, about = line.split()
        performed[caller].add((action, about))
    template = yaml_parse(BUILT.read_text())
    functions = [name for name, about in template["Resources"].items() if about["Type"] == FUNCTION]
    resources = met(cloudformation(template, {})["Resources"])

    failures = 0
    roles = {}
    for logical_id in functions:
        function = resources[logical_id]["Properties"]
        role = function["Role"]["Fn::GetAtt"][0]
        has = allowed(role, resources)
        needs = needed(function, performed[folder(logical_id)])
        wrong = [f"needs {action} on {about} and may not" for action, about in sorted(needs - has)]
        wrong += [f"may {action} on {about} and never does" for action, about in sorted(has - needs)]
        if roles.setdefault(role, logical_id) != logical_id:
            wrong.append(f"shares its role with {roles[role]}")
        for problem in wrong:
            print(f"FAIL  {logical_id} {problem}")
        if not wrong:
            print(f"ok    {logical_id} may do what it does, {len(has)} actions, and nothing else")
        failures += len(wrong)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
