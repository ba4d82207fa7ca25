#!/usr/bin/env python3
"""Checks the effects of a deployment on a stack, with the template that CloudFormation receives.

    deployment.py

Two stacks of one account do not collide. A changed parameter reaches the version that runs, and
a changed secret takes none from the version that still runs. Impossible parameters are refused.
Only a new version itself can stop a deployment.
"""

import json
import logging
import sys

from stack import Stack, properties_of, source

# Parameters that enable each optional part.
EVERYTHING = {
    "AdyenMerchantAccount": "Shop",
    "AdyenHmacKeysSecret": "shop/hmac",
    "AlarmEmail": "ops@shop.example",
    "AllowedOrigins": "https://shop.example",
    "AmazonPayLedgerCurrency": "EUR",
    "AmazonPayMerchantId": "A1B2C3",
    "AmazonPayPublicKeyId": "SANDBOX-ABC",
    "AmazonPaySandbox": "true",
    "AmazonPayStoreId": "amzn1.application-oa2-client.1",
    "DefaultReturnUrl": "https://shop.example/return",
    "KmsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/1",
    "OrderEventBus": "default",
    "OrdersWarmWrites": "10000",
    "WebhookBasicAuthSecret": "shop/basic-auth",
    "WebhookReservedConcurrency": "10",
}
LIVE = {
    "AdyenEnvironment": "live",
    "AdyenCheckoutUrl": "https://1797a841fbb37ca7-Shop-checkout-live.adyenpayments.com/checkout/v72",
    "AdyenRecurringUrl": "https://1797a841fbb37ca7-Shop-pal-live.adyenpayments.com/pal/servlet/Recurring/v68",
}
REQUIRED = {"AdyenMerchantAccount": "Shop", "DefaultReturnUrl": "https://shop.example/return"}
AMAZON_PAY = {
    "AmazonPayPublicKeyId": "SANDBOX-ABC",
    "AmazonPayMerchantId": "A1B2C3",
    "AmazonPayStoreId": "amzn1.application-oa2-client.1",
}

# Other values for parameters of type String.
ANOTHER = {
    "AdyenCheckoutUrl": "https://checkout-test.adyen.com/v71",
    "AdyenRecurringUrl": "https://pal-test.adyen.com/pal/servlet/Recurring/v67",
    "AlarmEmail": "others@shop.example",
    "AllowedOrigins": "https://shop.example,https://www.shop.example",
    "AllowedPaymentMethods": "amazonpay,ideal",
    "KeepPaymentMethods": "false",
    "AmazonPayLedgerCurrency": "GBP",
    "AmazonPayPublicKeyId": "SANDBOX-DEF",
    "DefaultReturnUrl": "https://shop.example/other",
    "KmsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/2",
}

FUNCTION = "AWS::Lambda::Function"
VERSION = "AWS::Lambda::Version"
# Properties of a function that its versions do not have.
NOT_VERSIONED = {"ReservedConcurrentExecutions"}


def another(name, value):
    """A different valid value of the parameter."""
    about = source()["Parameters"][name]
    if "AllowedValues" in about:
        return next(str(it) for it in about["AllowedValues"] if str(it) not in (value, ""))
    if about["Type"] == "Number":
        return str(int(value) + 1)
    return ANOTHER.get(name, f"{value}-2")


def text(value):
    return json.dumps(value, sort_keys=True)


def versions(stack):
    """The versioned properties of each function, and the identity of its version."""
    found = {}
    for name, properties in stack.of_type(VERSION).items():
        function = properties["FunctionName"].split("#")[0]
        kept = {it: value for it, value in stack.resources[function][1].items() if it not in NOT_VERSIONED}
        found[function] = (text(kept), stack.identity(name))
    return found


def two_stacks_do_not_collide():
    for name, about in Stack(**EVERYTHING).template["Resources"].items():
        named_by = properties_of(about["Type"], "primaryIdentifier")
        given = about.get("Properties", {})
        values = [given.get(it) for it in named_by]
        if values and all(isinstance(it, str) for it in values):
            yield f"{name} is called {values} in every stack of the account"
    for name, about in source().get("Outputs", {}).items():
        if isinstance(about.get("Export", {}).get("Name"), str):
            yield f"the output {name} has the same export name in every stack of the account"


