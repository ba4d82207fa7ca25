import { AdyenCheckout, AmazonPay, Dropin } from '@adyen/adyen-web/auto'

// The page's address names the order. A bank and Amazon Pay add their results to it, which a reload must not repeat.
const { order: reference, redirectResult, amazonCheckoutSessionId, confirmed } =
  Object.fromEntries(new URLSearchParams(location.search))
const query = `?order=${encodeURIComponent(reference)}`
const here = location.origin + location.pathname + query
history.replaceState(null, '', here)

// Your backend returns the URL of the API, a checkout token, its order, and the clientKey and environment for Adyen.
const fetchShop = async () => (await fetch(`checkout.json${query}`)).json()
let shop = await fetchShop()
const pause = seconds => new Promise(done => setTimeout(done, seconds * 1000))

// The attempt and a request without an answer survive a reload, and a bank's app that opens another tab.
const kept = () => JSON.parse(localStorage.getItem(here) ?? '{}')
const keep = changes => localStorage.setItem(here, JSON.stringify({ ...kept(), ...changes }))

// Sends a request until it is answered. The same request with the same key never pays twice.
async function call(method, path, body, key) {
  for (let renewed = false; ;) {
    const headers = { authorization: `Bearer ${shop.token}`, 'content-type': 'application/json' }
    if (key) headers['idempotency-key'] = key
    let seconds = 2
    try {
      const response = await fetch(shop.api + path, { method, headers, body: body && JSON.stringify(body) })
      const answer = await response.json()
      const { status } = response, isFinal = answer.nextStep || answer.code?.endsWith('_configuration')
      if (status === 401 && !renewed) {
        shop = await fetchShop()
        renewed = true
        continue
      }
      if (status !== 429 && (status < 500 || isFinal)) return answer
      seconds = Number(response.headers.get('retry-after')) || seconds
    } catch (error) { console.warn(error) }
    await pause(seconds)
  }
}
const status = () => call('GET', `/orders/${encodeURIComponent(reference)}`)

// Keeps a request that moves money before it is sent, until it has led to the next step.
function submit(path, body) {
  keep({ request: { path, body, key: crypto.randomUUID() } })
  return repeat()
}
async function repeat() {
  const { path, body, key } = kept().request
  const answer = await call('POST', path, body, key)
  if (answer.code === 'payment_in_progress') await pause(2)
  return answer
}
const details = data => submit('/payments/details', { ...data, attempt: kept().attempt })

// Shows an answer and switches on its nextStep. Unless the order is over, the shopper can choose again.
async function next(answer, actions) {
  // Some problems have the order instead, or leave it to be read.
  const isElsewhere = ['payment_in_progress', 'attempt_superseded'].includes(answer.code)
  let step = answer.nextStep ? answer : answer.order ?? (isElsewhere ? await status() : answer)
  show(step)
  while (step.nextStep === 'wait') {
    await pause(2)
    show(step = await status())
  }
  const { attempt = kept().attempt, resultCode, action, nextStep } = step
  // GET /orders does not return the action. The request that led to it does.
  if (nextStep === 'handleAction' && !action && kept().request) return next(await repeat(), actions)
  keep({ attempt, request: undefined })
  // After a reload no component waits for the action.
  if (action && actions) return actions.resolve({ resultCode, action })
  if (action) return checkout.createFromAction(action).mount('#checkout')
  if (nextStep === 'success' || nextStep === 'none') return document.querySelector('#checkout').remove()
  dropin.mount('#checkout')
}
function show({ code, message }) {
  const failed = 'The payment was not possible. Please try again, or choose another way to pay.'
  document.querySelector('#message').textContent = message ?? (code && code !== 'order_not_found' ? failed : '')
}

const checkout = await AdyenCheckout({
  ...shop.adyen,
  amount: shop.order.amount,
  countryCode: shop.order.countryCode,
  paymentMethodsResponse: await call('POST', '/paymentMethods', {}),
  onSubmit: async ({ data }, component, actions) => next(await submit('/payments', {
    ...data, returnUrl: here, channel: 'Web', origin: location.origin,
    authenticationData: { threeDSRequestData: { nativeThreeDS: 'preferred' } }
  }), actions),
  onAdditionalDetails: async ({ data }, component, actions) => next(await details(data), actions)
})
const amazonpay = { productType: 'PayOnly', returnUrl: here, cancelUrl: here }
const dropin = new Dropin(checkout, { paymentMethodsConfiguration: { amazonpay } })

// The shopper may have paid, and may come back from a bank's page or from Amazon Pay: first with a card, which a button
// then confirms at Amazon Pay, and then with the confirmed session.
const found = await status()
if (['success', 'none'].includes(found.nextStep)) next(found)
else if (redirectResult) next(await details({ details: { redirectResult } }))
else if (amazonCheckoutSessionId) {
  const returnUrl = `${here}&confirmed=yes`
  const session = new AmazonPay(checkout, { amazonCheckoutSessionId, returnUrl, showOrderButton: !confirmed })
  session.mount('#checkout')
  if (confirmed) session.submit()
} else next(kept().request ? await repeat() : found)
