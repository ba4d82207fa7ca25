// The storefront page of `cargo dev`: nothing is lost or paid twice, and everyone can use it.

import assert from 'node:assert/strict'
import { copyFile, mkdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { openWindow, startBrowser, startDev, until } from './harness.js'

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const screenshots = fileURLToPath(new URL('../../target/screenshots', import.meta.url))
const docs = fileURLToPath(new URL('../../docs', import.meta.url))

let dev, browser
before(async () => {
  dev = await startDev()
  browser = await startBrowser()
  await mkdir(screenshots, { recursive: true })
})
after(async () => {
  await browser.close()
  await dev.stop()
})

let orders = 0

/** Opens a shopper's browser, at the page of a new order. */
async function checkout(options) {
  const reference = `PAGE-${++orders}`
  const { page, left, errors, close } = await openWindow(browser, {}, options)
  await page.goto(dev.api)
  await page.getByLabel('Reference').fill(reference)
  await page.getByRole('button', { name: 'Check out' }).click()
  await shows(page, 'Choose how to pay')
  await page.getByRole('button', { name: 'Amazon Pay' }).waitFor()
  return {
    page, reference,
    async end() {
      assert.deepEqual([left, errors], [[], []], 'nothing leaves this machine, and no script fails')
      await close()
    }
  }
}

const shows = (page, text) => page.getByRole('heading', { name: text }).waitFor()
const press = (page, name) => page.getByRole('button', { name, exact: true }).click()

/** Pays with a token of Amazon Pay that has this ending. */
async function payWith(page, ending) {
  await page.getByLabel('what shall happen').selectOption(ending)
  await press(page, 'Pay with this outcome')
}

/** Opens a shopper's browser, at the page of the bank. */
async function atTheBank(ending = '-3DS-REDIRECT') {
  const shopper = await checkout()
  await payWith(shopper.page, ending)
  await shopper.page.getByRole('link', { name: 'Approve' }).waitFor()
  return shopper
}

const approve = page => page.getByRole('link', { name: 'Approve' }).click()

/** The order, and the assertion that it was not tried more often than that. */
async function assertOrder(reference, status, attempts = 1) {
  const token = await dev.token({ reference, amount: { currency: 'EUR', value: 1000 } })
  const order = await until(async () => {
    const answer = await fetch(`${dev.api}/orders/${reference}`, { headers: { authorization: `Bearer ${token}` } })
    const order = await answer.json()
    return order.status === status && order
  }, () => `${reference} does not become ${status}`)
  assert.equal(order.attempt, attempts, JSON.stringify(order))
}

/** Answers that many calls to a path in place of the API, and returns the requests with their times. */
async function instead(page, path, times, answer) {
  const calls = []
  await page.route(url => url.pathname.match(path), route => {
    if (calls.length >= times) return route.fallback()
    calls.push({ at: Date.now(), key: route.request().headers()['idempotency-key'] })
    return answer ? route.fulfill(answer) : route.abort('connectionrefused')
  })
  return calls
}

const problem = (status, code, headers) =>
  ({ status, contentType: 'application/problem+json', headers, body: JSON.stringify({ status, code }) })

const letPay = reference => dev.act({ action: 'pay', reference })

/** Lets calls to a path be handled, and drops that many answers. */
async function cut(page, path, times) {
  await page.route(url => url.pathname.match(path), async route => {
    if (times-- <= 0) return route.fallback()
    await route.fetch()
    await route.abort('connectionreset')
  })
}

/** Reloads the page that has noticed the cut, with the connection back. */
async function reloadAfterCut(page) {
  await page.getByText('The connection is interrupted.').waitFor()
  await page.unrouteAll()
  await page.reload()
}

/** A way to pay, which the page offers only if the shopper can choose again. */
const way = page => page.getByRole('button', { name: 'Card', exact: true })
const assertNoChoice = async page => assert.equal(await way(page).isVisible(), false)

const SUCCESS = 'Your payment was successful.'

// The ending of a token, the status of the order, what the page shows, and whether it offers to pay.
const OUTCOMES = [
  ['', 'authorised', SUCCESS, false],
  ['-DROP', 'authorised', SUCCESS, false],
  ['-NO-WEBHOOK', 'authorised', SUCCESS, false],
  ['-REFUND-FAIL', 'authorised', SUCCESS, false],
  ['-WHOLE-CAPTURE', 'authorised', SUCCESS, false],
  ['-REVOKED', 'authorised', SUCCESS, false],
  ['-3DS-FRICTIONLESS', 'authorised', SUCCESS, false],
  ['-REFUSED', 'refused', 'choose a different card in Amazon Pay', true],
  ['-LATE-FAIL', 'refused', 'choose a different card in Amazon Pay', true],
  ['-CANCELLED', 'cancelled', 'You cancelled the payment.', true],
  ['-ERROR', 'error', 'There was an error processing your payment.', true],
  ['-UNKNOWN', 'error', 'Please start your Amazon Pay payment again.', true],
  ['-FAULT-905', 'error', 'There was an error processing your payment.', true],
  ['-PENDING', 'pending', 'Your payment is being processed.', false],
  ['-HTTP-500', 'pending', 'Your payment is being processed.', false]
]

for (const [ending, status, message, offers] of OUTCOMES) {
  test(`outcome ${ending || 'authorised'}: the page shows it, also after a reload`, async () => {
    const { page, reference, end } = await checkout()
    await payWith(page, ending)
    await shows(page, message)
    for (const _ of ['after the payment', 'after a reload']) {
      await shows(page, message)
      await (offers ? way(page).waitFor() : assertNoChoice(page))
      await page.reload()
    }
    await assertOrder(reference, status)
    await end()
  })
}

for (const [ending, at] of [['', /payments$/], ['-REFUSED', /payments$/], ['', /orders/], ['-3DS-CHALLENGE', /details$/]]) {
  test(`answers of ${at} cut, with ${ending || 'authorised'}: the same requests are sent again`, async () => {
    const { page, reference, end } = await checkout()
    await cut(page, at, 2)
    await payWith(page, ending)
    if (ending === '-3DS-CHALLENGE') await press(page, 'Yes')
    await shows(page, ending === '-REFUSED' ? 'choose a different card' : SUCCESS)
    await assertOrder(reference, ending === '-REFUSED' ? 'refused' : 'authorised')
    await end()
  })
}

test('no connection: the page offers to go on, and a reload repeats the payment', async () => {
  const { page, reference, end } = await checkout()
  await cut(page, /payments$/, Infinity)
  await payWith(page, '')
  await reloadAfterCut(page)
  await shows(page, SUCCESS)
  await assertOrder(reference, 'authorised')
  await end()
})

test('problem that leaves the outcome open: the kept request is sent again after a reload', async () => {
  for (const status of [500, 429]) {
    const { page, reference, end } = await checkout()
    const calls = await instead(page, /payments$/, Infinity, problem(status, 'internal', { 'retry-after': '1' }))
    await payWith(page, '')
    await shows(page, 'We cannot reach the shop at the moment.')
    assert.equal(new Set(calls.map(({ key }) => key)).size, 1, 'each try has the same key')
    await page.unrouteAll()
    await page.reload()
    await shows(page, SUCCESS)
    await assertOrder(reference, 'authorised')
    await end()
  }
})

test('Retry-After: the page waits that long, and then sends the same request', async () => {
  const { page, reference, end } = await checkout()
  const calls = await instead(page, /payments$/, 1, problem(503, 'storage_unavailable', { 'retry-after': '4' }))
  const sent = page.waitForRequest(request => calls.length === 1 && request.url().endsWith('/payments'))
  await payWith(page, '')
  const second = await sent
  assert.ok(Date.now() - calls[0].at >= 4000, `it waited for ${Date.now() - calls[0].at} ms`)
  assert.equal(second.headers()['idempotency-key'], calls[0].key)
  await shows(page, SUCCESS)
  await assertOrder(reference, 'authorised')
  await end()
})

test('lookups that fail after the payment: the paid page stays', async () => {
  for (const answer of [problem(503, 'storage_unavailable', { 'retry-after': '1' }), problem(403, 'wrong_order')]) {
    const { page, end } = await checkout()
    const calls = await instead(page, /orders/, Infinity, answer)
    await payWith(page, '')
    await shows(page, SUCCESS)
    // A transient problem is tried five times for each lookup.
    await until(() => calls.length >= (answer.status === 503 ? 6 : 1))
    await page.waitForTimeout(500)
    await shows(page, SUCCESS)
    assert.equal(await page.getByRole('button', { name: 'Try again' }).count(), 0)
    await end()
  }
})

test('lookups that fail while a voucher is shown: the voucher stays', async () => {
  const { page, end } = await checkout()
  await press(page, 'Multibanco')
  await shows(page, 'pay with this reference')
  const calls = await instead(page, /orders/, Infinity, problem(503, 'storage_unavailable', { 'retry-after': '1' }))
  await until(() => calls.length >= 6)
  await page.locator('dd', { hasText: '501 422 944' }).waitFor()
  await end()
})

/** Lets the stored token of the page's order expire, and the shop answer to the next requests for a token. */
async function expireToken(page, reference, times, answer) {
  await page.evaluate(reference => {
    const entry = `order ${reference}`
    localStorage.setItem(entry, JSON.stringify({ ...JSON.parse(localStorage.getItem(entry)), token: 'expired' }))
  }, reference)
  await instead(page, /dev\/token/, times, answer)
}

for (const [name, answer, message] of [
  ['that cannot be reached', undefined, 'We cannot reach the shop at the moment.'],
  ['that fails', { status: 502, body: 'down' }, 'We cannot reach the shop at the moment.'],
  ['that does not know the shopper', { status: 403, body: 'no' }, 'The shop does not know that this order is yours.'],
  ['that answers with a page', { status: 200, body: '<p>Log in' }, 'We cannot reach the shop at the moment.']
]) {
  test(`token endpoint ${name}: the page says so, and goes on later`, async () => {
    const { page, reference, end } = await checkout()
    await payWith(page, '-PENDING')
    await shows(page, 'Your payment is being processed.')
    await expireToken(page, reference, Infinity, answer)
    await page.reload()
    await shows(page, message)
    await page.unrouteAll()
    await press(page, 'Try again')
    await shows(page, 'Your payment is being processed.')
    await end()
  })
}

test('token endpoint that fails while the page polls: it polls on', async () => {
  const { page, reference, end } = await checkout()
  await press(page, 'SEPA Direct Debit')
  await shows(page, 'being processed')
  await expireToken(page, reference, 2)
  // The page has the former token until it starts again.
  await page.reload()
  await shows(page, 'being processed')
  await letPay(reference)
  await shows(page, SUCCESS)
  await assertOrder(reference, 'authorised')
  await end()
})

test('new order for which the shop has no token: the shopper sees why', async () => {
  const { page, left, errors, close } = await openWindow(browser)
  await page.goto(dev.api)
  await page.getByLabel('Currency').fill('XXX')
  await page.getByRole('button', { name: 'Check out' }).click()
  await page.getByRole('alert').filter({ hasText: 'The shop did not take the order' }).waitFor()
  await page.getByLabel('Currency').fill('EUR')
  await page.getByRole('button', { name: 'Check out' }).click()
  await shows(page, 'Choose how to pay')
  assert.deepEqual([left, errors], [[], []])
  await close()
})

test('order that the shop does not know: the page says so', async () => {
  const { page, left, errors, close } = await openWindow(browser)
  await page.goto(`${dev.api}/?order=NOBODY`)
  await shows(page, 'The shop does not know that this order is yours.')
  assert.deepEqual([left, errors], [[], []])
  await close()
})

test('outcome that takes long: the shopper can ask again', async () => {
  const { page, reference, end } = await checkout()
  await page.clock.install()
  await payWith(page, '-PENDING')
  await shows(page, 'Your payment is being processed.')
  const again = page.getByRole('button', { name: 'Ask again' })
  await until(async () => {
    await page.clock.runFor(5000)
    return again.isVisible()
  })
  await page.getByText('This takes longer than usual.').waitFor()
  await page.clock.resume()
  await letPay(reference)
  await assertOrder(reference, 'authorised')
  await press(page, 'Ask again')
  await shows(page, SUCCESS)
  await end()
})

test('refunded order, opened again: the page says so and offers nothing', async () => {
  const { page, reference, end } = await checkout()
  await payWith(page, '')
  await shows(page, SUCCESS)
  await dev.act({ action: 'modify', reference, operation: 'refund', value: null })
  await assertOrder(reference, 'refunded')
  await page.reload()
  await shows(page, 'Your payment was refunded.')
  await assertNoChoice(page)
  await end()
})

for (const [how, what] of [['slow', 'answers slowly'], ['cutBefore', 'is cut off'], ['transient503', 'is busy']]) {
  test(`Adyen ${what}: the order is paid once`, async () => {
    const { page, reference, end } = await checkout()
    await dev.act({ action: 'failNext', target: 'adyen', how, path: '/payments' })
    await payWith(page, '')
    await shows(page, SUCCESS)
    await assertOrder(reference, 'authorised')
    await end()
  })
}

test('bank in another tab: both tabs show the paid order', async () => {
  const { page, reference, end } = await atTheBank()
  const bank = page.url()
  await page.goBack()
  await shows(page, 'Your payment is waiting for you.')
  const other = await page.context().newPage()
  await other.goto(bank)
  await approve(other)
  await shows(other, SUCCESS)
  await shows(page, SUCCESS)
  await assertOrder(reference, 'authorised')
  await end()
})

test('back from the bank: the payment can be continued', async () => {
  const { page, reference, end } = await atTheBank()
  await page.goBack()
  await press(page, 'Continue the payment')
  await approve(page)
  await shows(page, SUCCESS)
  await assertOrder(reference, 'authorised')
  await end()
})

test('shopper who never acts at the bank: the order expires, and the shop offers to pay again', async () => {
  const { page, reference, end } = await atTheBank('-OFFER-CLOSED')
  await assertOrder(reference, 'expired')
  await page.goBack()
  await shows(page, 'Your payment timed out.')
  await way(page).waitFor()
  await end()
})

test('answer of Adyen that comes too late: the page waits, and shows the paid order', async () => {
  const { page, reference, end } = await checkout()
  await payWith(page, '-TIMEOUT')
  // The API waits for 24 seconds, and the webhook comes 15 seconds later.
  await page.getByRole('heading', { name: 'Your payment is being processed.' }).waitFor({ timeout: 40_000 })
  await page.getByRole('heading', { name: SUCCESS }).waitFor({ timeout: 40_000 })
  await assertOrder(reference, 'authorised')
  await end()
})

test('return in another browser: the payment is completed there', async () => {
  const { page, reference, end } = await atTheBank()
  const other = await openWindow(browser)
  await other.page.goto(page.url())
  await approve(other.page)
  await shows(other.page, SUCCESS)
  await other.close()
  await assertOrder(reference, 'authorised')
  await end()
})

test('answer of the bank\'s result cut: the paid order is shown', async () => {
  const { page, reference, end } = await atTheBank()
  await cut(page, /details$/, 2)
  await approve(page)
  await shows(page, SUCCESS)
  await assertOrder(reference, 'authorised')
  await end()
})

test('challenge, reloaded: it is asked again and can be declined', async () => {
  const { page, reference, end } = await checkout()
  await payWith(page, '-3DS-CHALLENGE')
  await shows(page, 'Your bank asks')
  await page.reload()
  await shows(page, 'Your bank asks')
  await press(page, 'No')
  await shows(page, 'choose a different card')
  await assertOrder(reference, 'refused')
  await end()
})

test('two tabs: the second shows what the first paid, and does not offer to pay', async () => {
  const { page, reference, end } = await checkout()
  const other = await page.context().newPage()
  await other.goto(page.url())
  await shows(other, 'Choose how to pay')
  await payWith(page, '')
  await shows(other, SUCCESS)
  await assertNoChoice(other)
  await assertOrder(reference, 'authorised')
  await end()
})

test('two tabs pay at once: the order is paid once, and both show it', async () => {
  const { page, reference, end } = await checkout()
  const other = await page.context().newPage()
  await other.goto(page.url())
  await shows(other, 'Choose how to pay')
  await Promise.all([payWith(page, ''), payWith(other, '')])
  await Promise.all([shows(page, SUCCESS), shows(other, SUCCESS)])
  await assertOrder(reference, 'authorised')
  await end()
})

test('double click at each step: one payment', async () => {
  const { page, reference, end } = await checkout()
  await page.getByRole('button', { name: 'iDEAL' }).dblclick()
  await page.getByRole('link', { name: 'Approve' }).dblclick()
  await shows(page, SUCCESS)
  await assertOrder(reference, 'authorised')
  await end()

  const challenged = await checkout()
  await challenged.page.getByLabel('what shall happen').selectOption('-3DS-CHALLENGE')
  await challenged.page.getByRole('button', { name: 'Pay with this outcome' }).dblclick()
  await challenged.page.getByRole('button', { name: 'Yes' }).dblclick()
  await shows(challenged.page, SUCCESS)
  await assertOrder(challenged.reference, 'authorised')
  await challenged.end()
})

test('Amazon Pay, with a cut answer and a reload: the session is not lost', async () => {
  const { page, reference, end } = await checkout()
  await page.getByRole('button', { name: 'Amazon Pay' }).dblclick()
  await page.getByRole('button', { name: 'Continue' }).click()
  await cut(page, /payments$/, Infinity)
  await page.getByRole('link', { name: 'Pay', exact: true }).click()
  await reloadAfterCut(page)
  await shows(page, SUCCESS)
  await assertOrder(reference, 'authorised')
  await end()
})

test('Amazon Pay, left: the shop offers to pay again', async () => {
  const { page, end } = await checkout()
  await press(page, 'Amazon Pay')
  await press(page, 'Leave')
  await shows(page, 'Choose how to pay')
  await end()
})

// A method, and what it asks of the shopper.
const METHODS = [
  ['Card', SUCCESS], ['Card that is refused', 'choose a different payment method'],
  ['MB WAY', 'in the app on your phone'], ['WeChat Pay', 'scan this code'], ['Multibanco', 'pay with this reference'],
  ['Bank Transfer', 'transfer the amount'], ['SEPA Direct Debit', 'being processed'], ['PayPal', 'in the window of your wallet']
]

for (const [method, message] of METHODS) {
  test(`${method}: the shopper sees what to do, also after a reload`, async () => {
    const { page, end } = await checkout()
    await press(page, method)
    await shows(page, message)
    await page.reload()
    await shows(page, message)
    await end()
  })
}

test('Klarna: the shopper pays on its page, and can come back without', async () => {
  const { page, reference, end } = await checkout()
  await page.getByRole('button', { name: /Klarna/ }).click()
  await page.getByRole('link', { name: 'Approve' }).waitFor()
  await page.goBack()
  await press(page, 'Continue the payment')
  await approve(page)
  await shows(page, SUCCESS)
  await assertOrder(reference, 'authorised')
  await end()
})

test('keyboard only: an order is paid, and the focus is where the news is', async () => {
  const { page, reference, end } = await checkout()
  const focused = () => page.evaluate(() => document.activeElement.textContent)
  assert.equal(await focused(), 'Choose how to pay')
  const tabTo = async name => {
    for (let tabs = 0; tabs < 30; tabs++) {
      await page.keyboard.press('Tab')
      if ((await focused()).trim() === name) return page.keyboard.press('Enter')
    }
    assert.fail(`no focus on ${name}`)
  }
  await tabTo('Card with 3-D Secure')
  await page.getByRole('link', { name: 'Approve' }).waitFor()
  await tabTo('Approve')
  await shows(page, SUCCESS)
  assert.match(await focused(), new RegExp(SUCCESS))
  await assertOrder(reference, 'authorised')
  await end()
})

// The pictures of the README, which UPDATE_DOCS=1 replaces.
const PICTURES = { 'choose-375-light': 'storefront-choose.png', 'success-375-dark': 'storefront-success.png' }

/** Asserts that axe finds nothing and that the page does not scroll sideways, and keeps a picture. */
async function assertUsable(page, name) {
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => window.axe.run())
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], name)
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth])
  assert.ok(wide <= window, `${name} is ${wide} pixels wide`)
  await page.screenshot({ path: `${screenshots}/${name}.png`, fullPage: true })
  const picture = process.env.UPDATE_DOCS && PICTURES[name]
  if (picture) await copyFile(`${screenshots}/${name}.png`, `${docs}/${picture}`)
}

