// Adyen's Drop-in pays through the API with the page of docs/storefront.md.
//
// Adyen serves its card fields from its own hosts, into iframes, so no test can pay with a card there. A card behind
// Amazon Pay takes the same path of 3-D Secure.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { until } from './harness.js'
import { openShop } from './shop.js'

let shop
before(async () => { shop = await openShop() })
after(() => shop?.close())

const confirmed = order => order.confirmed
const THANKS = 'Your payment was successful.'

/** Pays with Amazon Pay's component and a card of the simulator. */
async function payWithAmazonPay(shopper, card) {
  await shopper.page.locator('#amazonPayButton button').click()
  await shopper.page.locator('select[name=card]').selectOption(card)
  await shopper.page.getByRole('button', { name: 'Continue' }).click()
  await shopper.page.getByRole('button', { name: 'Confirm purchase' }).click()
  await shopper.page.getByRole('link', { name: 'Pay', exact: true }).click()
}

/** Waits until the shopper can choose a method again. */
const canChooseAgain = shopper => shopper.page.getByRole('radio', { name: /ideal/i }).waitFor()

/** The bank's page in the shop's page. */
const bank = shopper => shopper.page.frameLocator('iframe[name=threeDSIframe]')

test('Amazon Pay, with a card that pays: the order is confirmed', async () => {
  const shopper = await shop.checkout('AMAZON-PAY')

  await payWithAmazonPay(shopper, 'A card that pays')
  await shopper.shows(THANKS)

  const order = await shopper.order(confirmed)
  assert.equal(order.status, 'authorised')
  assert.equal(order.attempt, 1)
  await shopper.close()
})

test('Amazon Pay, left without paying: the order does not exist, and the shopper can choose again', async () => {
  const shopper = await shop.checkout('AMAZON-PAY-LEFT')

  await shopper.page.locator('#amazonPayButton button').click()
  await shopper.page.getByRole('button', { name: 'Leave' }).click()
  await shopper.page.locator('#amazonPayButton button').waitFor()

  const order = await shopper.order()
  assert.equal(order.code, 'order_not_found')
  await shopper.close()
})

test('Amazon Pay, declined on its page: the order is not paid, and the shopper can choose again', async () => {
  const shopper = await shop.checkout('AMAZON-PAY-DECLINED')

  await shopper.page.locator('#amazonPayButton button').click()
  await shopper.page.getByRole('button', { name: 'Continue' }).click()
  await shopper.page.getByRole('button', { name: 'Confirm purchase' }).click()
  await shopper.page.getByRole('link', { name: 'Decline' }).click()
  await shopper.shows('Please start your Amazon Pay payment again.')
  await canChooseAgain(shopper)

  const order = await shopper.order()
  assert.equal(order.status, 'error')
  assert.equal(order.nextStep, 'startOver')
  await shopper.close()
})

test('iDEAL, approved at the bank: the order is confirmed', async () => {
  const shopper = await shop.checkout('IDEAL')

  await shopper.pay(/ideal/i)
  await shopper.page.getByRole('link', { name: 'Approve' }).click()
  await shopper.shows(THANKS)

  const order = await shopper.order(confirmed)
  assert.equal(order.status, 'authorised')
  await shopper.close()
})

test('iDEAL, declined at the bank: the order is refused, and the shopper can choose again', async () => {
  const shopper = await shop.checkout('IDEAL-DECLINED')

  await shopper.pay(/ideal/i)
  await shopper.page.getByRole('link', { name: 'Decline' }).click()
  await shopper.shows('Your payment was refused.')
  await canChooseAgain(shopper)

  const order = await shopper.order()
  assert.equal(order.status, 'refused')
  assert.equal(order.nextStep, 'tryAnotherMethod')
  await shopper.close()
})

