// Amazon Pay's SDK for Node against the simulator.
'use strict';

const assert = require('node:assert/strict');
const { generateKeyPairSync, randomUUID } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { test } = require('node:test');
const { WebStoreClient } = require('@amazonpay/amazon-pay-api-sdk-nodejs');

const simulator = join(__dirname, '../../local/amazon-pay-simulator/src');
const storeId = 'amzn1.application-oa2-client.development-only';
const webCheckoutDetails = {
  checkoutReviewReturnUrl: 'https://your-company.example.com/review',
  checkoutResultReturnUrl: 'https://your-company.example.com/result',
};

function client(config) {
  return new WebStoreClient({
    publicKeyId: 'SANDBOX-DEVELOPMENT-ONLY',
    privateKey: readFileSync(join(simulator, 'development-only-private-key.pem')),
    region: 'eu',
    overrideServiceUrl: process.env.AMAZON,
    ...config,
  });
}

const key = () => ({ 'x-amz-pay-idempotency-key': randomUUID().replaceAll('-', '') });

const begin = (amazon, headers = key()) => amazon.createCheckoutSession({ webCheckoutDetails, storeId }, headers);

function refused(status, reasonCode) {
  return ({ response }) => {
    assert.ok(response, 'no answer');
    assert.deepEqual([response.status, response.data.reasonCode], [status, reasonCode]);
    return true;
  };
}

// The default is AMZN-PAY-RSASSA-PSS.
for (const algorithm of [undefined, 'AMZN-PAY-RSASSA-PSS', 'AMZN-PAY-RSASSA-PSS-V2']) {
  const config = algorithm ? { algorithm } : {};
  const name = algorithm ?? 'the default algorithm';
  const amazon = client(config);

  test(`session that is created, updated and read with ${name} returns a token once it is paid`, async () => {
    const created = await begin(amazon);
    assert.equal(created.status, 201);
    const id = created.data.checkoutSessionId;
    assert.equal(created.data.statusDetails.state, 'Open');
    assert.equal(created.data.constraints.length, 2);

    const updated = await amazon.updateCheckoutSession(id, {
      paymentDetails: { paymentIntent: 'Confirm', chargeAmount: { amount: '10.00', currencyCode: 'EUR' } },
      merchantMetadata: { merchantReferenceId: 'ORDER-1' },
    });
    assert.equal(updated.status, 200);
    assert.deepEqual(updated.data.constraints, []);

    await fetch(`${updated.data.webCheckoutDetails.amazonPayRedirectUrl}?answer=pay`, { redirect: 'manual' });
    const read = await amazon.getCheckoutSession(id);
    assert.equal(read.data.merchantMetadata.merchantReferenceId, 'ORDER-1');
    assert.equal(read.data.paymentDetails.chargeAmount.amount, '10.00');
    assert.match(read.data.amazonPayToken, /^[0-9]{12}AMZN$/);
  });

  test(`session cannot be completed with ${name}, because Adyen charges it`, async () => {
    const { data } = await begin(amazon);
    const complete = amazon.completeCheckoutSession(data.checkoutSessionId, {
      chargeAmount: { amount: '10.00', currencyCode: 'EUR' },
    });
    await assert.rejects(complete, refused(405, 'UnsupportedOperation'));
  });

  test(`call that another key signs with ${name} is refused`, async () => {
    const { data } = await begin(amazon);
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const other = client({ ...config, privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) });
    await assert.rejects(begin(other), refused(403, 'InvalidRequestSignature'));
    await assert.rejects(other.getCheckoutSession(data.checkoutSessionId), refused(403, 'InvalidRequestSignature'));
  });

  test(`button that is signed with ${name} begins a session, and is refused once changed`, async () => {
    const payloadJSON = JSON.stringify({ webCheckoutDetails, storeId });
    const fields = {
      payloadJSON,
      signature: amazon.generateButtonSignature(payloadJSON),
      publicKeyId: 'SANDBOX-DEVELOPMENT-ONLY',
      ...config,
    };
    const press = (changed) => fetch(`https://${process.env.AMAZON}/checkout`, {
      method: 'POST',
      redirect: 'manual',
      body: new URLSearchParams({ ...fields, ...changed }),
    });
    assert.equal((await press({})).status, 303);
    assert.equal((await press({ payloadJSON: payloadJSON.replace('review', 'reviev') })).status, 400);
  });
}

test('session that is created again with the same key is the first one', async () => {
  const amazon = client();
  const headers = key();
  const ids = [];
  for (const copy of [headers, headers, key()]) {
    ids.push((await begin(amazon, { ...copy })).data.checkoutSessionId);
  }
  assert.equal(ids[0], ids[1]);
  assert.notEqual(ids[0], ids[2]);
});

test('session of another store is not created', async () => {
  const create = client().createCheckoutSession({ webCheckoutDetails, storeId: 'another' }, key());
  await assert.rejects(create, refused(400, 'InvalidParameterValue'));
});
