// Amazon Pay's button, as far as a storefront of one machine needs it.
(() => {
  const base = new URL(document.currentScript.src).origin

  function press({ publicKeyId }, config) {
    const form = document.createElement('form')
    Object.assign(form, { method: 'POST', action: `${base}/checkout` })
    for (const [name, value] of Object.entries({ publicKeyId, ...config })) {
      form.append(Object.assign(document.createElement('input'), { type: 'hidden', name, value }))
    }
    document.body.append(form)
    form.submit()
  }

  function renderButton(selector, options) {
    const element = document.querySelector(selector)
    const button = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Amazon Pay' })
    element.replaceChildren(button)
    const initCheckout = ({ createCheckoutSessionConfig }) => press(options, createCheckoutSessionConfig)
    // With a payload at hand a click begins the checkout; else the page says when.
    if (options.createCheckoutSessionConfig) button.onclick = () => initCheckout(options)
    return { onClick: then => { button.onclick = then }, initCheckout, updateButtonInfo: () => {} }
  }

  window.amazon = { Pay: { renderButton } }
  window.onAmazonPayLoad?.()
})()
