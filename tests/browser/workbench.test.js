// The workbench of cargo dev: what a developer sees and does, by mouse and by keyboard, on a wide and a narrow screen.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { get } from 'node:http'
import { createRequire } from 'node:module'
import { networkInterfaces } from 'node:os'
import { after, afterEach, before, beforeEach, test } from 'node:test'

import { openWindow, serve, startBrowser, startDev, until } from './harness.js'

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const WIDE = { width: 1280, height: 900 }
const NARROW = { width: 360, height: 740 }
const PAGES = ['orders', 'orders/PAID', 'webhooks', 'requests', 'stored-payment-methods', 'order-events', 'sessions', 'do']

let dev, browser, window, page

before(async () => {
  dev = await startDev()
  browser = await startBrowser()
  await pay('PAID', '160583287597AMZN')
  await pay('REFUSED', '160583287597AMZN-REFUSED')
})

after(async () => {
  await browser?.close()
  await dev?.stop()
})

beforeEach(async () => {
  window = await openWindow(browser)
  page = window.page
  await page.setViewportSize(WIDE)
})

afterEach(async () => {
  assert.deepEqual(window.errors, [])
  assert.deepEqual(window.left, [])
  await window.close()
})

async function pay(reference, amazonPayToken) {
  const token = await dev.token({ reference, amount: { currency: 'EUR', value: 1000 }, countryCode: 'NL' })
  const headers = { authorization: `Bearer ${token}` }
  await dev.post('/payments', { paymentMethod: { type: 'amazonpay', amazonPayToken } }, headers)
  await until(() => dev.printed().includes(`AUTHORISATION ${!amazonPayToken.endsWith('-REFUSED')} ${reference}`))
}

const heading = name => page.getByRole('heading', { level: 1, name })

/** Opens a page of the workbench, such as `orders`, and waits for its content. */
async function open(path) {
  await page.goto(`${dev.api}/workbench#/${path}`)
  await page.getByText('live', { exact: true }).waitFor()
  await page.locator('main h1').filter({ hasNotText: /^Workbench$/ }).waitFor()
}

const message = () => page.locator('#message')

test('list of orders: a new order appears without a reload, and the search finds it', async () => {
  await open('orders')
  await page.getByRole('link', { name: 'PAID' }).waitFor()

  await pay('LIVE', '160583287597AMZN')
  await page.getByRole('row', { name: /LIVE.*authorised confirmed.*rule 4: a payment stands/ }).waitFor()

  await page.getByLabel('Reference or pspReference').fill('refus')
  await page.getByRole('button', { name: 'Search' }).click()
  await page.getByRole('row', { name: /REFUSED.*refused.*rule 7/ }).waitFor()
  assert.equal(await page.getByRole('link', { name: 'PAID' }).count(), 0)
})

test('timeline: each write has its status, the rule and the facts, and the JSON is one click away', async () => {
  await open('orders')
  await page.getByRole('link', { name: 'PAID' }).click()
  await heading('Order PAID').waitFor()

  const writes = page.locator('ol.timeline > li.write')
  assert.equal(await writes.count(), 3)
  assert.match(await writes.nth(0).innerText(), /attempt 1 begins[^]*pending[^]*rule 5 of 8: the highest attempt is unresolved/)
  assert.match(await writes.nth(2).innerText(), /AUTHORISATION true is stored[^]*authorised, confirmed — rule 4 of 8: a payment stands/)
  assert.match(await writes.nth(2).innerText(), /AUTHORISATION true of \w+: the payment is authorised/)

  assert.equal(await page.getByText('GetItem').count(), 0)
  await page.getByLabel('Show reads that changed nothing').check()
  await page.getByText('GetItem').first().waitFor()

  const call = page.locator('ol.timeline > li').filter({ hasText: 'POST /v72/payments' })
  await call.getByText('JSON').click()
  await call.getByText('"resultCode": "Authorised"').waitFor()
  assert.match(await call.innerText(), /"amazonPayToken": "\[hidden\]"/)
})

test('one order: a refund that is requested here appears in its timeline', async () => {
  await pay('REFUND-ME', '160583287597AMZN')
  await open('orders/REFUND-ME')

  await page.getByLabel('Minor units').fill('400')
  await page.getByRole('button', { name: 'Refund' }).click()

  await page.locator('main dl').getByText('partiallyRefunded, confirmed').waitFor()
  await page.getByText('refund of 400 is requested.').waitFor()
  assert.equal(await page.getByLabel('Minor units').inputValue(), '400', 'the form stays as it was')
})