def a_changed_parameter_reaches_the_running_version():
    reached = set()
    for base in (REQUIRED, EVERYTHING):
        before = versions(Stack(**base))
        for name, about in source()["Parameters"].items():
            value = base.get(name, str(about.get("Default", "")))
            after = versions(Stack(**{**base, name: another(name, value)}))
            for function in before:
                properties, version = (one != other for one, other in zip(before[function], after[function]))
                if properties and not version:
                    yield f"{name} changes {function} and publishes no version of it"
                # Lambda publishes no version, and the deployment fails.
                if version and not properties:
                    yield f"{name} publishes a version of {function}, which it does not change"
                if version:
                    reached.add(name)
    if len(reached) < 15:
        yield f"only {sorted(reached)} reach a function: the check does not see them"


def a_long_parameter_fits():
    lots = {**EVERYTHING, "AllowedOrigins": ",".join(f"https://shop-{n}.example" for n in range(150))}
    lots["DefaultReturnUrl"] = "https://shop.example/" + 1000 * "r"
    for name, properties in Stack(**lots).of_type(VERSION).items():
        if len(properties.get("Description", "")) > 256:
            yield f"{name} has a description of more than 256 characters"


def secrets_of(stack):
    """The permissions to read secrets, as (policy, role, secret)."""
    found = set()
    for name, (kind, properties) in stack.resources.items():
        if kind == "AWS::IAM::Role":
            documents = [(it["PolicyDocument"], [f"{name}#"]) for it in properties.get("Policies", [])]
        elif kind == "AWS::IAM::ManagedPolicy":
            documents = [(properties["PolicyDocument"], properties["Roles"])]
        else:
            continue
        for document, roles in documents:
            for statement in document["Statement"]:
                if statement["Action"] == "secretsmanager:GetSecretValue":
                    resources = statement["Resource"]
                    resources = resources if isinstance(resources, list) else [resources]
                    for secret in resources:
                        found |= {(stack.identity(name), role.split("#")[0], secret) for role in roles}
    return found


def references(value):
    """The logical ids in a value of the template."""
    found = set()
    if isinstance(value, dict):
        for function, argument in value.items():
            if function == "Ref":
                found.add(argument)
            elif function == "Fn::GetAtt":
                found.add(argument[0] if isinstance(argument, list) else argument.split(".")[0])
            elif function == "Fn::Sub":
                pattern = argument[0] if isinstance(argument, list) else argument
                found |= {it.split("}")[0].split(".")[0] for it in pattern.split("${")[1:]}
                if isinstance(argument, list):
                    found |= references(argument[1])
            else:
                found |= references(argument)
    elif isinstance(value, list):
        for item in value:
            found |= references(item)
    return found


def before_it(stack, name):
    """The resources that CloudFormation creates before this one."""
    found, ahead = set(), [name]
    while ahead:
        about = stack.template["Resources"].get(ahead.pop())
        if about:
            named = references({it: about.get(it) for it in ("Properties", "Metadata")})
            named |= set([about["DependsOn"]] if isinstance(about.get("DependsOn"), str) else about.get("DependsOn", []))
            ahead += named - found
            found |= named
    return found


def a_changed_secret_takes_none_from_the_version_that_runs():
    before = Stack(**EVERYTHING)
    old = secrets_of(before)
    for name, about in source()["Parameters"].items():
        if not name.endswith("Secret"):
            continue
        value = EVERYTHING.get(name, str(about.get("Default", "")))
        after = Stack(**{**EVERYTHING, name: another(name, value)})
        new = secrets_of(after)
        if old == new:
            yield f"{name} changes no policy"
        # CloudFormation removes replaced resources last, after it has updated all functions.
        for policy, role, secret in old - new:
            if policy in {it for it, _, _ in new}:
                yield f"{name} takes {secret} from {role} while the version that runs still reads it"
        for policy, role, secret in new - old:
            function = next(it for it, properties in after.of_type(FUNCTION).items() if properties["Role"].split("#")[0] == role)
            if policy.split("#")[0] not in before_it(after, function):
                yield f"{function} may start before it may read {secret}"


