import { AdyenCheckout, AmazonPay, Dropin } from '@adyen/adyen-web/auto'

// Your backend returns the URL of the API, a checkout token, its order, and the clientKey and environment for Adyen.
const { api, token, order, adyen } = await (await fetch('checkout.json')).json()
const here = location.origin + location.pathname
const back = Object.fromEntries(new URLSearchParams(location.search))
history.replaceState(null, '', here)
const pause = () => new Promise(done => setTimeout(done, 2000))

// If the connection breaks, the same request is sent again, which never pays twice.
async function call(method, path, body) {
  const headers = { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() }
  headers.authorization = `Bearer ${token}`
  for (;;) {
    try {
      return await (await fetch(api + path, { method, headers, body: body && JSON.stringify(body) })).json()
    } catch { await pause() }
  }
}
const status = () => call('GET', `/orders/${order.reference}`)
const details = data => call('POST', '/payments/details', { ...data, attempt: Number(sessionStorage.attempt) })

// Shows an answer and switches on its nextStep. Unless the order is over, the shopper can choose again.
async function next(answer, actions) {
  show(answer)
  while (answer.nextStep === 'wait') {
    await pause()
    show(answer = await status())
  }
  if (answer.attempt) sessionStorage.attempt = answer.attempt
  const { resultCode, action, nextStep } = answer
  if (action) return actions.resolve({ resultCode, action })
  if (nextStep === 'success' || nextStep === 'none') return document.querySelector('#checkout').remove()
  dropin.mount('#checkout')
}
function show({ code, message, detail }) {
  document.querySelector('#message').textContent = code === 'order_not_found' ? '' : message ?? detail
}

const checkout = await AdyenCheckout({
  ...adyen,
  amount: order.amount,
  countryCode: order.countryCode,
  paymentMethodsResponse: await call('POST', '/paymentMethods', {}),
  onSubmit: async ({ data }, component, actions) => next(await call('POST', '/payments', {
    ...data, returnUrl: here, channel: 'Web', origin: location.origin,
    authenticationData: { threeDSRequestData: { nativeThreeDS: 'preferred' } }
  }), actions),
  onAdditionalDetails: async ({ data }, component, actions) => next(await details(data), actions)
})
const amazonpay = { productType: 'PayOnly', returnUrl: here, cancelUrl: here }
const dropin = new Dropin(checkout, { paymentMethodsConfiguration: { amazonpay } })

// The shopper may have paid, and may come back from a bank's page or from Amazon Pay: first with a card, which a button
// then confirms at Amazon Pay, and then with the confirmed session.
const { redirectResult, amazonCheckoutSessionId, confirmed } = back
const found = await status()
if (found.nextStep === 'success') next(found)
else if (redirectResult) next(await details({ details: { redirectResult } }))
else if (amazonCheckoutSessionId) {
  const returnUrl = `${here}?confirmed=yes`
  const session = new AmazonPay(checkout, { amazonCheckoutSessionId, returnUrl, showOrderButton: !confirmed })
  session.mount('#checkout')
  if (confirmed) session.submit()
} else next(found)
