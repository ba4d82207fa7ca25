#!/usr/bin/env python3
"""Deploys the built template to an emulator of AWS that enforces roles, and uses the deployment.

    emulator.py

Runs the commands of docs/deploying.md against the emulator. Needs `sam build` for this machine's
architecture, target/debug/dev, and target/emulator with the packages of emulator.txt. The
functions call the simulators of `cargo dev`, on loopback.
"""

import json
import logging
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlsplit
from contextlib import ExitStack
from functools import cache

import boto3
from samtranslator.yaml_helper import yaml_parse

from cloudformation import FUNCTION, cloudformation
from events import ARCHITECTURE, LOGS, ROOT, Failed, Tally, free_port, log_tail, parsed, platform, running

BUILT = ROOT / ".aws-sam/build"
DEV = ROOT / "target/debug/dev"
EMULATOR = ROOT / "target/emulator/bin"
REGION = "eu-west-1"
ORIGIN = "https://shop.example"
SHOPPER = "SHOPPER-1"
STORED = "M5N7TQ4TG5PFWR50"

DEVELOPMENT = json.loads((ROOT / "events/env.json").read_text())["Parameters"]

# The names of docs/deploying.md, and those that it suggests for going live.
STACK = "amazon-pay"
LIVE_STACK = "amazon-pay-live"


# The template for the emulator ------------------------------------------------


def without_metric_math(template):
    """The emulator refuses alarms on an expression."""
    for name, about in list(template["Resources"].items()):
        if about["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in about["Properties"]:
            del template["Resources"][name]


def routes_as_resources(template):
    """The emulator does not read the OpenAPI document in which SAM describes the API."""
    resources = template["Resources"]
    body = resources["Api"]["Properties"].pop("Body")
    resources["Api"]["Properties"] |= {
        "Name": body["info"]["title"],
        "ProtocolType": "HTTP",
        "CorsConfiguration": body["x-amazon-apigateway-cors"],
    }
    operations = [(path, *operation) for path, methods in body["paths"].items() for operation in methods.items()]
    for number, (path, method, operation) in enumerate(operations):
        integration = operation["x-amazon-apigateway-integration"]
        resources[f"Integration{number}"] = {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "IntegrationType": integration["type"].upper(),
                "IntegrationUri": integration["uri"],
                "IntegrationMethod": integration["httpMethod"],
                "PayloadFormatVersion": integration["payloadFormatVersion"],
            },
        }
        resources[f"Route{number}"] = {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "RouteKey": f"{method.upper()} {path}",
                "Target": {"Fn::Sub": f"integrations/${{Integration{number}}}"},
            },
        }


def http_to_simulators(template):
    """The functions do not trust the simulators' certificate, which is new at each start."""
    for name in ("AdyenCheckoutUrl", "AdyenRecurringUrl"):
        template["Parameters"][name].pop("AllowedPattern")


def schedule_every_minute(template):
    """Five minutes are too long for a check."""
    template["Resources"]["RecoverFunctionSchedule"]["Properties"]["ScheduleExpression"] = "rate(1 minute)"


def simulator_of_amazon_pay(template, url):
    """A deployment calls Amazon Pay itself, and has no parameter for another URL."""
    url = {"Fn::If": ["HasAmazonPay", url, {"Ref": "AWS::NoValue"}]}
    for name in ("PaymentsFunction", "CheckoutSessionsFunction"):
        template["Resources"][name]["Properties"]["Environment"]["Variables"]["AMAZON_PAY_URL"] = url


def without_permission(template):
    """Payments cannot be stored, as after a mistake in the template."""
    [policy] = template["Resources"]["PaymentsFunctionRole"]["Properties"]["Policies"]
    [orders] = [it for it in policy["PolicyDocument"]["Statement"] if "dynamodb:UpdateItem" in it["Action"]]
    orders["Action"].remove("dynamodb:PutItem")


# The emulator -----------------------------------------------------------------


def found(pattern, log):
    """Wait until the pattern is in a log, and return what its group matches."""
    deadline = time.monotonic() + 30
    while not (match := re.search(pattern, log.read_text(errors="replace"), re.MULTILINE)):
        if time.monotonic() > deadline:
            raise Failed(f"{log.name} has no {pattern}:\n{log_tail(log)}")
        time.sleep(0.1)
    return match[1]


