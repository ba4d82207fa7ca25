// Webhooks that the simulator signs are valid for Adyen's library, and the other way round.
'use strict';

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { randomUUID } = require('node:crypto');
const { createServer } = require('node:http');
const { test } = require('node:test');
const { promisify } = require('node:util');
const { hmacValidator: HmacValidator } = require('@adyen/api-library');

const standardKey = 'dead0001'.repeat(8);
const tokenKey = 'dead0002'.repeat(8);
const validator = new HmacValidator();
const { API, DEV } = process.env;

async function dev(...options) {
  return (await promisify(execFile)(DEV, options)).stdout.trim();
}

// The webhook that the simulator sends.
async function simulated(...options) {
  const server = createServer();
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const received = new Promise((resolve) => {
    server.on('request', async (request, response) => {
      const chunks = await request.toArray();
      // The command first asks `cargo dev` for the order, which this server is not.
      response.statusCode = request.method === 'POST' ? 200 : 404;
      response.end();
      if (request.method !== 'POST') return;
      resolve({ headers: request.headers, body: Buffer.concat(chunks).toString() });
    });
  });
  await dev('webhook', ...options, '--to', `http://127.0.0.1:${server.address().port}/`);
  server.close();
  return received;
}

const item = (webhook) => JSON.parse(webhook.body).notificationItems[0].NotificationRequestItem;

for (const options of [
  ['AUTHORISATION', '--reference', 'ORDER-1'],
  ['AUTHORISATION', '--reference', 'ORDER:1\\ü', '--success', 'false', '--reason', 'Refused'],
  ['REFUND', '--reference', 'REFUND-1', '--original', 'X8H83XSTXRZ8V6RK', '--amount', 'JPY:1'],
]) {
  test(`webhook ${options.join(' ')} of the simulator is valid, and invalid once changed`, async () => {
    const notification = item(await simulated(...options));
    assert.equal(validator.validateHMAC(notification, standardKey), true);
    assert.equal(validator.validateHMAC(notification, tokenKey), false);
    notification.amount.value += 1;
    assert.equal(validator.validateHMAC(notification, standardKey), false);
  });
}

test('webhook that the simulator signs wrongly is invalid', async () => {
  const notification = item(await simulated('AUTHORISATION', '--bad-signature'));
  assert.equal(validator.validateHMAC(notification, standardKey), false);
});

test('webhook of a stored payment method is valid, and invalid once changed', async () => {
  const { headers, body } = await simulated('recurring.token.created');
  assert.equal(validator.validateHMACSignature(tokenKey, headers.hmacsignature, body), true);
  assert.equal(validator.validateHMACSignature(standardKey, headers.hmacsignature, body), false);
  assert.equal(validator.validateHMACSignature(tokenKey, headers.hmacsignature, `${body} `), false);
});

// An order that is authorised, and not confirmed, because the simulator sends no webhook.
async function paid() {
  const reference = `ORDER-${randomUUID()}`;
  const token = await dev('token', '--reference', reference, '--amount', 'EUR:1000', '--country', 'NL');
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const paymentMethod = { type: 'amazonpay', amazonPayToken: '160583287597AMZN-NO-WEBHOOK' };
  const body = JSON.stringify({ paymentMethod });
  const answer = await (await fetch(`${API}/payments`, { method: 'POST', headers, body })).json();
  assert.equal(answer.status, 'authorised');
  const confirmed = async () => (await (await fetch(`${API}/orders/${reference}`, { headers })).json()).confirmed;
  return { reference, pspReference: answer.pspReference, confirmed };
}

// A standard webhook about that payment, signed by the library.
function signed({ reference, pspReference }) {
  const notification = {
    amount: { currency: 'EUR', value: 1000 },
    eventCode: 'AUTHORISATION',
    eventDate: new Date().toISOString(),
    merchantAccountCode: 'ADYEN_MERCHANT_ACCOUNT',
    merchantReference: reference,
    paymentMethod: 'visa_amazonpay',
    pspReference,
    success: 'true',
  };
  notification.additionalData = { hmacSignature: validator.calculateHmac(notification, standardKey) };
  return notification;
}

async function send(notification) {
  const body = { live: 'false', notificationItems: [{ NotificationRequestItem: notification }] };
  const answer = await fetch(`${API}/webhooks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return answer.status;
}

test('webhook that the library signs confirms its order', async () => {
  const order = await paid();
  assert.equal(await order.confirmed(), false);
  assert.equal(await send(signed(order)), 200);
  assert.equal(await order.confirmed(), true);
});

test('webhook that was changed after the library signed it is refused and changes nothing', async () => {
  const order = await paid();
  for (const change of [
    { amount: { currency: 'EUR', value: 1001 } },
    { merchantReference: `${order.reference}0` },
    { success: 'false' },
    { additionalData: {} },
    { additionalData: { hmacSignature: validator.calculateHmac(signed(order), 'dead0003'.repeat(8)) } },
  ]) {
    assert.equal(await send({ ...signed(order), ...change }), 401, JSON.stringify(change));
  }
  assert.equal(await order.confirmed(), false);
});