test('a second method, after the first one was refused: the order is charged once', async () => {
  const shopper = await shop.checkout('SECOND-METHOD')

  await shopper.pay(/ideal/i)
  await shopper.page.getByRole('link', { name: 'Decline' }).click()
  await shopper.shows('Your payment was refused.')
  await shopper.choose('Amazon Pay')
  await payWithAmazonPay(shopper, 'A card that pays')
  await shopper.shows(THANKS)

  const order = await shopper.order(confirmed)
  assert.equal(order.status, 'authorised')
  assert.equal(order.attempt, 2)
  assert.equal(order.authorisedAmount.value, 1000)
  assert.deepEqual(order.needsAttention, [])
  await shopper.close()
})

test('a payment whose answer is lost: the page sends it again, and the order is charged once', async () => {
  const shopper = await shop.checkout('LOST-ANSWER')
  let sent = 0
  await shopper.page.route(`${shop.dev.api}/payments`, async route => {
    if (++sent > 1) return route.continue()
    await route.fetch()
    return route.abort()
  })

  await shopper.pay(/ideal/i)
  await shopper.page.getByRole('link', { name: 'Approve' }).click()
  await shopper.shows(THANKS)

  const order = await shopper.order(confirmed)
  assert.equal(sent, 2)
  assert.equal(order.attempt, 1)
  assert.equal(order.authorisedAmount.value, 1000)
  await shopper.close()
})

test('a page that is reloaded before the answer: the same request is sent again, and its action is carried out', async () => {
  const shopper = await shop.checkout('RELOADED')
  const keys = []
  await shopper.page.route(`${shop.dev.api}/payments`, async route => {
    keys.push(route.request().headers()['idempotency-key'])
    if (keys.length > 1) return route.continue()
    await route.fetch()
    return route.abort()
  })

  await shopper.pay(/ideal/i)
  await until(() => keys.length > 0)
  await shopper.page.reload()
  await shopper.page.getByRole('link', { name: 'Approve' }).click()
  await shopper.shows(THANKS)

  assert.equal(new Set(keys).size, 1)
  const order = await shopper.order(confirmed)
  assert.equal(order.attempt, 1)
  await shopper.close()
})

test('a busy API: the page waits for Retry-After, and sends the same request again', async () => {
  const shopper = await shop.checkout('BUSY')
  const sent = []
  await shopper.page.route(`${shop.dev.api}/payments`, route => {
    sent.push({ at: Date.now(), key: route.request().headers()['idempotency-key'] })
    if (sent.length > 1) return route.continue()
    return route.fulfill({
      status: 503, contentType: 'application/problem+json', body: '{"status":503,"code":"storage_unavailable"}',
      headers: {
        'retry-after': '4', 'access-control-allow-origin': '*', 'access-control-expose-headers': 'retry-after'
      }
    })
  })

  await shopper.pay(/ideal/i)
  await shopper.page.getByRole('link', { name: 'Approve' }).click()
  await shopper.shows(THANKS)

  assert.equal(sent.length, 2)
  assert.ok(sent[1].at - sent[0].at >= 4000, `it waited for ${sent[1].at - sent[0].at} ms`)
  assert.equal(sent[0].key, sent[1].key)
  await shopper.close()
})

test('a payment in progress: the page shows the order once it is decided', async () => {
  const shopper = await shop.checkout('IN-PROGRESS')
  await shopper.page.getByRole('radio', { name: /ideal/i }).waitFor()
  // In another tab.
  const amazonPayToken = '160583287597AMZN-PENDING'
  const headers = { authorization: `Bearer ${await shopper.token()}` }
  await shop.dev.post('/payments', { paymentMethod: { type: 'amazonpay', amazonPayToken } }, headers)

  await shopper.pay(/ideal/i)
  await shopper.shows('Your payment is being processed.')
  await shop.dev.act({ action: 'pay', reference: 'IN-PROGRESS' })
  await shopper.shows(THANKS)

  const order = await shopper.order(confirmed)
  assert.equal(order.attempt, 1)
  await shopper.close()
})

