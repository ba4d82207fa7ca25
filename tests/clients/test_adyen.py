"""Adyen's library for Python against the simulator, and its validators of webhooks."""

import json
import os
import subprocess
import threading
import time
import unittest
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit

import Adyen
from Adyen.util import is_valid_hmac_notification, is_valid_hmac_payload

ACCOUNT = "ADYEN_MERCHANT_ACCOUNT"
AMOUNT = {"currency": "EUR", "value": 1000}
STANDARD_KEY = "dead0001" * 8
TOKEN_KEY = "dead0002" * 8

AMAZON_PAY = {"type": "amazonpay", "amazonPayToken": "160583287597AMZN"}
CARD = {
    "type": "scheme",
    "encryptedCardNumber": "test_5555555555554444",
    "encryptedExpiryMonth": "test_03",
    "encryptedExpiryYear": "test_2030",
    "encryptedSecurityCode": "test_737",
}


def checkout(http, key="development-only-adyen-api-key"):
    adyen = Adyen.Adyen(xapikey=key, platform="test", http_force=http)
    services = adyen.checkout
    # The library has no option for the URL of its test environment.
    for service in (services.payments_api, services.modifications_api, services.recurring_api):
        service.baseUrl = service.baseUrl.replace("https://checkout-test.adyen.com", os.environ["ADYEN"])
    return services


def payment(method, **more):
    return {
        "merchantAccount": ACCOUNT,
        "returnUrl": "https://your-company.example.com/checkout",
        "amount": AMOUNT,
        "reference": f"ORDER-{uuid.uuid4()}",
        "paymentMethod": method,
        **more,
    }


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


class Checkout(unittest.TestCase):
    http = "urllib"

    def setUp(self):
        services = checkout(self.http)
        self.payments = services.payments_api
        self.modifications = services.modifications_api
        self.recurring = services.recurring_api

    def paid(self, method=None):
        result = self.payments.payments(payment(method or AMAZON_PAY))
        self.assertEqual(result.message["resultCode"], "Authorised")
        return result.psp

    def test_payment_methods_of_a_shopper_in_the_netherlands_have_amazon_pay(self):
        request = {"merchantAccount": ACCOUNT, "amount": AMOUNT, "countryCode": "NL"}
        result = self.payments.payment_methods(request)
        self.assertEqual([it["type"] for it in result.message["paymentMethods"]], ["amazonpay"])

    def test_payment_with_an_amazon_pay_token_or_a_test_card_is_authorised(self):
        self.assertRegex(self.paid(AMAZON_PAY), "^[A-Z0-9]{16}$")
        self.assertRegex(self.paid(CARD), "^[A-Z0-9]{16}$")

    def test_repeated_payment_with_the_same_idempotency_key_is_charged_once(self):
        request, key = payment(AMAZON_PAY), str(uuid.uuid4())
        first = self.payments.payments(request, idempotency_key=key)
        again = self.payments.payments(request, idempotency_key=key)
        other = self.payments.payments(request, idempotency_key=str(uuid.uuid4()))
        self.assertEqual(first.psp, again.psp)
        self.assertNotEqual(first.psp, other.psp)

    def test_redirected_payment_that_the_shopper_approved_is_authorised(self):
        result = self.payments.payments(payment({"type": "ideal"}))
        self.assertEqual(result.message["resultCode"], "RedirectShopper")
        opener = urllib.request.build_opener(NoRedirect)
        with self.assertRaises(HTTPError) as back:
            opener.open(result.message["action"]["url"] + "?result=approved")
        query = parse_qs(urlsplit(back.exception.headers["location"]).query)
        back.exception.close()
        details = {"details": {"redirectResult": query["redirectResult"][0]}}
        self.assertEqual(self.payments.payments_details(details).message["resultCode"], "Authorised")

    def test_modifications_of_a_payment_are_received(self):
        amount = {"merchantAccount": ACCOUNT, "amount": AMOUNT}
        whole = {"merchantAccount": ACCOUNT}
        captured, cancelled, reversed_ = self.paid(), self.paid(), self.paid()
        for call, psp, request in [
            (self.modifications.capture_authorised_payment, captured, amount),
            (self.modifications.refund_captured_payment, captured, amount),
            (self.modifications.cancel_authorised_payment_by_psp_reference, cancelled, whole),
            (self.modifications.refund_or_cancel_payment, reversed_, whole),
        ]:
            result = call(request, psp)
            self.assertEqual(result.status_code, 201)
            self.assertEqual(result.message["status"], "received")
            self.assertEqual(result.message["paymentPspReference"], psp)
            self.assertNotEqual(result.psp, psp)

    def test_stored_payment_method_is_listed_until_it_is_deleted(self):
        shopper = f"shopper-{uuid.uuid4()}"
        query = {"merchantAccount": ACCOUNT, "shopperReference": shopper}

        def stored():
            result = self.recurring.get_tokens_for_stored_payment_details(query_parameters=query)
            return result.message["storedPaymentMethods"]

        self.payments.payments(
            payment(AMAZON_PAY, shopperReference=shopper, storePaymentMethod=True, recurringProcessingModel="CardOnFile")
        )
        # Adyen stores it a second after the payment.
        end = time.monotonic() + 10
        while not (methods := stored()) and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual([method["type"] for method in methods], ["amazonpay"])
        self.recurring.delete_token_for_stored_payment_details(methods[0]["id"], query_parameters=query)
        self.assertEqual(stored(), [])

    def test_call_with_a_wrong_api_key_fails_with_401(self):
        with self.assertRaises(Adyen.AdyenAPIAuthenticationError) as failure:
            checkout(self.http, "wrong").payments_api.payments(payment(CARD))
        self.assertEqual((failure.exception.status_code, failure.exception.error_code), (401, "000"))

    def test_call_for_another_merchant_account_fails_with_901(self):
        with self.assertRaises(Adyen.AdyenAPIInvalidPermission) as failure:
            self.payments.payments(payment(CARD, merchantAccount="ANOTHER"))
        self.assertEqual((failure.exception.status_code, failure.exception.error_code), (403, "901"))

    def test_payment_with_an_unknown_field_fails_with_702(self):
        with self.assertRaises(Adyen.AdyenAPIUnprocessableEntity) as failure:
            self.payments.payments(payment(CARD, unknownField="1"))
        self.assertEqual((failure.exception.status_code, failure.exception.error_code), (422, "702"))
        self.assertIn("unknownField", failure.exception.message["message"])


