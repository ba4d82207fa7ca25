// A checkout with this bundle's API, to copy. Routes below /dev, and what is marked with "cargo dev", play the shop.

// The URL of the API, such as https://abc123.execute-api.eu-west-1.amazonaws.com. `cargo dev` serves it with the page.
const API = ''

const $ = id => document.getElementById(id)
const pause = seconds => new Promise(done => setTimeout(done, seconds * 1000))
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}
const random = () => crypto.getRandomValues(new Uint32Array(4)).join('-')

// The currencies whose minor units at Adyen do not have two decimals.
const DECIMALS = Object.fromEntries([
  [0, 'BIF CVE DJF GNF IDR JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'],
  [3, 'BHD IQD JOD KWD LYD OMR TND'], [4, 'CLF UYW']
].flatMap(([decimals, currencies]) => currencies.split(' ').map(currency => [currency, decimals])))
function money({ currency, value }) {
  const digits = DECIMALS[currency] ?? 2
  return new Intl.NumberFormat('en', {
    style: 'currency', currency, currencyDisplay: 'code', minimumFractionDigits: digits, maximumFractionDigits: digits
  }).format(value / 10 ** digits)
}

// ---- What must survive a reload, and a return from the bank in another tab ----

// An entry of localStorage for each order, whose reference is in the URL: the order, its token, the number of the
// attempt, and the last request with its Idempotency-Key.
let kept = {}
const entry = reference => `order ${reference}`
const stored = reference => JSON.parse(localStorage.getItem(entry(reference)) ?? 'null')

function keep(changes) {
  // Another tab may have written since.
  kept = { ...kept, ...(kept.order && stored(kept.order.reference)), ...changes }
  localStorage.setItem(entry(kept.order.reference), JSON.stringify(kept))
}

// The page's own address, without the parameters with which Amazon Pay and the bank return.
const home = () => `${location.pathname}?order=${encodeURIComponent(kept.order.reference)}`

// ---- Calls ----

// Fetches a token from the shop's backend, which knows the order and must know that this is its shopper. Returns
// { token, order }, or throws; `http` of the error is the status of an answer that denies the token. `cargo dev` mints
// for an order that this page invents, and again for an order that it has minted for.
async function mint(order) {
  const signal = AbortSignal.timeout(PATIENCE)
  const again = `/dev/token/${encodeURIComponent(order.reference)}`
  const answer = order.amount
    ? await fetch('/dev/token', { method: 'POST', headers: JSON_BODY, signal, body: JSON.stringify(order) })
    : await fetch(again, { signal })
  if (answer.ok) return answer.json()
  throw Object.assign(new Error(await answer.text()), { http: answer.status })
}

// Keeps a new token. Never throws: it returns `ok`, a transient answer, or 401 if the shop denies the token.
async function renew(order) {
  try {
    keep(await mint(order))
    return { ok: true }
  } catch (error) {
    console.error(error)
    const answer = { http: error.http ?? 0, ok: false, lost: String(error) }
    return isTransient(answer) ? answer : { ...answer, http: 401 }
  }
}

const JSON_BODY = { 'content-type': 'application/json' }
const TRIES = 5
// The API answers within 30 seconds.
const PATIENCE = 40_000

// A response that says "not now". Repeating the request never pays twice.
const isTransient = ({ http, code, nextStep }) =>
  http === 0 || http === 429 || (http >= 500 && !nextStep && http !== 501 && !code?.endsWith('_configuration'))

// Sends a request until it is answered. A token that is missing or has expired is replaced once.
async function call(method, path, body, key) {
  let isNew = false
  for (let tries = 1; ; tries++) {
    let answer = { http: 401, ok: false }
    if (kept.token) list(method, path, body, answer = await send(method, path, body, key))
    if (answer.http === 401 && !isNew) {
      answer = await renew(kept.order)
      isNew = answer.ok
      if (isNew) continue
    }
    if (!isTransient(answer) || tries >= TRIES) {
      if (tries > 1) say('')
      return answer
    }
    say(answer.http ? 'Please wait a moment.' : 'The connection is interrupted. We are trying again.')
    await pause(answer.retryAfter ?? Math.min(2 ** (tries - 1), 8))
  }
}

