// Adyen's library for Node against the simulator.
'use strict';

const assert = require('node:assert/strict');
const { randomUUID } = require('node:crypto');
const { test } = require('node:test');
const { CheckoutAPI, Client, EnvironmentEnum, HttpClientException, RecurringAPI } = require('@adyen/api-library');

const merchantAccount = 'ADYEN_MERCHANT_ACCOUNT';
const returnUrl = 'https://your-company.example.com/checkout';
const amount = { currency: 'EUR', value: 1000 };

function client(apiKey = 'development-only-adyen-api-key') {
  return new Client({ apiKey, environment: EnvironmentEnum.TEST });
}

// The library has no option for the URL of its test environment.
function simulated(service) {
  service.baseUrl = service.baseUrl.replace(/https:[/][/](checkout|pal)-test.adyen.com/, process.env.ADYEN);
  return service;
}

const payments = (...key) => simulated(new CheckoutAPI(client(...key)).PaymentsApi);

const PaymentsApi = payments();
const ModificationsApi = simulated(new CheckoutAPI(client()).ModificationsApi);
const RecurringApi = simulated(new CheckoutAPI(client()).RecurringApi);

function payment(paymentMethod, more = {}) {
  return { merchantAccount, returnUrl, amount, reference: `ORDER-${randomUUID()}`, paymentMethod, ...more };
}

const amazonPay = (token) => ({ type: 'amazonpay', amazonPayToken: token });

const card = {
  type: 'scheme',
  encryptedCardNumber: 'test_5555555555554444',
  encryptedExpiryMonth: 'test_03',
  encryptedExpiryYear: 'test_2030',
  encryptedSecurityCode: 'test_737',
};

async function paid(method = amazonPay('160583287597AMZN')) {
  const answer = await PaymentsApi.payments(payment(method));
  assert.equal(answer.resultCode, 'Authorised');
  return answer.pspReference;
}

function fault(statusCode, errorCode) {
  return (error) => {
    assert.ok(error instanceof HttpClientException, String(error));
    assert.deepEqual([error.statusCode, error.errorCode], [statusCode, errorCode]);
    assert.equal(error.apiError.errorCode, errorCode);
    return true;
  };
}

test('payment methods of a shopper in the Netherlands have Amazon Pay with its configuration', async () => {
  const answer = await PaymentsApi.paymentMethods({ merchantAccount, amount, countryCode: 'NL' });
  const [method] = answer.paymentMethods;
  assert.equal(method.type, 'amazonpay');
  assert.deepEqual(Object.keys(method.configuration).sort(), ['merchantId', 'publicKeyId', 'storeId']);
});

test('payment with an Amazon Pay token is authorised', async () => {
  const request = payment(amazonPay('160583287597AMZN'));
  const answer = await PaymentsApi.payments(request);
  assert.equal(answer.resultCode, 'Authorised');
  assert.match(answer.pspReference, /^[A-Z0-9]{16}$/);
  assert.equal(answer.merchantReference, request.reference);
  assert.deepEqual({ ...answer.amount }, amount);
});

test('payment with a refused Amazon Pay token has the reason of the refusal', async () => {
  const answer = await PaymentsApi.payments(payment(amazonPay('160583287597AMZN-REFUSED')));
  assert.equal(answer.resultCode, 'Refused');
  assert.equal(answer.refusalReasonCode, '2');
});

test('payment with a test card is authorised', async () => {
  assert.match(await paid(card), /^[A-Z0-9]{16}$/);
});

test('repeated payment with the same idempotency key is charged once', async () => {
  const request = payment(amazonPay('160583287597AMZN'));
  const idempotencyKey = randomUUID();
  const first = await PaymentsApi.payments(request, { idempotencyKey });
  const again = await PaymentsApi.payments(request, { idempotencyKey });
  const other = await PaymentsApi.payments(request, { idempotencyKey: randomUUID() });
  assert.equal(again.pspReference, first.pspReference);
  assert.notEqual(other.pspReference, first.pspReference);
});