@cache
def archive(folder):
    """The path of a function's archive. `sam deploy` would make it anew for each deployment."""
    return shutil.make_archive(LOGS / folder.name, "zip", folder)


class Aws:
    """The emulator, with simulators of Adyen and Amazon Pay."""

    def __init__(self, stack):
        port = free_port()
        log = stack.enter_context(running("cargo-dev", [DEV, "--port", str(port)], [port]))
        self.adyen = found(r"^Adyen +(\S+)/v\d+ ", log)
        self.amazon_pay = found(r"^Amazon Pay +(\S+) ", log)

        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        # The functions inherit these variables, so they contain nothing that a deployment must set.
        variables = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(LOGS),
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "LAMBDA_EXECUTOR": "local",
            "MINISTACK_REGION": REGION,
            "AWS_ENDPOINT_URL_DYNAMODB": self.url,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.url,
        }
        command = ["env", "-i", *(f"{name}={value}" for name, value in variables.items())]
        stack.enter_context(running("emulator", [*command, EMULATOR / "python", "-m", "ministack"], [port]))

        self.variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.variables |= {
            "PATH": f"{EMULATOR}:{os.environ['PATH']}",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def client(self, service):
        credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **credentials)

    def run(self, *command, folder=ROOT, **variables):
        """The output of a command whose AWS is the emulator."""
        environment = self.variables | variables
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=180)
        if done.returncode != 0:
            raise Failed(f"{' '.join(map(str, command[:4]))} …:\n{done.stdout}{done.stderr}".strip())
        return done.stdout.strip()

    def redirected(self, url, form=()):
        """The URL to which a page redirects the browser, and its parameters."""
        fields = [it for name, value in dict(form).items() for it in ("--data-urlencode", f"{name}={value}")]
        command = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{redirect_url}"]
        url = self.run(*command, *fields, url)
        return url, {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}

    def secret(self, name):
        return self.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]

    def create_secret(self, name, value):
        self.client("secretsmanager").create_secret(Name=name, SecretString=value)

    def template(self, parameters):
        """The built template as CloudFormation receives it, bent for the emulator."""
        source = yaml_parse((BUILT / "template.yaml").read_text())
        functions = {name: it["Properties"] for name, it in source["Resources"].items() if it["Type"] == FUNCTION}
        code = {name: archive(BUILT / properties["CodeUri"]) for name, properties in functions.items()}
        template = cloudformation(source, parameters)
        for name, path in code.items():
            template["Resources"][name]["Properties"]["Code"] = path
        without_metric_math(template)
        routes_as_resources(template)
        http_to_simulators(template)
        schedule_every_minute(template)
        simulator_of_amazon_pay(template, self.amazon_pay)
        return template

    def deploy(self, stack, parameters, change=lambda template: None):
        """`sam deploy` with samconfig.toml."""
        template = self.template(parameters)
        change(template)
        file = LOGS / f"{stack}.json"
        file.write_text(json.dumps(template))
        command = [sys.executable, "-m", "samcli", "deploy", "--no-confirm-changeset", "--stack-name", stack]
        command += ["--template-file", file, "--config-file", ROOT / "samconfig.toml"]
        overrides = [f'{name}="{value}"' for name, value in parameters.items()]
        self.run(*command, "--parameter-overrides", *overrides)
        return Deployment(self, stack)