for (const [width, height] of [[375, 700], [1280, 800]]) {
  for (const colorScheme of ['light', 'dark']) {
    test(`${width} pixels, ${colorScheme}: no violations of accessibility`, async () => {
      const options = { viewport: { width, height }, colorScheme }
      const name = of => `${of}-${width}-${colorScheme}`
      const { page, end } = await checkout(options)
      await assertUsable(page, name('choose'))
      await payWith(page, '-3DS-CHALLENGE')
      await shows(page, 'Your bank asks')
      await assertUsable(page, name('challenge'))
      await press(page, 'Yes')
      await shows(page, SUCCESS)
      await assertUsable(page, name('success'))
      await page.getByText('For developers').click()
      await assertUsable(page, name('calls'))
      await page.getByRole('link', { name: 'another order' }).click()
      await page.getByText('Earlier orders').waitFor()
      await assertUsable(page, name('new'))
      await end()

      const waiting = await checkout(options)
      for (const [method, message] of [['WeChat Pay', 'scan this code'], ['Multibanco', 'pay with this reference']]) {
        await press(waiting.page, method)
        await shows(waiting.page, message)
        await assertUsable(waiting.page, name(method))
      }
      await press(waiting.page, 'iDEAL')
      await waiting.page.getByRole('link', { name: 'Approve' }).waitFor()
      await assertUsable(waiting.page, name('bank'))
      await waiting.end()

      const amazon = await checkout(options)
      await press(amazon.page, 'Amazon Pay')
      await amazon.page.getByRole('button', { name: 'Continue' }).waitFor()
      await assertUsable(amazon.page, name('amazon-card'))
      await press(amazon.page, 'Continue')
      await amazon.page.getByRole('link', { name: 'Decline' }).waitFor()
      await assertUsable(amazon.page, name('amazon-amount'))
      await amazon.end()
    })
  }
}
