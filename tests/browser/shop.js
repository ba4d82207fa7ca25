// A shop with the page of docs/storefront.md, in which tests pay orders.

import assert from 'node:assert/strict'

import { bundle, openWindow, serve, startBrowser, startDev, until } from './harness.js'

const METHODS = 'amazonpay,ideal,multibanco'

/** The simulator's, which does not begin with `test_`, because Adyen Web sends such a key to Adyen only. */
const CLIENT_KEY = 'development-only-adyen-client-key'

/** Adyen Web fingerprints a browser over plain http only if Adyen's API is at this address. */
const ADYEN = 'localhost:8080'

const AMAZON_SCRIPT = 'https://static-eu.payments-amazon.com/checkout.js'

const PAGE = '<!doctype html><meta charset=utf-8><title>Checkout</title><link rel=icon href="data:,">' +
  '<p id=message role=status></p><div id=checkout></div><script type=module src=/checkout.js></script>'

/** Starts everything that the tests share. */
export async function openShop() {
  const orders = new Map()
  const script = await bundle('checkout.js')
  const pages = await serve(async ({ pathname, searchParams }) => {
    if (pathname === '/checkout.js') return ['text/javascript', script]
    if (pathname === '/checkout') return ['text/html', PAGE]
    const order = orders.get(searchParams.get('order'))
    if (order && pathname === '/checkout.json') return ['application/json', JSON.stringify(await settings(order))]
  })
  const dev = await startDev({
    ALLOWED_ORIGINS: pages.url, ALLOWED_PAYMENT_METHODS: METHODS, DEFAULT_RETURN_URL: `${pages.url}/`
  })
  const browser = await startBrowser({ [ADYEN]: new URL(dev.adyen).host })

  // The answer of the merchant's backend to the page. `_environmentUrls` replaces Adyen's hosts.
  const settings = async order => ({
    api: dev.api, token: await dev.token(order), order,
    adyen: {
      clientKey: CLIENT_KEY, environment: 'test', locale: 'en-US',
      _environmentUrls: {
        api: `http://${ADYEN}/checkoutshopper/`, analytics: `http://${ADYEN}/checkoutanalytics/`,
        cdn: { images: `${pages.url}/`, translations: `${pages.url}/` }
      }
    }
  })

  /** Opens the page for a new order. */
  async function checkout(reference, { currency = 'EUR', countryCode = 'NL' } = {}) {
    const order = { reference, amount: { currency, value: 1000 }, countryCode }
    orders.set(reference, order)
    const { page, left, errors, close } = await openWindow(browser, {
      [AMAZON_SCRIPT]: async () => {
        const answer = await fetch(`${dev.amazonPay}/checkout.js`)
        return { contentType: 'text/javascript', body: await answer.text() }
      }
    })
    await page.goto(`${pages.url}/checkout?order=${reference}`)
    return {
      page,
      /** Requests that would have left loopback. */
      left,
      close: async () => {
        await close()
        // Adyen Web reports an error if its Amazon Pay component ends before Amazon's script has loaded.
        assert.deepEqual(errors.filter(error => error.message !== 'Script loading cancelled.'), [])
        assert.deepEqual(left, [], 'no request leaves loopback')
      },
      /** Opens a method of the Drop-in. */
      choose: name => page.getByRole('radio', { name }).click(),
      /** Opens a method of the Drop-in, and presses its button. */
      pay: async name => {
        await page.getByRole('radio', { name }).click()
        await page.locator('.adyen-checkout__button--pay:visible').click()
      },
      /** Another token of the order. */
      token: () => dev.token(order),
      shows: message => page.locator('#message', { hasText: message }).waitFor(),
      /** The order, once it meets a condition. */
      order: (condition = () => true) => orderOnce(order, condition)
    }
  }

  async function orderOnce(order, condition) {
    const headers = { authorization: `Bearer ${await dev.token(order)}` }
    let found
    await until(async () => {
      found = await (await fetch(`${dev.api}/orders/${order.reference}`, { headers })).json()
      return condition(found)
    }, () => JSON.stringify(found))
    return found
  }

  const close = async () => {
    await browser.close()
    await dev.stop()
    await pages.stop()
  }
  return { dev, checkout, close }
}
