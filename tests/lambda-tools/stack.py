"""A stack in CloudFormation's view: the transformed template with the values of its parameters.

A reference to a resource becomes the resource's identity, which is its logical id and a digest
of the properties that CloudFormation can only set by creating the resource anew. So two stacks
differ in a reference exactly where an update would replace what it leads to.
"""

import copy
import hashlib
import json
import re
from functools import cache, cached_property

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from samtranslator.yaml_helper import yaml_parse

from cloudformation import TEMPLATE, Region, cloudformation

PSEUDO = {
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::Region": Region.region_name,
    "AWS::StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/shop/0a1b2c3d",
    "AWS::StackName": "shop",
    "AWS::URLSuffix": "amazonaws.com",
}
NOTHING = object()


@cache
def source():
    return yaml_parse(TEMPLATE.read_text())


@cache
def _schema(kind):
    return PROVIDER_SCHEMA_MANAGER.get_resource_schema(Region.region_name, kind).schema


def properties_of(kind, role):
    """The properties that a type's schema lists as `createOnlyProperties` or `primaryIdentifier`."""
    paths = _schema(kind).get(role) or []
    return {path.split("/")[2] for path in paths}


class Stack:
    def __init__(self, **parameters):
        declared = source()["Parameters"]
        unknown = parameters.keys() - declared.keys()
        assert not unknown, f"no such parameters: {unknown}"
        defaults = {name: about.get("Default", "") for name, about in declared.items()}
        self.parameters = {name: str(value) for name, value in {**defaults, **parameters}.items()}
        self.template = cloudformation(copy.deepcopy(source()), self.parameters)
        self._identities = {}
        self._missing = []

    # Values ---------------------------------------------------------------

    def resolve(self, value):
        if isinstance(value, list):
            items = [self.resolve(item) for item in value]
            return [item for item in items if item is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(function, argument)] = value.items()
            resolver = getattr(self, "_" + function.removeprefix("Fn::").lower(), None)
            if function in ("Ref", "Condition") and isinstance(argument, str) or function.startswith("Fn::"):
                assert resolver, f"{function} is not understood"
                return resolver(argument)
        members = {name: self.resolve(member) for name, member in value.items()}
        return {name: member for name, member in members.items() if member is not NOTHING}

    def _ref(self, name):
        if name == "AWS::NoValue":
            return NOTHING
        if name in self.parameters:
            return self.parameters[name]
        return PSEUDO.get(name) or self.identity(name)

    def _getatt(self, argument):
        name, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
        return f"{self.identity(name)}.{attribute}"

    def _sub(self, argument):
        text, variables = argument if isinstance(argument, list) else (argument, {})

        def value(match):
            name = match[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in variables:
                return str(self.resolve(variables[name]))
            return str(self._getatt(name) if "." in name else self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", value, text)

    def _join(self, argument):
        return argument[0].join(map(str, self.resolve(argument[1])))

    def _split(self, argument):
        return self.resolve(argument[1]).split(argument[0])

    def _select(self, argument):
        index, items = int(self.resolve(argument[0])), self.resolve(argument[1])
        if index < len(items):
            return items[index]
        self._missing.append(index)
        return ""

    def _findinmap(self, argument):
        name, top, second = (self.resolve(key) for key in argument)
        return self.template["Mappings"][name][top][second]

    def _if(self, argument):
        condition, yes, no = argument
        return self.resolve(yes if self._condition(condition) else no)

    def _condition(self, name):
        return self.resolve(self.template["Conditions"][name])

    def _equals(self, argument):
        one, other = (str(self.resolve(value)) for value in argument)
        return one == other

    def _not(self, argument):
        return not self.resolve(argument[0])

    def _and(self, argument):
        return all(self.resolve(item) for item in argument)

    def _or(self, argument):
        return any(self.resolve(item) for item in argument)

    def _contains(self, argument):
        return str(self.resolve(argument[1])) in map(str, self.resolve(argument[0]))

    # Resources ------------------------------------------------------------

    @cached_property
    def resources(self):
        """Type and resolved properties of every resource of the stack, by logical id."""
        there = {}
        for name, about in self.template["Resources"].items():
            if "Condition" not in about or self._condition(about["Condition"]):
                there[name] = (about["Type"], self.resolve(about.get("Properties", {})))
        return there

    def identity(self, name):
        """The resource's logical id, and a digest of the properties whose change replaces it."""
        if name not in self._identities:
            about = self.template["Resources"][name]
            fixed = properties_of(about["Type"], "createOnlyProperties")
            given = about.get("Properties", {})
            given = {member: self.resolve(given[member]) for member in sorted(fixed & given.keys())}
            digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()
            self._identities[name] = f"{name}#{digest[:12]}"
        return self._identities[name]

    def of_type(self, kind):
        return {name: properties for name, (type_, properties) in self.resources.items() if type_ == kind}

    # Refusals -------------------------------------------------------------

    def refusal(self):
        """The reason for which CloudFormation rejects these parameters, or None."""
        for name, about in source()["Parameters"].items():
            if reason := malformed(about, self.parameters[name]):
                return f"{name}: {reason}"
        for rule in self.template.get("Rules", {}).values():
            if "RuleCondition" in rule and not self.resolve(rule["RuleCondition"]):
                continue
            for assertion in rule["Assertions"]:
                if not self.resolve(assertion["Assert"]):
                    return assertion["AssertDescription"]
        if self.resources and self._missing:
            return f"Fn::Select cannot select nonexistent value at index {self._missing[0]}"
        return None


def malformed(about, value):
    if "AllowedValues" in about and value not in map(str, about["AllowedValues"]):
        return "not an allowed value"
    # CloudFormation's patterns must match the whole value.
    if "AllowedPattern" in about and not re.fullmatch(about["AllowedPattern"], value):
        return "does not match its pattern"
    if len(value) < int(about.get("MinLength", 0)) or len(value) > int(about.get("MaxLength", 4096)):
        return "too short or too long"
    return None