async function send(method, path, body, key) {
  const headers = { authorization: `Bearer ${kept.token}`, ...(body && JSON_BODY), ...(key && { 'idempotency-key': key }) }
  try {
    const signal = AbortSignal.timeout(PATIENCE)
    const answer = await fetch(API + path, { method, headers, signal, body: body && JSON.stringify(body) })
    const retryAfter = Number(answer.headers.get('retry-after')) || undefined
    return { ...await answer.json(), http: answer.status, ok: answer.ok, retryAfter }
  } catch (error) {
    return { http: 0, ok: false, lost: String(error) }
  }
}

const readOrder = () => call('GET', `/orders/${encodeURIComponent(kept.order.reference)}`)

// Sends a request that moves money. It is kept before it is sent, so that it can be repeated.
async function submit(path, body) {
  keep({ request: { path, body, key: random() } })
  history.replaceState(null, '', home())
  await repeat(false)
}

// Sends the kept request. The same request with the same key is the same payment.
async function repeat(resumed) {
  say('Please wait. Your payment is being sent.')
  const { path, body, key } = kept.request
  const answer = await call('POST', path, body, key)
  // After any other answer the outcome is open, so a reload sends it again.
  if (!isTransient(answer) && answer.http !== 401) keep({ request: { path, body, key, answered: true } })
  await next(answer, resumed)
}

// ---- The order ----

const PAID = ['success', 'none']
const WAITING = ['wait', 'handleAction']

// Begins with the order, whatever happened before: a reload, a return, a lost answer.
async function resume() {
  say('Looking up your order.')
  const { at, amazonCheckoutSessionId, redirectResult } = Object.fromEntries(new URLSearchParams(location.search))
  const order = await readOrder()
  showAmount()
  if (!order.ok && order.code !== 'order_not_found') return trouble(order)
  if (!PAID.includes(order.nextStep)) {
    if (at === 'review') return review(amazonCheckoutSessionId)
    if (at === 'result') return pay({ type: 'amazonpay', amazonCheckoutSessionId })
    if (redirectResult) return details({ redirectResult }, kept.attempt ?? order.attempt)
    const { request } = kept
    // GET /orders does not return the action; the request that led to it does.
    if (request && (!request.answered || order.nextStep === 'handleAction')) return repeat(true)
  }
  return order.ok ? next(order, true) : offer('Choose how to pay')
}

// Switches on nextStep, with each answer about a payment. `resumed`: the shopper has not just pressed a button.
async function next(answer, resumed) {
  // Some problems have the order instead.
  const step = answer.nextStep ? answer : answer.order ?? {}
  if (!step.nextStep) return trouble(answer)
  history.replaceState(null, '', home())
  if (step.attempt) keep({ attempt: step.attempt })
  shownStep = step.nextStep
  switch (step.nextStep) {
    case 'handleAction':
      if (step.action) return act(step.action, resumed)
      offer(step.message)
      poll(step)
      return
    case 'wait':
    case 'success':
      show(step.message)
      poll(step)
      return
    case 'none':
      return show(step.message)
    // retryWithAmazonPay, tryAnotherMethod, startOver, showError
    default:
      return offer(step.message)
  }
}

// Texts for problems without a message. The other codes mean that the page or the deployment is wrong.
const START_OVER = 'Please start your Amazon Pay payment again.'
const HOPELESS = ['adyen_configuration', 'amount_mismatch', 'order_cancelled', 'too_many_attempts', 'wrong_order']

async function trouble(answer) {
  const { code = '' } = answer
  if (isTransient(answer)) {
    show('We cannot reach the shop at the moment. Nothing is lost: try again when you are online.')
    return choose(['Try again', resume])
  }
  if (answer.http === 401) {
    show('The shop does not know that this order is yours. Please log in to the shop, and try again.')
    return choose(['Try again', resume])
  }
  if (code === 'payment_in_progress' || code === 'attempt_superseded') {
    show('Your payment is being processed. Please wait a moment.')
    // The request may be repeated after that time. The order may be decided earlier.
    for (let seconds = answer.retryAfter ?? 1; seconds > 0; seconds -= 2) {
      await pause(Math.min(seconds, 2))
      const order = await readOrder()
      if (order.ok && !WAITING.includes(order.nextStep)) return next(order, true)
    }
    return resume()
  }
  history.replaceState(null, '', home())
  if (HOPELESS.includes(code)) return show('This order cannot be paid at the moment. Please contact the shop.')
  const again = code.startsWith('checkout_session_') || code === 'amazon_pay_token_missing'
  return offer(again ? START_OVER : 'The payment was not possible. Please try again, or choose another way to pay.')
}