class CheckoutOverRequests(Checkout):
    """The same calls, sent by the package `requests`, which the library prefers if it is installed."""

    http = "requests"


def simulated(*options):
    """The webhook that the simulator sends, as headers and body."""
    received = []

    class Receiver(BaseHTTPRequestHandler):
        # The command first asks `cargo dev` for the order, which this server is not.
        def do_GET(self):
            self.send_error(404)

        def do_POST(self):
            received.append((self.headers, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/"
        command = [os.environ["DEV"], "webhook", *options, "--to", url]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        server.shutdown()
    return received[0]


class Webhooks(unittest.TestCase):
    def test_webhook_of_the_simulator_is_valid_and_invalid_once_changed(self):
        _, body = simulated("CAPTURE", "--original", "X8H83XSTXRZ8V6RK", "--reference", "ORDER:1\\ü")
        webhook = json.loads(body)
        self.assertTrue(is_valid_hmac_notification(webhook, STANDARD_KEY))
        self.assertFalse(is_valid_hmac_notification(webhook, TOKEN_KEY))
        webhook["notificationItems"][0]["NotificationRequestItem"]["amount"]["value"] += 1
        self.assertFalse(is_valid_hmac_notification(webhook, STANDARD_KEY))

    def test_webhook_of_a_stored_payment_method_is_valid_and_invalid_once_changed(self):
        headers, body = simulated("recurring.token.created")
        signature = headers["hmacsignature"]
        self.assertTrue(is_valid_hmac_payload(signature, TOKEN_KEY, body))
        self.assertFalse(is_valid_hmac_payload(signature, STANDARD_KEY, body))
        self.assertFalse(is_valid_hmac_payload(signature, TOKEN_KEY, body + b" "))


if __name__ == "__main__":
    unittest.main()