test('order events: each change of an order is listed, also its confirmation', async () => {
  await open('order-events')
  for (const change of ['pending', 'authorised', 'confirmed']) {
    const row = page.getByRole('row').filter({ hasText: 'PAID' })
      .filter({ has: page.getByRole('cell', { name: change, exact: true }) })
    await row.first().waitFor()
  }
})

test('webhooks: a delivery sent again is accepted, and one that is tampered with is rejected', async () => {
  await open('webhooks')
  const deliveries = page.locator('ol.timeline > li')
  const count = await deliveries.count()
  const first = deliveries.filter({ hasText: 'AUTHORISATION true PAID' }).last()
  assert.match(await first.innerText(), /key 1: standard webhooks/)

  await first.getByRole('button', { name: 'Send again' }).click()
  await message().getByText('"status":200').waitFor()
  await until(async () => await deliveries.count() === count + 1)

  await first.getByRole('button', { name: 'Tamper' }).click()
  await message().getByText('"status":401').waitFor()
  await deliveries.first().getByText('no known key matches').waitFor()
  await deliveries.first().getByText('invalid_signature').waitFor()
})

test('webhooks: an event of the form changes its order', async () => {
  await pay('DISPUTED', '160583287597AMZN')
  await open('orders/DISPUTED')
  await page.getByRole('link', { name: 'Send a webhook about it' }).click()
  await heading('Webhooks').waitFor()

  await page.getByLabel('Event', { exact: true }).fill('CHARGEBACK')
  await page.getByRole('button', { name: 'Sign and send' }).click()
  await message().getByText('[accepted]').waitFor()

  await open('orders/DISPUTED')
  await page.getByText('rule 1 of 8: a payment is charged back').first().waitFor()
})

test('webhooks: an amount of the form without a currency has the order\'s, and one that is no number is refused', async () => {
  await pay('PART', '160583287597AMZN')
  await open('webhooks?reference=PART')
  await page.getByLabel('Event', { exact: true }).fill('CHARGEBACK')
  await page.getByLabel('Minor units').fill('4,00')
  await page.getByRole('button', { name: 'Sign and send' }).click()
  await message().getByText('Minor units are a whole number').waitFor()

  await page.getByLabel('Minor units').fill('400')
  await page.getByRole('button', { name: 'Sign and send' }).click()
  await page.locator('ol.timeline > li').first().getByText(/:PART:400:EUR:CHARGEBACK:/).waitFor()
})

test('one order: an amount that is no number captures and refunds nothing', async () => {
  await pay('NO-NUMBER', '160583287597AMZN')
  await open('orders/NO-NUMBER')
  await page.getByLabel('Minor units').fill('4.00')
  await page.getByRole('button', { name: 'Refund' }).click()
  await message().getByText('Minor units are a whole number').waitFor()
  assert.equal(await page.getByText('refund of').count(), 0)
})

test('an address that is no page and no text: the page says that there is nothing', async () => {
  for (const [path, title] of [['orders/%', 'Nothing to show'], ['orders/%E0%A4%A', 'Nothing to show'], ['constructor', 'Orders']]) {
    await page.goto(`${dev.api}/workbench#/${path}`)
    await heading(title).waitFor()
  }
})

test('amounts: they have the decimals of Adyen, whatever the browser thinks', async () => {
  await open('orders')
  const shown = await page.evaluate(async () => {
    const { money } = await import('/workbench/dom.js')
    return ['JPY', 'EUR', 'KWD', 'CLP', 'ISK', 'IDR', 'CVE', 'MGA'].map(currency => money({ currency, value: 1234 }))
  })
  assert.deepEqual(shown.map(text => text.replace(/[^0-9.,]/g, '')),
    ['1,234', '12.34', '1.234', '12.34', '12.34', '1,234', '1,234', '12.34'])
})