let polling

// Asks until the next step changes, and until a paid order is confirmed. Not awaited, because the shopper may choose
// another way meanwhile.
function poll(step) {
  ask(step).catch(fail)
}

async function ask({ nextStep }) {
  const mine = polling = {}
  const waits = nextStep !== 'success'
  for (let tries = 0; tries < 40; tries++) {
    say(waits ? 'This page asks again every few seconds.' : '')
    await pause(Math.min(1 + tries / 5, 5))
    if (mine !== polling) return
    const order = await readOrder()
    if (mine !== polling) return
    if (order.ok && order.nextStep !== nextStep && !(order.nextStep === 'handleAction' && waits)) return next(order, true)
    if (order.confirmed) break
    // After a transient problem the page stays, because it may show a voucher that the shopper needs.
    if (!order.ok && !isTransient(order)) return waits ? trouble(order) : say('')
  }
  say('')
  if (!waits) return
  say('This takes longer than usual. You can close this page and come back later.')
  $('action').append(button('Ask again', resume))
}

// Another tab may have paid, and a shopper who comes back to this one wants to know.
async function refresh() {
  if (working || !kept.order || document.visibilityState === 'hidden') return
  const order = await readOrder()
  if (working || !order.ok || order.nextStep === 'handleAction' || order.nextStep === shownStep) return
  await next(order, true)
}

// ---- Paying ----

const pay = paymentMethod => submit('/payments', {
  paymentMethod,
  returnUrl: location.origin + home(),
  channel: 'Web',
  origin: location.origin,
  browserInfo: {
    acceptHeader: '*/*', colorDepth: screen.colorDepth, javaEnabled: false, language: navigator.language,
    screenHeight: screen.height, screenWidth: screen.width,
    timeZoneOffset: new Date().getTimezoneOffset(), userAgent: navigator.userAgent
  },
  ...(kept.order.shopperReference && { recurringProcessingModel: 'Subscription', storePaymentMethod: true })
})

const details = (details, attempt = kept.attempt, paymentData) =>
  submit('/payments/details', { details, attempt, ...(paymentData && { paymentData }) })

// Handles an action. Adyen Web's createFromAction does the same for every method.
function act(action, resumed) {
  const { type, paymentData, authorisationToken } = action
  const bank = result => details({ threeDSResult: btoa(JSON.stringify({ authorisationToken, ...result })) })
  switch (type) {
    case 'redirect':
      if (!resumed) return follow(action)
      offer('Your payment is waiting for you.')
      choose(['Continue the payment', () => follow(action)])
      break
    case 'threeDS2':
      // A fingerprint needs nothing of the shopper.
      if (action.subtype === 'fingerprint') return bank({ threeDSCompInd: 'Y' })
      show('Your bank asks: is this payment yours?')
      return choose(['Yes', () => bank({ transStatus: 'Y' })], ['No', () => bank({ transStatus: 'N' })])
    case 'sdk':
      offer('Please confirm the payment in the window of your wallet.')
      choose(['Confirm', () => details({ orderID: 'SIMULATED', payerID: 'SIMULATED' }, undefined, paymentData)])
      break
    case 'await':
      offer('Please confirm the payment in the app on your phone.')
      break
    case 'qrCode':
      offer('Please scan this code with your bank\'s app.')
      $('action').append(make('img', { src: `/dev/qr?${new URLSearchParams({ data: action.qrCodeData })}`, alt: 'QR code of the payment' }))
      break
    case 'voucher':
      offer('Please pay with this reference at a shop, a cash machine or your bank.')
      facts(action, ['entity', 'reference', 'totalAmount', 'expiresAt'])
      break
    case 'bankTransfer':
      offer('Please transfer the amount to this account.')
      facts(action, ['beneficiary', 'iban', 'bic', 'reference', 'totalAmount'])
      break
    default:
      return offer('This page cannot continue with this method. Please choose another way to pay.')
  }
  poll({ nextStep: 'handleAction' })
}