REFUSED = {
    "live with test URLs": {"AdyenEnvironment": "live"},
    "live with the test URL of another version": {**LIVE, "AdyenCheckoutUrl": "https://checkout-test.adyen.com/v71"},
    "live with one test URL": {**LIVE, "AdyenRecurringUrl": "https://pal-test.adyen.com/pal/servlet/Recurring/v67"},
    "test with live URLs": {**LIVE, "AdyenEnvironment": "test"},
    "test with one live URL": {"AdyenRecurringUrl": LIVE["AdyenRecurringUrl"]},
    "test with another live host": {"AdyenCheckoutUrl": "https://checkout-live.adyen.com/v72"},
    "a key without a merchant id": {**AMAZON_PAY, "AmazonPayMerchantId": ""},
    "a key without a store id": {**AMAZON_PAY, "AmazonPayStoreId": ""},
    "a store id without a key": {**AMAZON_PAY, "AmazonPayPublicKeyId": ""},
    "a merchant id alone": {"AmazonPayMerchantId": "A1B2C3"},
    "a ledger currency alone": {"AmazonPayLedgerCurrency": "EUR"},
    "a sandbox flag alone": {"AmazonPaySandbox": "true"},
    "a key that does not say of which environment": {**AMAZON_PAY, "AmazonPayPublicKeyId": "ABC"},
    "a live key in test": {**AMAZON_PAY, "AmazonPayPublicKeyId": "LIVE-ABC"},
    "a sandbox key in live": {**LIVE, **AMAZON_PAY},
    "a key of the sandbox that is not": {**AMAZON_PAY, "AmazonPaySandbox": "false"},
    "a sandbox in live": {**LIVE, **AMAZON_PAY, "AmazonPayPublicKeyId": "ABC", "AmazonPaySandbox": "true"},
    "browsers' keys that are the backend's": {"CheckoutTokenKeysSecret": "k", "MerchantTokenKeysSecret": "k"},
    "an alias of a KMS key": {"KmsKeyArn": "alias/mine"},
}
ACCEPTED = {
    "what is required": {},
    "everything": EVERYTHING,
    "live": LIVE,
    "live with Amazon Pay": {**LIVE, **AMAZON_PAY, "AmazonPayPublicKeyId": "LIVE-ABC"},
    "live with a key that says nothing": {
        **LIVE,
        **AMAZON_PAY,
        "AmazonPayPublicKeyId": "ABC",
        "AmazonPaySandbox": "false",
    },
    "test with Amazon Pay": AMAZON_PAY,
    "test with a key that says nothing": {**AMAZON_PAY, "AmazonPayPublicKeyId": "ABC", "AmazonPaySandbox": "true"},
    "another version of Adyen's API": {"AdyenCheckoutUrl": "https://checkout-test.adyen.com/v71"},
    "a host of one's own": {"AdyenCheckoutUrl": "https://adyen.shop.example/v72"},
}


def impossible_parameters_are_refused():
    for what, parameters in REFUSED.items():
        if not Stack(**{**REQUIRED, **parameters}).refusal():
            yield f"{what}: accepted"
    for what, parameters in ACCEPTED.items():
        if refusal := Stack(**{**REQUIRED, **parameters}).refusal():
            yield f"{what}: {refusal}"


def order_events_name_their_environment():
    for environment, parameters in {"test": {}, "live": LIVE}.items():
        pipe = Stack(**{**EVERYTHING, **parameters}).resources["OrderEvents"][1]
        if f'"environment": "{environment}"' not in pipe["TargetParameters"]["InputTemplate"]:
            yield f"not those of {environment}"


# Types of resources with orders, logs or references of orders.
ENCRYPTED = {
    "AWS::DynamoDB::Table": lambda it: it["SSESpecification"].get("KMSMasterKeyId"),
    "AWS::Logs::LogGroup": lambda it: it.get("KmsKeyId"),
    "AWS::SNS::Topic": lambda it: it.get("KmsMasterKeyId"),
    "AWS::SQS::Queue": lambda it: it.get("KmsMasterKeyId"),
}


