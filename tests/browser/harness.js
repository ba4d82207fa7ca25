// Starts `cargo dev` and Chromium for the tests, and serves pages, everything on loopback.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'
import { chromium } from 'playwright-core'

const repository = fileURLToPath(new URL('../..', import.meta.url))

/** The time that a test waits for anything, in milliseconds. */
export const PATIENCE = 20_000

/**
 * Starts `cargo dev` on free ports.
 *
 * @param {Record<string, string>} env its variables
 * @param {string[]} args its arguments
 * @returns its URLs, and functions to mint a token and to stop it
 */
export async function startDev(env = {}, args = []) {
  const dev = spawn(`${repository}/target/debug/dev`, ['--port', '0', ...args], {
    env: { ...process.env, LOG_LEVEL: 'error', ...env },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  process.on('exit', () => dev.kill())
  let printed = ''
  dev.stdout.on('data', chunk => { printed += chunk })
  const url = name => new RegExp(`^${name} +(http\\S+)`, 'm').exec(printed)?.[1]
  await until(() => printed.includes('Press Ctrl-C') || dev.exitCode !== null, () => `cargo dev printed: ${printed}`)
  assert.equal(dev.exitCode, null, printed)
  const post = async (path, body, headers) => {
    const answer = await fetch(url('API') + path, {
      method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body)
    })
    const text = await answer.text()
    assert.ok(answer.ok, `POST ${path}: ${answer.status} ${text}`)
    return JSON.parse(text)
  }
  return {
    api: url('API'),
    adyen: new URL(url('Adyen')).origin,
    amazonPay: url('Amazon Pay'),
    dynamodb: url('DynamoDB'),
    /** Its output, which has a line for each call. */
    printed: () => printed,
    post,
    /** Mints a checkout token for an order. */
    token: async order => (await post('/dev/token', order)).token,
    /** Acts like the workbench, such as { action: 'pay', reference }. */
    act: action => post('/workbench/api/do', action),
    async stop() {
      dev.kill()
      if (dev.exitCode === null) await once(dev, 'exit')
    }
  }
}

/**
 * Serves on any port of loopback.
 *
 * @param {(url: URL) => [type: string, body: string] | undefined | Promise<…>} page
 */
export async function serve(page) {
  const server = createServer(async (request, response) => {
    const found = await page(new URL(request.url, 'http://127.0.0.1'))
    response.writeHead(found ? 200 : 404, { 'content-type': found?.[0] ?? 'text/plain' })
    response.end(found?.[1])
  })
  await new Promise(done => server.listen(0, '127.0.0.1', done))
  const stop = () => new Promise(done => { server.close(done), server.closeAllConnections() })
  return { url: `http://127.0.0.1:${server.address().port}`, stop }
}

/** Bundles a script and what it imports, as a shop's own tools do. */
export async function bundle(file) {
  const built = await build({
    entryPoints: [fileURLToPath(new URL(file, import.meta.url))],
    bundle: true, format: 'esm', write: false, logLevel: 'error'
  })
  return built.outputFiles[0].text
}

/**
 * Starts Debian's Chromium, which can reach loopback only.
 *
 * @param {Record<string, string>} hosts other names of addresses on loopback, such as
 *   { 'localhost:8080': '127.0.0.1:3001' }
 */
export function startBrowser(hosts = {}) {
  const names = Object.entries(hosts).map(([name, address]) => `MAP ${name} ${address}`)
  const rules = [...names, 'EXCLUDE 127.0.0.1', 'MAP * ~NOTFOUND']
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [`--host-resolver-rules=${rules.join(', ')}`, '--no-sandbox', '--disable-dev-shm-usage']
  })
}

/**
 * Opens a window of its own, without cookies and storage of others. It records requests that would leave loopback,
 * and the browser cannot send them.
 *
 * @param {Record<string, () => Promise<object>>} standIns answers in place of such URLs, as for Playwright's `fulfill`
 * @param {object} options of the browser's context, such as its viewport
 */
export async function openWindow(browser, standIns = {}, options = {}) {
  const context = await browser.newContext({ locale: 'en-US', ...options })
  context.setDefaultTimeout(PATIENCE)
  const left = []
  await context.route(url => !['127.0.0.1', 'localhost'].includes(url.hostname), async route => {
    const url = route.request().url()
    if (standIns[url]) return route.fulfill(await standIns[url]())
    left.push(url)
    return route.abort()
  })
  const page = await context.newPage()
  const errors = []
  page.on('pageerror', error => errors.push(error))
  return { page, left, errors, close: () => context.close() }
}

/** Waits until the condition returns something true, and returns that. */
export async function until(condition, describe = () => 'waited for too long') {
  const end = Date.now() + PATIENCE
  for (;;) {
    const met = await condition()
    if (met) return met
    assert.ok(Date.now() < end, describe())
    await new Promise(done => setTimeout(done, 50))
  }
}