function follow({ method, url, data = {} }) {
  if (method !== 'POST') return leave(() => location.assign(url))
  const fields = Object.entries(data).map(([name, value]) => make('input', { type: 'hidden', name, value }))
  const form = make('form', { method, action: url }, ...fields)
  document.body.append(form)
  return leave(() => form.submit())
}

function facts(action, names) {
  const text = value => value?.currency ? money(value) : value
  const title = name => name.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`)
  const rows = names.filter(name => action[name]).flatMap(name =>
    [make('dt', {}, title(name)), make('dd', {}, text(action[name]))])
  $('action').append(make('dl', {}, ...rows))
}

// ---- Amazon Pay ----

// Draws Amazon Pay's button, which opens its page. `cargo dev` has a script of its own.
async function amazonButton(script) {
  const answer = await call('POST', '/checkoutSessions', {
    checkoutReviewReturnUrl: `${location.origin}${home()}&at=review`,
    checkoutResultReturnUrl: `${location.origin}${home()}&at=result`,
    checkoutCancelUrl: location.origin + home(),
    ...(kept.order.shopperReference && { storePaymentMethod: true })
  })
  if (!answer.ok) return
  const { payloadJSON, signature, algorithm, publicKeyId, merchantId, ledgerCurrency, region, sandbox } = answer
  const src = script ?? `https://static-${region === 'jp' ? 'fe' : region}.payments-amazon.com/checkout.js`
  await new Promise((onload, onerror) => document.head.append(make('script', { src, onload, onerror })))
  window.amazon.Pay.renderButton('#amazon', {
    publicKeyId, merchantId, ledgerCurrency, sandbox, productType: 'PayOnly', placement: 'Checkout',
    createCheckoutSessionConfig: { payloadJSON, signature, algorithm }
  })
}

// Sets the session's amount after the shopper picked a card. Amazon Pay then asks the shopper to confirm it.
async function review(session) {
  const answer = await call('PATCH', `/checkoutSessions/${encodeURIComponent(session)}`)
  // Replaces this address, because going back to it would lead to Amazon Pay again.
  return answer.ok ? leave(() => location.replace(answer.amazonPayRedirectUrl)) : next(answer, true)
}

// ---- What the shopper sees ----

let offered

// Offers to pay: the message, and the methods of this order.
async function offer(message) {
  show(message)
  $('pay').hidden = false
  offered ??= drawMethods()
  if (!await offered) offered = undefined
}

async function drawMethods() {
  const [answer, { script, logos }] = await Promise.all([call('POST', '/paymentMethods', {}), shop])
  if (!answer.ok) {
    $('pay').hidden = true
    say('We cannot list the ways to pay at the moment.')
    choose(['Try again', resume])
    return false
  }
  const methods = answer.paymentMethods
  const choices = methods.filter(({ type }) => type !== 'amazonpay').flatMap(({ type, name }) =>
    Object.entries(ENTERED[type] ?? { [name]: {} }).map(([label, fields]) => {
      const choice = button(label, () => pay({ type, ...fields }))
      // Without its logo a method has its name.
      if (logos) choice.prepend(make('img', { src: `${logos}/${type === 'scheme' ? 'card' : type}.svg`, alt: '', onerror() { this.remove() } }))
      return make('li', {}, choice)
    }))
  $('methods').replaceChildren(...choices)
  $('try').hidden = !methods.some(({ type }) => type === 'amazonpay')
  if (!methods.length) say('There is no way to pay this amount in this country.')
  if (!$('try').hidden) amazonButton(script).catch(console.error)
  return true
}

// The fields that a shopper would enter. In a shop, Adyen Web draws them and encrypts cards. Adyen's test environment
// takes a value that begins with test_ for encrypted.
const card = (number, holderName = 'S. Hopper') => ({
  encryptedCardNumber: `test_${number}`, encryptedExpiryMonth: 'test_03', encryptedExpiryYear: 'test_2030',
  encryptedSecurityCode: 'test_737', holderName
})
const ENTERED = {
  scheme: {
    'Card': card('5555555555554444'),
    'Card with 3-D Secure': card('4917610000000000'),
    'Card that is refused': card('5555555555554444', 'DECLINED')
  },
  blik: { BLIK: { blikCode: '777987' } },
  mbway: { 'MB WAY': { telephoneNumber: '+351910000000' } },
  sepadirectdebit: { 'SEPA Direct Debit': { iban: 'NL13TEST0123456789', ownerName: 'A. Klaassen' } }
}