test('a token that has expired: the page fetches another', async () => {
  const shopper = await shop.checkout('EXPIRED')
  await shopper.page.route(`${shop.dev.api}/payments`, route => {
    const headers = { ...route.request().headers(), authorization: 'Bearer expired' }
    return route.continue({ headers })
  }, { times: 1 })

  await shopper.pay(/ideal/i)
  await shopper.page.getByRole('link', { name: 'Approve' }).click()
  await shopper.shows(THANKS)
  await shopper.close()
})

test('a native challenge, approved: the order is confirmed', async () => {
  const shopper = await shop.checkout('CHALLENGE')

  await payWithAmazonPay(shopper, "A card with 3-D Secure in the shop's page")
  await bank(shopper).getByText('Pay EUR 10.00 for CHALLENGE?').waitFor()
  await bank(shopper).getByRole('button', { name: 'Approve' }).click()
  await shopper.shows(THANKS)

  const order = await shopper.order(confirmed)
  assert.equal(order.status, 'authorised')
  assert.equal(order.attempt, 1)
  assert.match(shop.dev.printed(), /threeds\/\w+\/method-notification/, 'the browser was fingerprinted')
  await shopper.close()
})

test('a native challenge, declined: the order is refused, and another card pays it', async () => {
  const shopper = await shop.checkout('CHALLENGE-DECLINED')

  await payWithAmazonPay(shopper, "A card with 3-D Secure in the shop's page")
  await bank(shopper).getByRole('button', { name: 'Decline' }).click()
  await shopper.shows('Your payment was not accepted.')
  const refused = await shopper.order()
  await payWithAmazonPay(shopper, 'A card that pays')
  await shopper.shows(THANKS)

  assert.equal(refused.status, 'refused')
  assert.equal(refused.nextStep, 'retryWithAmazonPay')
  const order = await shopper.order(confirmed)
  assert.equal(order.attempt, 2)
  await shopper.close()
})

test('a fingerprint that the bank recognises: the order is confirmed without a challenge', async () => {
  const shopper = await shop.checkout('FRICTIONLESS')

  await payWithAmazonPay(shopper, "A card that 3-D Secure recognises in the shop's page")
  await shopper.shows(THANKS)

  const order = await shopper.order(confirmed)
  assert.equal(order.status, 'authorised')
  await shopper.close()
})

test('a Multibanco voucher, shown: the order waits, and another method can pay it', async () => {
  const shopper = await shop.checkout('VOUCHER', { countryCode: 'PT' })

  await shopper.pay(/multibanco/i)
  await shopper.page.getByText('501 422 944').waitFor()
  const waiting = await shopper.order()
  await shopper.page.reload()
  await payWithAmazonPay(shopper, 'A card that pays')
  await shopper.shows(THANKS)

  assert.equal(waiting.status, 'pending')
  assert.equal(waiting.nextStep, 'handleAction')
  const order = await shopper.order(confirmed)
  assert.equal(order.status, 'authorised')
  assert.equal(order.attempt, 2)
  await shopper.close()
})

test('a paid order, opened again: the page offers no payment', async () => {
  const shopper = await shop.checkout('PAID')
  await payWithAmazonPay(shopper, 'A card that pays')
  await shopper.shows(THANKS)

  await shopper.page.reload()
  await shopper.shows(THANKS)

  assert.equal(await shopper.page.locator('#checkout').count(), 0)
  await shopper.close()
})

test('a shopper who pays with every kind of method: no request leaves loopback', async () => {
  const shopper = await shop.checkout('LOOPBACK')
  await shopper.page.evaluate(() => fetch('https://checkoutshopper-test.adyen.com/').catch(() => {}))
  const escaped = shopper.left.splice(0)

  await shopper.pay(/ideal/i)
  await shopper.page.getByRole('link', { name: 'Decline' }).click()
  await shopper.shows('Your payment was refused.')
  await shopper.choose('Amazon Pay')
  await payWithAmazonPay(shopper, "A card with 3-D Secure in the shop's page")
  await bank(shopper).getByRole('button', { name: 'Approve' }).click()
  await shopper.shows(THANKS)

  assert.deepEqual(escaped, ['https://checkoutshopper-test.adyen.com/'], 'requests are recorded')
  await shopper.close()
})