test('--host 0.0.0.0: another machine, page or host name cannot use the workbench, and this one can', async () => {
  const own = await startDev({}, ['--host', '0.0.0.0'])
  try {
    const { port } = new URL(own.api)
    const [outside] = Object.values(networkInterfaces()).flat().filter(it => !it.internal && it.family === 'IPv4')
    const read = (host, headers = {}) => new Promise((done, failed) => {
      const options = { host, port, path: '/workbench/api/orders', headers }
      get(options, answer => done(answer.resume().statusCode)).on('error', failed)
    })
    assert.equal(await read('127.0.0.1'), 200)
    if (outside) assert.equal(await read(outside.address), 403)
    assert.equal(await read('127.0.0.1', { host: `rebound.example:${port}` }), 403)
    assert.equal(await read('127.0.0.1', { origin: 'http://rebound.example' }), 403)
    if (outside) {
      const page = await fetch(`http://${outside.address}:${port}/`)
      assert.equal(page.status, 200, 'the storefront and the API are reachable')
    }
    await page.goto(`http://127.0.0.1:${port}/workbench#/orders`)
    await heading('Orders').waitFor()
  } finally {
    await own.stop()
  }
})

test('the clock: set forward, it shows how far, and a token has expired', async () => {
  const own = await startDev()
  try {
    const token = await own.token({ reference: 'OLD', amount: { currency: 'EUR', value: 1000 } })
    const read = () => fetch(`${own.api}/orders/OLD`, { headers: { authorization: `Bearer ${token}` } })
    assert.equal((await (await read()).json()).code, 'order_not_found')
    await page.goto(`${own.api}/workbench#/do`)

    await page.getByRole('button', { name: 'Set the clock forward by 25 hours' }).click()

    await page.getByText('1 d 1 h ahead').waitFor()
    assert.equal((await (await read()).json()).code, 'token_expired')
    await page.getByRole('button', { name: 'Run recover' }).click()
    await message().getByText('"abandoned":0').waitFor()
  } finally {
    await own.stop()
  }
})

for (const [name, viewport, colorScheme] of [
  ['wide', WIDE, 'light'], ['narrow', NARROW, 'light'], ['wide and dark', WIDE, 'dark'], ['narrow and dark', NARROW, 'dark']
]) {
  test(`every page, ${name}: no violation of accessibility, and nothing wider than the screen`, async () => {
    await page.setViewportSize(viewport)
    await page.emulateMedia({ colorScheme })
    for (const path of PAGES) {
      await open(path)
      if (path === 'webhooks') await page.getByText('Send any event').click()
      await page.evaluate(axe)
      const { violations } = await page.evaluate(() => globalThis.axe.run())
      const found = violations.map(it => `${it.id}: ${it.nodes.map(node => node.html).slice(0, 3).join(' ')}`)
      assert.deepEqual(found, [], path)
      const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth])
      assert.ok(content <= screen, `${path}: ${content} > ${screen}`)
    }
  })
}

test('keyboard only: from the skip link to a webhook that is sent again, and the focus stays', async () => {
  await open('orders')
  const focused = () => page.evaluate(() => {
    const it = document.activeElement
    return it.getAttribute('aria-label') ?? it.textContent.trim()
  })
  const tabTo = async wanted => {
    for (let at = 0; at < 80; at++) {
      if (wanted.test(await focused())) return
      await page.keyboard.press('Tab')
    }
    assert.fail(`${wanted} cannot be reached`)
  }

  await page.evaluate(() => { document.activeElement.blur() })
  await page.keyboard.press('Tab')
  assert.equal(await focused(), 'Skip to the content')
  await tabTo(/^Webhooks$/)
  await page.keyboard.press('Enter')
  await heading('Webhooks').waitFor()
  await tabTo(/^Send again: AUTHORISATION/)
  const name = await focused()
  const count = await page.locator('ol.timeline > li').count()
  await page.keyboard.press('Enter')
  await until(async () => await page.locator('ol.timeline > li').count() > count)
  assert.equal(await focused(), name)
})

test('another web page cannot read or call the workbench', async () => {
  const other = await serve(() => ['text/html', '<!doctype html><title>Another page</title>'])
  try {
    await page.goto(other.url)
    const outcome = await page.evaluate(async url => {
      const call = options => fetch(url, options).then(answer => answer.type, () => 'refused')
      return [
        await call(),
        await call({ method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"action":"recover"}' })
      ]
    }, `${dev.api}/workbench/api/do`)
    assert.deepEqual(outcome, ['refused', 'refused'])
  } finally {
    await other.stop()
  }
})
