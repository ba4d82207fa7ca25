// Amazon Pay's button, as far as a storefront of one machine needs it.
(() => {
  const base = 'BASE'

  let pressed = false

  // Adyen Web names no algorithm, which means the older one to Amazon Pay. The simulator of Adyen signs with the newer
  // one.
  function press({ publicKeyId, createCheckoutSessionConfig: config }) {
    // A second press would open a second session.
    if (pressed) return
    pressed = true
    const form = document.createElement('form')
    Object.assign(form, { method: 'POST', action: `${base}/checkout` })
    for (const [name, value] of Object.entries({ publicKeyId, algorithm: 'AMZN-PAY-RSASSA-PSS-V2', ...config })) {
      form.append(Object.assign(document.createElement('input'), { type: 'hidden', name, value }))
    }
    document.body.append(form)
    form.submit()
  }

  function renderButton(selector, options) {
    const element = document.querySelector(selector)
    const button = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Amazon Pay' })
    element.replaceChildren(button)
    const initCheckout = later => press({ ...options, ...later })
    // With a payload at hand a click begins the checkout; else the page says when.
    if (options.createCheckoutSessionConfig) button.onclick = () => initCheckout(options)
    return { onClick: then => { button.onclick = then }, initCheckout, updateButtonInfo: () => {} }
  }

  // The browser kept the page while the shopper was away.
  addEventListener('pageshow', () => { pressed = false })
  window.amazon = { Pay: { renderButton, initCheckout: press } }
  window.onAmazonPayLoad?.()
})()
