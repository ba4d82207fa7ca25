// Adyen Web's Drop-in pays through the API with the page of docs/storefront.md.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { openShop } from './shop.js'

let shop
before(async () => { shop = await openShop() })
after(() => shop.close())

const confirmed = order => order.confirmed

test('iDEAL, approved at the bank: the order is confirmed', async () => {
  const shopper = await shop.checkout('IDEAL-1')

  await shopper.pay('ideal')
  await shopper.page.getByRole('link', { name: 'Approve' }).click()
  await shopper.shows('Your payment was successful.')

  const order = await shopper.order(confirmed)
  assert.equal(order.status, 'authorised')
  await shopper.close()
})