for (const [result, resultCode] of [['approved', 'Authorised'], ['refused', 'Refused']]) {
  test(`redirected payment that the shopper left as ${result} is ${resultCode}`, async () => {
    const answer = await PaymentsApi.payments(payment({ type: 'ideal' }));
    assert.equal(answer.resultCode, 'RedirectShopper');
    assert.equal(answer.action.type, 'redirect');
    const back = await fetch(`${answer.action.url}?result=${result}`, { redirect: 'manual' });
    const redirectResult = new URL(back.headers.get('location')).searchParams.get('redirectResult');
    const details = await PaymentsApi.paymentsDetails({ details: { redirectResult } });
    assert.equal(details.resultCode, resultCode);
  });
}

test('captured payment can be refunded', async () => {
  const pspReference = await paid();
  const capture = await ModificationsApi.captureAuthorisedPayment(pspReference, { merchantAccount, amount });
  assert.equal(capture.status, 'received');
  assert.equal(capture.paymentPspReference, pspReference);
  assert.notEqual(capture.pspReference, pspReference);
  const request = { merchantAccount, amount: { currency: 'EUR', value: 400 }, reference: 'REFUND-1' };
  const refund = await ModificationsApi.refundCapturedPayment(pspReference, request);
  assert.equal(refund.status, 'received');
  assert.equal(refund.reference, 'REFUND-1');
  assert.equal(refund.amount.value, 400);
});

test('payment can be cancelled by its pspReference and by its reference', async () => {
  const pspReference = await paid();
  const cancel = await ModificationsApi.cancelAuthorisedPaymentByPspReference(pspReference, { merchantAccount });
  assert.equal(cancel.paymentPspReference, pspReference);
  const request = payment(card);
  await PaymentsApi.payments(request);
  const paymentReference = request.reference;
  const technical = await ModificationsApi.cancelAuthorisedPayment({ merchantAccount, paymentReference });
  assert.equal(technical.paymentReference, paymentReference);
  assert.equal(technical.status, 'received');
});

test('payment can be reversed', async () => {
  const pspReference = await paid();
  const reversal = await ModificationsApi.refundOrCancelPayment(pspReference, { merchantAccount });
  assert.equal(reversal.paymentPspReference, pspReference);
  assert.equal(reversal.status, 'received');
});

test('stored payment method is listed until it is deleted', async () => {
  const shopperReference = `shopper-${randomUUID()}`;
  const recurring = simulated(new RecurringAPI(client()).RecurringApi);
  const stored = { shopperReference, storePaymentMethod: true, recurringProcessingModel: 'Subscription' };
  await PaymentsApi.payments(payment(amazonPay('160583287597AMZN'), stored));

  // Adyen stores it a second after the payment.
  const list = () => RecurringApi.getTokensForStoredPaymentDetails(shopperReference, merchantAccount);
  let methods = [];
  for (const end = Date.now() + 10_000; methods.length === 0 && Date.now() < end; ) {
    methods = (await list()).storedPaymentMethods;
  }
  assert.equal(methods.length, 1);
  assert.equal(methods[0].type, 'amazonpay');
  const details = await recurring.listRecurringDetails({ merchantAccount, shopperReference });
  assert.equal(details.details[0].RecurringDetail.recurringDetailReference, methods[0].id);

  await RecurringApi.deleteTokenForStoredPaymentDetails(methods[0].id, shopperReference, merchantAccount);
  assert.deepEqual((await list()).storedPaymentMethods, []);
});

test('call with a wrong API key fails with 401', async () => {
  await assert.rejects(payments('wrong').payments(payment(card)), fault(401, '000'));
});

test('call for another merchant account fails with 901', async () => {
  const request = payment(card, { merchantAccount: 'ANOTHER' });
  await assert.rejects(PaymentsApi.payments(request), fault(403, '901'));
});

test('payment in an unknown currency fails with 138', async () => {
  const request = payment(card, { amount: { currency: 'XXY', value: 1000 } });
  await assert.rejects(PaymentsApi.payments(request), fault(422, '138'));
});

test('payment with an unknown Amazon Pay token fails with 5_602', async () => {
  await assert.rejects(PaymentsApi.payments(payment(amazonPay('1AMZN-UNKNOWN'))), fault(422, '5_602'));
});

test('refund of an unknown payment fails with 167', async () => {
  const refund = ModificationsApi.refundCapturedPayment('AAAAAAAAAAAAAAAA', { merchantAccount, amount });
  await assert.rejects(refund, fault(422, '167'));
});