class Deployment:
    """A stack on the emulator, and the ways to call it."""

    def __init__(self, aws, name):
        self.aws, self.name = aws, name
        cloudformation = aws.client("cloudformation")
        [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
        self.outputs = {it["OutputKey"]: it["OutputValue"] for it in stack["Outputs"]}
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        resources = [it for page in pages for it in page["StackResourceSummaries"]]
        self.resources = {it["LogicalResourceId"]: it["PhysicalResourceId"] for it in resources}
        # Names below `localhost` do not resolve on every machine, so use the emulator's paths.
        self.api = f"{aws.url}/_aws/execute-api/{self.resources['Api']}/$default"
        url = re.match(r"https://(\w+)\.", self.outputs["WebhookUrl"])[1]
        self.webhooks = f"{aws.url}/_aws/lambda-url/{url}/"

    def token(self, *arguments, keys=None):
        """A token that the merchant's backend mints with the stack's keys."""
        which = "MERCHANT" if arguments == ("--merchant",) else "CHECKOUT"
        keys = keys or f"{self.name}/{which.lower()}-token-keys"
        return self.aws.run(DEV, "token", *arguments, **{f"{which}_TOKEN_KEYS": self.aws.secret(keys)})

    def call(self, method, path, token=None, body=None, **headers):
        """Status, body and headers of an answer of the API."""
        if token:
            headers["authorization"] = f"Bearer {token}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["content-type"] = "application/json"
        request = urllib.request.Request(self.api + path, data, headers, method=method)
        try:
            answer = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, parsed(answer.read() or b"null"), answer.headers

    def expect(self, status, method, path, token=None, body=None, **headers):
        """The body of an answer with that status."""
        got, content, _ = self.call(method, path, token, body, **headers)
        if got != status:
            raise Failed(f"{method} {path}: expected {status}, got {got} {content}")
        return content

    def pay(self, reference, amazon_pay_token="160583287597AMZN", status=200, shopper=(), **body):
        token = self.token("--reference", reference, "--country", "NL", *shopper)
        method = {"type": "amazonpay", "amazonPayToken": amazon_pay_token}
        return self.expect(status, "POST", "/payments", token, {"paymentMethod": method, **body})

    def order(self, reference):
        return self.expect(200, "GET", f"/orders/{reference}", self.token("--merchant"))

    def webhook(self, event, *arguments, password="user:password"):
        command = [DEV, "webhook", event, "--to", self.webhooks, *arguments]
        return self.aws.run(*command, WEBHOOK_BASIC_AUTH=password)

    def invocations(self):
        """The log line of each invocation."""
        pages = self.aws.client("logs").get_paginator("filter_log_events")
        pages = pages.paginate(logGroupName=self.outputs["LogGroupName"])
        lines = [parsed(event["message"]) for page in pages for event in page["events"]]
        return [line for line in lines if isinstance(line, dict) and line.get("message") == "done"]

    def reasons(self):
        """The reasons of the latest events, which `sam deploy` prints with line breaks."""
        events = self.aws.client("cloudformation").describe_stack_events(StackName=self.name)["StackEvents"]
        return "\n".join(it.get("ResourceStatusReason", "") for it in events[:100])

    def live_versions(self):
        """The version behind each function's alias, which callers use, and its variables."""
        functions = self.aws.client("lambda")
        found = {}
        for name, function in self.resources.items():
            if f"{name}Aliaslive" in self.resources:
                live = functions.get_function_configuration(FunctionName=function, Qualifier="live")
                found[name] = (live["Version"], live["Environment"]["Variables"])
        return found


def expect(condition, otherwise):
    if not condition:
        raise Failed(otherwise)


# Documents --------------------------------------------------------------------


def commands(title):
    """The first commands of a section of docs/deploying.md."""
    text = (ROOT / "docs/deploying.md").read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[0]


def filled(text, *values):
    """The commands with the reader's values in place of the placeholders."""
    for placeholder, value in values:
        expect(text.count(placeholder) == 1, f"docs/deploying.md does not have one {placeholder}")
        text = text.replace(placeholder, value)
    return text


def create_secrets(aws):
    folder = LOGS / "secrets"
    folder.mkdir()
    (folder / "amazon-pay.pem").write_text(DEVELOPMENT["AMAZON_PAY_PRIVATE_KEY"])
    values = [('"…" ', f'"{DEVELOPMENT["ADYEN_API_KEY"]}" '), ("user:…", "user:password")]
    aws.run("bash", "-ec", filled(commands("1. Secrets"), *values), folder=folder)
    names = [it["Name"] for it in aws.client("secretsmanager").list_secrets()["SecretList"]]
    expect(len(names) == 6, f"created {names}")


def store_hmac_keys(aws):
    values = [("KEY1,KEY2", DEVELOPMENT["ADYEN_HMAC_KEYS"])]
    aws.run("bash", "-ec", filled(commands("3. Webhooks"), *values))


def every_function_starts(deployment):
    text = filled(commands("4. A smoke test"), ("API_URL=…\n", ""))
    urls = {"API_URL": deployment.api, "WEBHOOK_URL": deployment.webhooks}
    lines = deployment.aws.run("bash", "-ec", text, **urls).splitlines()
    wrong = [line for line in lines if not line.startswith("401 ")]
    routes = [name for name in deployment.resources if re.fullmatch(r"Route\d+", name)]
    expect(len(lines) == len(routes) + 1, f"{len(routes)} routes and the webhook URL: {lines}")
    expect(not wrong, f"not 401: {wrong}")


def a_first_order(deployment):
    # Not through cargo, which may build first.
    text = filled(commands("5. A first order"), ("cargo dev", str(DEV)))
    answer = deployment.aws.run("bash", "-ec", text, API_URL=deployment.api)
    expect("order_not_found" in answer, answer)


# A deployment -----------------------------------------------------------------


def only_allowed_origins_may_call(deployment):
    routes = re.findall(r"^([A-Z]+) (/\S+)$", commands("4. A smoke test"), re.MULTILINE)
    for method, path in routes:
        for origin, allowed in ((ORIGIN, ORIGIN), ("https://other.example", None)):
            asked = {"origin": origin, "access-control-request-method": method}
            _, _, headers = deployment.call("OPTIONS", path, **asked)
            got = headers["access-control-allow-origin"]
            expect(got == allowed, f"{path} allows {got} to {origin}")


def payment_methods(deployment):
    token = deployment.token("--reference", "METHODS-1", "--country", "NL")
    methods = deployment.expect(200, "POST", "/paymentMethods", token)["paymentMethods"]
    expect([it["type"] for it in methods] == ["amazonpay"], methods)


def checkout_session(deployment):
    token = deployment.token("--reference", "SESSION-1")
    urls = {name: f"{ORIGIN}/checkout" for name in ("checkoutResultReturnUrl", "checkoutReviewReturnUrl")}
    button = deployment.expect(200, "POST", "/checkoutSessions", token, urls)
    expect(button.get("signature"), button)
    # The shopper presses the button and picks a card.
    page, _ = deployment.aws.redirected(f"{deployment.aws.amazon_pay}/checkout", button)
    _, returned = deployment.aws.redirected(f"{page}?card=")
    session = returned["amazonCheckoutSessionId"]
    confirmed = deployment.expect(200, "PATCH", f"/checkoutSessions/{session}", token)
    expect(confirmed.get("amazonPayRedirectUrl"), confirmed)


def a_payment_is_confirmed(deployment):
    payment = deployment.pay("ORDER-1")
    expect(payment["status"] == "authorised", payment)
    expect(not deployment.order("ORDER-1")["confirmed"], "confirmed without a webhook")
    about = ("AUTHORISATION", "--reference", "ORDER-1", "--psp", payment["pspReference"])

    rejected = deployment.webhook(*about, "--bad-signature")
    expect(" 401 " in rejected, rejected)
    try:
        accepted = deployment.webhook(*about, password="user:wrong")
    except Failed:
        accepted = None
    expect(accepted is None, f"accepted with a wrong password: {accepted}")
    expect(not deployment.order("ORDER-1")["confirmed"], "confirmed by a rejected webhook")

    deployment.webhook(*about)
    expect(deployment.order("ORDER-1")["confirmed"], "the webhook confirms nothing")


def a_payment_with_3d_secure(deployment):
    browser = {"acceptHeader": "*/*", "language": "nl-NL", "userAgent": "Mozilla/5.0", "javaEnabled": False}
    browser |= {"colorDepth": 24, "screenHeight": 723, "screenWidth": 1536, "timeZoneOffset": 0}
    payment = deployment.pay("BANK-1", "160583287597AMZN-3DS-REDIRECT", browserInfo=browser)
    _, returned = deployment.aws.redirected(payment["action"]["url"] + "?result=approved")
    token = deployment.token("--reference", "BANK-1")
    payment = deployment.expect(200, "POST", "/payments/details", token, {"attempt": 1, "details": returned})
    expect(payment["status"] == "authorised", payment)


def a_refund(deployment):
    token = deployment.token("--merchant")
    refund = deployment.expect(202, "POST", "/orders/ORDER-1/refunds", token, **{"idempotency-key": "refund-1"})
    payment = deployment.order("ORDER-1")["pspReference"]
    deployment.webhook("REFUND", "--reference", "ORDER-1", "--psp", refund["pspReference"], "--original", payment)
    order = deployment.order("ORDER-1")
    expect(order["refundedAmount"] == order["amount"], order)


def stored_payment_methods(deployment):
    payment = deployment.pay(
        "MONTH-1", shopper=("--shopper", SHOPPER), storePaymentMethod=True, recurringProcessingModel="Subscription"
    )
    path = f"/shoppers/{SHOPPER}/storedPaymentMethods"
    token = deployment.token("--merchant")
    about = ("--psp", payment["pspReference"], "--shopper", SHOPPER, "--token", STORED)
    deployment.webhook("recurring.token.created", *about)

    def stored(query=""):
        methods = deployment.expect(200, "GET", path + query, token)["storedPaymentMethods"]
        return {it["storedPaymentMethodId"] for it in methods}

    expect(stored() == {STORED}, f"the webhook stored {stored()}")
    # The simulator stores one for the payment after a moment.
    deadline = time.monotonic() + 30
    while not (at_adyen := stored("?refresh=true") - {STORED}):
        expect(time.monotonic() < deadline, "Adyen's list is empty")
        time.sleep(0.5)
    deployment.expect(204, "DELETE", f"{path}/{at_adyen.pop()}", token)


def dead_letters(deployment):
    # The stored payment method cannot be read, and then no longer exists.
    dynamodb, table = deployment.aws.client("dynamodb"), deployment.resources["TokensTable"]
    key = {"shopperReference": {"S": SHOPPER}, "storedPaymentMethodId": {"S": STORED}}
    dynamodb.put_item(TableName=table, Item=key | {"events": {"S": "unreadable"}})
    deployment.webhook("recurring.token.disabled", "--shopper", SHOPPER, "--token", STORED)
    dynamodb.delete_item(TableName=table, Key=key)
    # A colon in a pspReference makes the signed content ambiguous.
    deployment.webhook("AUTHORISATION", "--reference", "ORDER-1", "--psp", "A:B")

    token = deployment.token("--merchant")
    discarded, applied = deployment.expect(200, "GET", "/deadLetters", token)["deadLetters"]
    for letter, action, body in ((applied, "apply", {}), (discarded, "discard", {"note": "a test"})):
        path = f"/deadLetters/{letter['id']}"
        answer = deployment.expect(200, "POST", f"{path}/{action}", token, body)
        expect(deployment.expect(200, "GET", path, token) == answer, answer)
    left = deployment.expect(200, "GET", "/deadLetters", token)["deadLetters"]
    expect(not left, left)


def personal_data(deployment):
    path, token = f"/shoppers?shopperReference={SHOPPER}", deployment.token("--merchant")
    data = deployment.expect(200, "GET", path, token)
    orders = [it["order"]["reference"] for it in data["orders"]]
    expect(orders == ["MONTH-1"] and data["storedPaymentMethods"] and data["deadLetters"], data)
    erasure = deployment.expect(200, "DELETE", path, token)
    expect(erasure["finished"], erasure)
    data = deployment.expect(200, "GET", path, token)
    expect(not any(data[of] for of in ("orders", "storedPaymentMethods", "deadLetters")), data)


# Beside it --------------------------------------------------------------------


def deploy_beside(aws, parameters):
    """The live stack of docs/deploying.md, with secrets of its own."""
    for name in ("adyen-api-key", "adyen-hmac-keys"):
        aws.create_secret(f"{LIVE_STACK}/{name}", aws.secret(f"{STACK}/{name}"))
    for name in ("checkout-token-keys", "merchant-token-keys"):
        aws.create_secret(f"{LIVE_STACK}/{name}", secrets.token_hex(32))
    return aws.deploy(LIVE_STACK, parameters)


def two_stacks_share_nothing(one, other):
    # A stage and a version are named within an API and a profile.
    own = one.resources.keys() - {"ApiApiGatewayDefaultStage", "Settings"}
    common = [name for name in own if other.resources.get(name) == one.resources[name]]
    expect(not common, f"both have the same {common}")
    other.expect(404, "GET", "/orders/ORDER-1", other.token("--merchant"))
    other.expect(401, "GET", "/orders/ORDER-1", one.token("--merchant"))
    one.expect(200, "GET", "/orders/ORDER-1", one.token("--merchant"))


def each_applies_its_webhooks(test, live):
    for deployment, own, foreign in ((test, (), ("--live",)), (live, ("--live",), ())):
        payment = deployment.pay("BOTH-1")
        about = ("AUTHORISATION", "--reference", "BOTH-1", "--psp", payment["pspReference"])
        deployment.webhook(*about, *foreign)
        expect(not deployment.order("BOTH-1")["confirmed"], f"{deployment.name} applied a foreign webhook")
        deployment.webhook(*about, *own)
        expect(deployment.order("BOTH-1")["confirmed"], f"{deployment.name} did not apply its own webhook")


def manual_capture(deployment):
    token = deployment.token("--merchant")
    for operation in ("captures", "cancels", "reversals"):
        deployment.pay(operation)
        answer = deployment.expect(202, "POST", f"/orders/{operation}/{operation}", token)
        expect(answer["state"] == "received", answer)


# Changed parameters -------------------------------------------------------------


class Requests:
    """Requests of a backend and webhooks without a pause, and those that failed."""

    def __init__(self, deployment):
        token = deployment.token("--merchant")
        body = {"amount": {"currency": "EUR", "value": 1000}, "countryCode": "NL"}
        event = ("AUTHORISATION", "--reference", "ORDER-1", "--psp", "LOOP")
        self.sent, self.failures, self.over = 0, [], threading.Event()
        calls = [
            lambda: deployment.expect(200, "GET", "/orders/ORDER-1", token),
            lambda: deployment.expect(200, "POST", "/paymentMethods", token, body),
            lambda: deployment.webhook(*event),
        ]
        self.threads = [threading.Thread(target=self.repeat, args=(call,)) for call in calls]

    def repeat(self, call):
        while not self.over.is_set():
            try:
                call()
            except (Failed, OSError) as failure:
                self.failures.append(str(failure))
            self.sent += 1
            time.sleep(0.05)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def changed_parameters_take_effect(deployment, parameters):
    aws, before = deployment.aws, deployment.live_versions()
    changed = {
        "AdyenApiKeySecret": f"{STACK}/adyen-api-key-2",
        "AdyenHmacKeysSecret": f"{STACK}/adyen-hmac-keys-2",
        "CheckoutTokenKeysSecret": f"{STACK}/checkout-token-keys-2",
        "AllowedPaymentMethods": "amazonpay,ideal",
        "Capture": "manual",
        "LogLevel": "debug",
    }
    aws.create_secret(changed["AdyenApiKeySecret"], aws.secret(f"{STACK}/adyen-api-key"))
    aws.create_secret(changed["AdyenHmacKeysSecret"], aws.secret(f"{STACK}/adyen-hmac-keys"))
    aws.create_secret(changed["CheckoutTokenKeysSecret"], secrets.token_hex(32))
    order = ("--reference", "CHANGED-1", "--country", "NL")
    old = deployment.token(*order)
    new = deployment.token(*order, keys=changed["CheckoutTokenKeysSecret"])
    deployment.expect(401, "GET", "/orders/CHANGED-1", new)
    with Requests(deployment) as requests:
        aws.deploy(STACK, parameters | changed)
        deployed = requests.sent
        while requests.sent < deployed + 20 and not requests.failures:
            time.sleep(0.1)
    expect(deployed > 20, f"only {deployed} requests during the deployment")
    expect(not requests.failures, f"{len(requests.failures)} of {requests.sent} failed: {requests.failures[:2]}")

    after = deployment.live_versions()
    kept = [name for name in before if before[name][0] == after[name][0]]
    expect(len(after) == 7 and not kept, f"the same version of {kept} of {list(after)} is live")
    for name, (_, variables) in after.items():
        expect(variables["LOG_LEVEL"] == "debug", f"LOG_LEVEL of {name} is {variables['LOG_LEVEL']}")
    deployment.expect(401, "GET", "/orders/CHANGED-1", old)
    deployment.expect(404, "GET", "/orders/CHANGED-1", new)
    offered = deployment.expect(200, "POST", "/paymentMethods", new)["paymentMethods"]
    expect({it["type"] for it in offered} == {"amazonpay", "ideal"}, f"offered: {offered}")


# Refusals -----------------------------------------------------------------------

REFUSED = [
    ({"AmazonPayMerchantId": ""}, "AmazonPayPublicKeyId is set, so AmazonPayMerchantId is required."),
    ({"AmazonPayPublicKeyId": "LIVE-KEY"}, "Fn::Select cannot select nonexistent value at index 4"),
]


def impossible_parameters_are_refused(deployment, parameters):
    before = deployment.live_versions()
    for changed, reason in REFUSED:
        try:
            deployment.aws.deploy(deployment.name, parameters | changed)
        except Failed as failure:
            refusal = str(failure) + deployment.reasons()
            expect(reason in refusal, f"{changed} is refused for another reason: {refusal}")
        else:
            raise Failed(f"{changed} is deployed")
    after = deployment.live_versions()
    expect(after == before, f"a refused deployment changed a function: {before} {after}")


def a_missing_permission_is_found(deployment, parameters):
    """The emulator enforces roles, so the other checks mean something."""
    deployment.pay("PERMITTED-1")
    deployment.aws.deploy(deployment.name, parameters, without_permission)
    try:
        deployment.pay("PERMITTED-2")
    except Failed as failure:
        expect("storage" in str(failure), str(failure))
    else:
        raise Failed("a payment is stored without permission")


# The schedule -------------------------------------------------------------------


def begin_in_doubt(deployment):
    """Begins a payment without an outcome, so that the schedule has something to do."""
    payment = deployment.pay("DOUBT-1", "160583287597AMZN-HTTP-500", status=202)
    expect(payment["status"] == "pending", payment)


def the_schedule_runs(deployment):
    deadline = time.monotonic() + 180
    while not (order := deployment.order("DOUBT-1"))["needsAttention"]:
        expect(time.monotonic() < deadline, f"the schedule leaves {order}")
        time.sleep(2)
    # The line that docs/deploying.md promises.
    runs = [line for line in deployment.invocations() if line["what"] == "schedule"]
    expect(runs and all(run["outcome"] == "ok" for run in runs), f"runs in the log: {runs}")


def orders_are_found(deployment):
    token = deployment.token("--merchant")
    payment = deployment.order("BANK-1")["pspReference"]
    for query, wanted in (
        ("", "BANK-1"),
        (f"?pspReference={payment}", "BANK-1"),
        ("?status=pending", "DOUBT-1"),
        ("?needsAttention=any", "DOUBT-1"),
    ):
        found = deployment.expect(200, "GET", f"/orders{query}", token)["orders"]
        expect(wanted in [it["reference"] for it in found], f"{query} finds {found}")


def a_person_ends_the_doubt(deployment):
    token, path = deployment.token("--merchant"), "/orders/DOUBT-1"
    [reason] = deployment.order("DOUBT-1")["needsAttention"]
    note = {"note": "looked it up"}
    order = deployment.expect(200, "POST", f"{path}/needsAttention/{reason}/acknowledge", token, note)
    expect(not order["needsAttention"], order)
    order = deployment.expect(200, "POST", f"{path}/attempts/1/close", token, {"reason": "no payment"})
    expect(order["status"] != "pending", order)


def every_route_was_used(*deployments):
    """A request that is rejected may need no action of the function's role."""
    api = deployments[0].resources["Api"]
    routes = deployments[0].aws.client("apigatewayv2").get_routes(ApiId=api)["Items"]
    lines = [line for deployment in deployments for line in deployment.invocations()]
    used = {line["what"] for line in lines if line.get("status", 500) < 300}
    unused = {it["RouteKey"] for it in routes} - used
    expect(routes and not unused, f"no successful request of {unused}")


# All of it ----------------------------------------------------------------------


def main():
    os.environ["SAM_CLI_TELEMETRY"] = "0"
    # The translator warns about a toggle of its own.
    logging.disable(logging.WARNING)
    tally = Tally()
    try:
        with ExitStack() as stack:
            check_all(Aws(stack), tally)
    except Failed as failure:
        tally.failed += 1
        print(f"FAIL  emulator: {failure}")
    if tally.failed:
        print(f"logs: {LOGS}")
    else:
        shutil.rmtree(LOGS)
    print(f"{tally.passed} passed, {tally.failed} failed")
    sys.exit(1 if tally.failed else 0)


def check_all(aws, tally):
    simulators = {
        "AdyenMerchantAccount": DEVELOPMENT["ADYEN_MERCHANT_ACCOUNT"],
        "AdyenCheckoutUrl": f"{aws.adyen}/v72",
        "AdyenRecurringUrl": f"{aws.adyen}/pal/servlet/Recurring/v68",
    }
    common = simulators | {
        "AlarmEmail": "ops@shop.example",
        "AllowedOrigins": ORIGIN,
        "Architecture": ARCHITECTURE[platform.machine().lower()],
        "DefaultReturnUrl": f"{ORIGIN}/return",
        "OrderEventBus": "default",
        "RecoverAfterMinutes": "1",
    }
    for_test = common | {
        "AmazonPayMerchantId": DEVELOPMENT["AMAZON_PAY_MERCHANT_ID"],
        "AmazonPayPublicKeyId": DEVELOPMENT["AMAZON_PAY_PUBLIC_KEY_ID"],
        "AmazonPayStoreId": DEVELOPMENT["AMAZON_PAY_STORE_ID"],
        "WebhookBasicAuthSecret": f"{STACK}/webhook-basic-auth",
    }
    for_live = common | {
        "AdyenEnvironment": "live",
        "Capture": "manual",
        "AdyenApiKeySecret": f"{LIVE_STACK}/adyen-api-key",
        "AdyenHmacKeysSecret": f"{LIVE_STACK}/adyen-hmac-keys",
        "CheckoutTokenKeysSecret": f"{LIVE_STACK}/checkout-token-keys",
        "MerchantTokenKeysSecret": f"{LIVE_STACK}/merchant-token-keys",
    }
    test = live = None

    def deploy_test():
        nonlocal test
        test = aws.deploy(STACK, for_test)

    def deploy_live():
        nonlocal live
        live = deploy_beside(aws, for_live)

    for what, step in [
        ("the secrets are created as documented", lambda: create_secrets(aws)),
        ("sam deploy", deploy_test),
        ("the HMAC keys are stored as documented", lambda: store_hmac_keys(aws)),
        ("every route and the webhook URL answer 401 without a token", lambda: every_function_starts(test)),
        ("the first order of the documents is not found", lambda: a_first_order(test)),
        ("a payment in doubt begins", lambda: begin_in_doubt(test)),
        ("a browser may call from an allowed origin only", lambda: only_allowed_origins_may_call(test)),
        ("payment methods", lambda: payment_methods(test)),
        ("a checkout session", lambda: checkout_session(test)),
        ("a payment is confirmed by its signed webhook only", lambda: a_payment_is_confirmed(test)),
        ("a payment with 3-D Secure", lambda: a_payment_with_3d_secure(test)),
        ("a refund", lambda: a_refund(test)),
        ("stored payment methods", lambda: stored_payment_methods(test)),
        ("dead letters are applied and discarded", lambda: dead_letters(test)),
        ("personal data are exported and erased", lambda: personal_data(test)),
        ("a second stack beside the first", deploy_live),
        ("two stacks share nothing", lambda: two_stacks_share_nothing(test, live)),
        ("each applies webhooks of its environment only", lambda: each_applies_its_webhooks(test, live)),
        ("a capture, a cancel and a reversal", lambda: manual_capture(live)),
        ("impossible parameters are refused", lambda: impossible_parameters_are_refused(test, for_test)),
        ("changed parameters take effect without a gap", lambda: changed_parameters_take_effect(test, for_test)),
        ("a missing permission is found", lambda: a_missing_permission_is_found(live, for_live)),
        ("the schedule runs", lambda: the_schedule_runs(test)),
        ("orders are found", lambda: orders_are_found(test)),
        ("a person ends the doubt about a payment", lambda: a_person_ends_the_doubt(test)),
        ("every route answered a request with a token", lambda: every_route_was_used(test, live)),
    ]:
        failed = tally.failed
        tally.run(f"emulator: {what}", step)
        if tally.failed > failed and step in (deploy_test, deploy_live):
            return


if __name__ == "__main__":
    main()