const say = text => $('progress').textContent = text
const showAmount = () => $('amount').textContent = kept.order.amount ? `, ${money(kept.order.amount)}` : ''
let shownStep

// Shows news, moves the focus there, and takes away what it replaces.
function show(message) {
  polling = undefined
  say('')
  $('pay').hidden = true
  $('action').replaceChildren()
  $('message').textContent = message
  $('message').focus()
}

const button = (text, work) => make('button', { type: 'button', className: 'quiet', onclick: () => once(work) }, text)
function choose(...choices) {
  $('action').append(...choices.flatMap(([text, work]) => [button(text, work), ' ']))
}

// Until the next page is there, presses do nothing.
function leave(go) {
  go()
  return pause(10)
}

function fail(error) {
  console.error(error)
  show('Something went wrong. Nothing is lost: please try again.')
  choose(['Try again', resume])
}

let working = false

// A press acts once: until its work is done, others do nothing.
async function once(work) {
  if (working) return
  working = true
  polling = undefined
  document.body.ariaBusy = 'true'
  try {
    await work()
  } catch (error) {
    fail(error)
  }
  working = false
  document.body.ariaBusy = 'false'
}

// ---- cargo dev: an invented order, and the list of calls ----

const shop = fetch('/dev/shop').then(answer => answer.json())

function list(method, path, body, answer) {
  const calls = JSON.parse(sessionStorage.getItem('calls') ?? '[]'), last = calls.at(-1)
  const { http, ok, retryAfter, lost, ...said } = answer
  const title = `${method} ${path} ${http || 'no answer'}`
  const text = (body ? `> ${JSON.stringify(body, null, 2)}\n\n` : '') + (lost ?? JSON.stringify(said, null, 2))
  // Polling returns the same answer until the outcome is known, so count repetitions.
  if (last?.title === title && last.text === text) last.times++
  else calls.push({ title, text, times: 1 })
  sessionStorage.setItem('calls', JSON.stringify(calls.slice(-30)))
  listAll()
}

function listAll() {
  const calls = JSON.parse(sessionStorage.getItem('calls') ?? '[]')
  $('calls').replaceChildren(...calls.reverse().map(({ title, text, times }) => make('details', {},
    make('summary', {}, times > 1 ? `${title} (${times} times)` : title), make('pre', {}, text))))
}

$('order').onsubmit = event => {
  event.preventDefault()
  const { currency, value, shopperReference, ...rest } = Object.fromEntries(new FormData($('order')))
  const order = { ...rest, amount: { currency, value: Number(value) }, ...(shopperReference && { shopperReference }) }
  kept = {}
  once(async () => {
    const answer = await renew(order)
    $('refused').textContent = answer.ok ? '' : `The shop did not take the order: ${answer.lost}`
    if (answer.ok) await leave(() => location.assign(home()))
  })
}

$('try').onsubmit = event => {
  event.preventDefault()
  const number = String(crypto.getRandomValues(new Uint32Array(1))[0]).padStart(12, '0')
  once(() => pay({ type: 'amazonpay', amazonPayToken: `${number}AMZN${$('try').ending.value}` }))
}

// ---- The start ----

const reference = new URLSearchParams(location.search).get('order')
listAll()
if (reference) {
  $('checkout').hidden = false
  $('reference').textContent = reference
  addEventListener('storage', event => event.key === entry(reference) && refresh().catch(console.error))
  document.addEventListener('visibilitychange', () => refresh().catch(console.error))
  // A page that the browser kept while the shopper was at the bank.
  addEventListener('pageshow', event => event.persisted && location.reload())
  once(async () => {
    // In another browser only the reference is known.
    kept = stored(reference) ?? { order: { reference } }
    showAmount()
    await resume()
  })
} else {
  $('new').hidden = false
  $('order').reference.value = `ORDER-${String(Date.now()).slice(-6)}`
  const earlier = Object.keys(localStorage).filter(key => key.startsWith(entry('')))
  $('earlier').hidden = !earlier.length
  $('earlier').append(...earlier.map(key => key.slice(entry('').length)).flatMap(reference =>
    [make('a', { href: `/?order=${encodeURIComponent(reference)}` }, reference), ' ']))
}