def a_key_of_ones_own_encrypts_all_that_is_kept():
    for key in (EVERYTHING["KmsKeyArn"], ""):
        stack = Stack(**{**EVERYTHING, "KmsKeyArn": key})
        for kind, key_of in ENCRYPTED.items():
            found = stack.of_type(kind)
            if not found:
                yield f"there is no {kind}"
            for name, properties in found.items():
                if key_of(properties) != (key or None):
                    yield f"{name} has the key {key_of(properties)}, not {key or 'that of AWS'}"


def the_access_log_is_json_without_a_caller():
    stack = Stack(**EVERYTHING, AccessLogRetentionInDays="7", LogRetentionInDays="90")
    for name, properties in stack.of_type("AWS::ApiGatewayV2::Stage").items():
        settings = properties["AccessLogSettings"]
        for value in json.loads(settings["Format"]).values():
            if any(word in value for word in ("identity", "userAgent", "path", "authorizer")):
                yield f"{name} logs {value}"
        group = settings["DestinationArn"].split("#")[0]
        if (days := stack.resources[group][1]["RetentionInDays"]) != "7":
            yield f"{group} keeps lines for {days} days, not for 7"


def watched(alarm):
    """The metrics of an alarm."""
    metrics = [it["MetricStat"]["Metric"] for it in alarm.get("Metrics", []) if "MetricStat" in it]
    return metrics or [alarm]


def asks_which_version(stack, alarm):
    """True if the alarm considers new versions only. Lambda's metrics have a dimension for the
    version; the functions' own have `FUNCTION:VERSION`, from shared/src/platform/runtime.rs."""
    newest = set()
    for name, properties in stack.of_type(VERSION).items():
        version = f"{stack.identity(name)}.Version"
        newest |= {("ExecutedVersion", version), ("Version", f"{properties['FunctionName']}:{version}")}
    dimensions = [it for metric in watched(alarm) for it in metric.get("Dimensions", [])]
    return any((it["Name"], it["Value"]) in newest for it in dimensions)


def only_a_new_version_stops_a_deployment():
    stack = Stack(**EVERYTHING, Deployment="Canary10Percent5Minutes")
    alarms = stack.of_type("AWS::CloudWatch::Alarm")
    groups = stack.of_type("AWS::CodeDeploy::DeploymentGroup")
    functions = stack.of_type(FUNCTION)
    if len(groups) != len(functions):
        yield f"{len(groups)} of {len(functions)} functions are deployed step by step"
    for group, properties in groups.items():
        guards = [it["Name"].split("#")[0] for it in properties["AlarmConfiguration"]["Alarms"]]
        if not guards or len(guards) > 10:
            yield f"{group} has {len(guards)} alarms"
        for guard in guards:
            if not asks_which_version(stack, alarms[guard]):
                yield f"{group} is stopped by {guard}, which does not ask which version failed"
    guarded = {it.split("#")[0] for it in guards}
    for name in guarded:
        if "AlarmTopic" not in text(alarms[name]["AlarmActions"]):
            yield f"{name} tells nobody"


CHECKS = [
    two_stacks_do_not_collide,
    a_changed_parameter_reaches_the_running_version,
    a_long_parameter_fits,
    a_changed_secret_takes_none_from_the_version_that_runs,
    impossible_parameters_are_refused,
    order_events_name_their_environment,
    a_key_of_ones_own_encrypts_all_that_is_kept,
    the_access_log_is_json_without_a_caller,
    only_a_new_version_stops_a_deployment,
]


def main():
    logging.disable(logging.WARNING)  # of the translator's own telemetry
    failures = 0
    for check in CHECKS:
        problems = sorted(set(check()))
        what = check.__name__.replace("_", " ")
        for problem in problems:
            print(f"FAIL  {what}: {problem}")
        if not problems:
            print(f"ok    {what}")
        failures += len(problems)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
