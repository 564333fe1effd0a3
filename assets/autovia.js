// The shell of every autovia page: what stands between Datastar and a server that is far away.
//
// Invariants:
// - one stream per visible page, opened and reopened here only; only `via_ctx` travels in its URL
// - one click, one number, one body: both are fixed at the click and are the same in every re-send
// - a click ends in one of three ways that the user can see: done, refused (note beside the
//   button) or unanswered (note with "Send again", which sends the same number)
// - nothing that was typed is lost when the page has to be loaded again
//
// Datastar 1.0.4 has a `get` and a `post` of its own. They are not used, because they don't tell
// when a stream is open again (the banner would stay until the next change), leave a retry timer
// running behind a hidden tab (two streams after its return), can't see a network that fell
// silent, and report a status per element where we need it per click. Patches are handed to
// Datastar as `datastar-fetch` events, the same way its own actions do it.
//
// No eval, no inline style or handler, no API of secure contexts.

import { action, getPath, mergePatch } from './datastar.js'
import { banner, brand, closeNotes, find, giveBack, keep, note, peek, placeNotes } from './autovia-page.js'

const HOME = new URL('./', import.meta.url) // the base path, also behind a proxy that strips one
const RETRY = 1000 // ms; the server changes it by `retry:`
const RETRY_MAX = 15000 // ms between two tries to reach the server
const LATE = 1000 // ms without a stream before the banner shows
const LATE_FIRST = 4000 // the same for a page that has only just been loaded
const GIVE_UP = 120000 // ms until an unanswered click is called unanswered
const RELOAD_EVERY = 10000 // ms between two reloads made by this module
const TEXT_AFTER = 700 // ms that a refused click waits for the server's own words

const page = document
const html = page.documentElement
const ctx = () => getPath('via_ctx')
const tell = (type, el, argsRaw = {}) =>
  page.dispatchEvent(new CustomEvent('datastar-fetch', { detail: { type, el, argsRaw } }))

let request // AbortController of the newest attempt; an older attempt must not touch anything
let again = 0 // timer of the next attempt
let watch = 0 // timer that fires when the network fell silent
let lastId = ''
let base = RETRY
let wait = RETRY
let tried = 0 // when the newest attempt began
let seen = false // a stream was open at least once
let over = false // this context is finished: no stream, no beacon
let late = 0 // timer that shows the banner
const awake = [] // what waits for the server to be reachable

const mark = (state) => {
  html.dataset.viaStream = state
}

function connect() {
  drop()
  if (over) return
  const mine = (request = new AbortController())
  tried = Date.now()
  mark('connecting')
  expect()
  run(mine).catch(() => {
    if (mine === request) later('retrying')
  })
}

async function run(mine) {
  const url = new URL('_sse', HOME)
  url.searchParams.set('datastar', JSON.stringify({ via_ctx: peek(ctx) }))
  const headers = { Accept: 'text/event-stream', 'Datastar-Request': 'true' }
  if (lastId) headers['last-event-id'] = lastId
  const reply = await fetch(url, { headers, signal: mine.signal, cache: 'no-store' })
  if (mine !== request) return
  if (reply.status >= 400) tell('error', page.body, { status: `${reply.status}` })
  if ([401, 403, 410].includes(reply.status)) return startOver()
  if (reply.status === 204 || reply.status === 400) {
    finish()
    return banner('ended', loadAgain)
  }
  if (reply.status !== 200 || !reply.body) return later('retrying', retryAfter(reply))
  opened()
  const reader = reply.body.getReader()
  const parse = parser(emit)
  for (;;) {
    const { done, value } = await reader.read()
    if (mine !== request) return
    if (done) break
    wait = base
    listen()
    parse(value)
  }
  later('retrying')
}

function opened() {
  seen = true
  mark('open')
  listen()
  clearTimeout(late)
  banner(null)
  for (const go of awake.splice(0)) go()
  // A tab that was opened in the background has now joined its scopes; like every hidden tab it
  // holds no connection.
  if (page.hidden) setTimeout(() => page.hidden && drop('hidden'), 1000)
}

function drop(state) {
  clearTimeout(again)
  clearTimeout(watch)
  again = 0
  request?.abort()
  request = undefined
  if (state) {
    mark(state)
    clearTimeout(late)
  }
}

function later(why, least = 0) {
  const held = html.dataset.viaStream === 'open' && Date.now() - tried > 2 * RETRY
  if (held) wait = base
  drop()
  mark('waiting')
  tell(why, page.body)
  expect()
  if (!navigator.onLine) banner('offline')
  const spread = wait * (0.75 + Math.random() / 2)
  again = setTimeout(connect, Math.max(spread, least))
  wait = Math.min(wait * 2, RETRY_MAX)
}

// Counts from now until the banner says that there is no connection.
function expect() {
  clearTimeout(late)
  if (!page.hidden) late = setTimeout(() => banner('offline'), seen ? LATE : LATE_FIRST)
}

function finish() {
  over = true
  drop('ended')
}

// Whoever touches the page while it waits for the server gets a try at once.
function hurry() {
  if (again && Date.now() - tried > RETRY) connect()
}

// The server sends a comment every `data-via-heartbeat` seconds: two missing ones are a dead
// network, even when no socket says so.
function listen() {
  clearTimeout(watch)
  const beat = Number(page.body.dataset.viaHeartbeat)
  if (beat > 0) watch = setTimeout(connect, beat * 2000 + 5000)
}

function emit({ event, data }) {
  if (!event.startsWith('datastar')) return
  const args = {}
  for (const line of data) {
    const space = line.indexOf(' ')
    const key = space < 0 ? line : line.slice(0, space)
    const text = space < 0 ? '' : line.slice(space + 1)
    args[key] = key in args ? `${args[key]}\n${text}` : text
  }
  tell(event, page.body, args)
  if (event === 'datastar-patch-signals' && args.signals?.includes('"_via_error"')) {
    const error = JSON.parse(args.signals)._via_error
    if (error) failedWithText(error)
  }
  if (event === 'datastar-patch-signals' && args.signals?.includes('"_via_hint"')) {
    const hint = JSON.parse(args.signals)._via_hint
    if (hint) note(hint)
  }
  if (event === 'datastar-patch-signals' && args.signals?.includes('"_via_take"')) {
    const taken = JSON.parse(args.signals)._via_take
    if (taken) emptyTaken(taken)
  }
  placeNotes()
}

// Inputs that the server took: emptied only where the user has not typed on since.
function emptyTaken(taken) {
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b)
  const emptied = Object.entries(taken).filter(([input, { was }]) => same(peek(() => getPath(input)), was))
  mergePatch(Object.fromEntries(emptied.map(([input, { now }]) => [input, now])))
}

// Bytes to events, as the HTML standard has it: CR, LF and CRLF end a line.
function parser(give) {
  const decoder = new TextDecoder()
  let rest = ''
  let event = ''
  let data = []
  const line = (text) => {
    if (text === '') {
      if (data.length) give({ event, data })
      event = ''
      data = []
      return
    }
    const colon = text.indexOf(':')
    const field = colon < 0 ? text : text.slice(0, colon)
    const value = colon < 0 ? '' : text.slice(text[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'data') data.push(value)
    else if (field === 'event') event = value
    else if (field === 'id') lastId = value
    else if (field === 'retry' && /^\d+$/.test(value)) base = wait = Number(value)
  }
  return (bytes) => {
    rest += decoder.decode(bytes, { stream: true })
    const ends = /\r\n|\n|\r(?=[^])/g // a CR at the very end may be half of a CRLF
    let from = 0
    for (let end; (end = ends.exec(rest)); from = ends.lastIndex) line(rest.slice(from, end.index))
    rest = rest.slice(from)
  }
}

const retryAfter = (reply) => Math.min(Number(reply.headers.get('retry-after')) || 0, 60) * 1000

page.addEventListener('visibilitychange', () => {
  if (over || !html.dataset.viaStream) return
  if (page.hidden) drop('hidden')
  else if (!request) connect()
})
// Both may be wrong (a server on this very machine): asking the server decides.
for (const change of ['online', 'offline'])
  addEventListener(change, () => html.dataset.viaStream && !page.hidden && connect())
for (const touch of ['pointerdown', 'keydown']) addEventListener(touch, hurry, { passive: true })

addEventListener('pagehide', () => {
  if (over || !html.dataset.viaStream) return
  drop('hidden')
  // Clicks that are still waiting for a free connection go out now; their number keeps them single.
  for (const click of [...clicks.values()].slice(0, 10)) click.send({ keepalive: true }).catch(() => {})
  navigator.sendBeacon(new URL('_session/close', HOME), peek(ctx))
})
addEventListener('pageshow', (event) => event.persisted && !request && connect())

let counter = 0 // per load of the page; goes on after a return from the back/forward cache
const clicks = new Map() // unanswered clicks by number
const recent = new Map() // the last clicks by number, for texts that come after the status
const busy = new WeakMap()

function act({ el, evt, error }, name, ...args) {
  if (typeof name !== 'string' || !name) throw error('ActNeedsAName', { name })
  const button = evt?.submitter ?? el
  const number = ++counter
  const body = peek(() => {
    const sent = {}
    for (const input of JSON.parse(page.body.dataset.viaInputs || '[]')) sent[input] = getPath(input)
    return JSON.stringify({ ...sent, via_ctx: ctx(), _args: args })
  })
  const url = new URL(`_action/${encodeURIComponent(name)}`, HOME)
  const headers = { 'Content-Type': 'application/json', 'Datastar-Request': 'true', 'Idempotency-Key': `${number}` }
  const click = {
    number,
    name,
    el: button,
    where: find(button),
    send: (more) => fetch(url, { method: 'POST', headers, body, cache: 'no-store', ...more }),
  }
  recent.set(number, click)
  recent.delete(number - 256)
  return send(click)
}

async function send(click) {
  const { el, number } = click
  const began = Date.now()
  clicks.set(number, click)
  busy.set(el, (busy.get(el) ?? 0) + 1)
  el.setAttribute('aria-busy', 'true')
  tell('started', el)
  hurry()
  let reply
  for (let pause = RETRY; !reply; pause = Math.min(pause * 2, RETRY_MAX)) {
    let least = 0
    try {
      reply = await click.send()
      // The server is full or leaving, or the proxy before it can't reach it: the number makes
      // asking again harmless.
      if ([502, 503, 504].includes(reply.status)) {
        least = retryAfter(reply)
        if (Date.now() - began < GIVE_UP) reply = undefined
      }
    } catch {
      // no answer at all
    }
    if (reply || over) break
    if (Date.now() - began > GIVE_UP) break
    await pauseFor(Math.max(pause, least), least)
  }
  clicks.delete(number)
  const left = busy.get(el) - 1
  busy.set(el, left)
  if (!left) el.removeAttribute('aria-busy')
  if (reply?.ok) closeNotes(click)
  else if (!reply && over) lost(click)
  else if (!reply) unanswered(click)
  else refused(click, reply.status)
  tell('finished', el)
  return reply?.ok ?? false
}

// Waits, but not longer than until the stream is open again.
const pauseFor = (ms, least) =>
  new Promise((go) => {
    setTimeout(go, ms)
    if (!least) awake.push(go)
  })

const STATUS = {
  400: 'The server could not read this click. Load the page again, then try once more.',
  403: 'The server refused this click.',
  404: 'The server does not know this button any more. Load the page again.',
  409: 'This click came too late and was not carried out. Try again.',
  413: 'That is more than the server takes at once. Make it shorter, then try again.',
  422: 'Something in these fields has the wrong kind of value. Nothing was changed.',
  429: 'Too many clicks are waiting. This one was not carried out; try again in a moment.',
  502: 'The server could not be reached. Try again in a moment.',
  503: 'The server is busy. Try again in a moment.',
  504: 'This took too long and was ended. Try again.',
}

function refused(click, status) {
  tell('error', click.el, { status: `${status}` })
  if (status === 410 || status === 401) return startOver(click)
  brand(click, 'did not work')
  setTimeout(() => {
    if (!click.told) note(STATUS[status] ?? `This did not work (${status}). The server has noted why.`, click)
  }, TEXT_AFTER)
}

function failedWithText({ action: name, click: number, text }) {
  let click = recent.get(Number(number))
  if (click?.name !== name) click = [...recent.values()].reverse().find((other) => other.name === name)
  if (click) {
    click.told = true
    brand(click, text)
  }
  note(`${text}`, click)
}

function unanswered(click) {
  brand(click, 'no answer')
  note('The server did not answer; this click may not have arrived.', click, 'Send again', () => send(click))
}

const NOT_DONE = 'This click was not carried out: the server no longer knew this page. What you typed is still here.'
const lost = (click) => {
  brand(click, 'not carried out')
  note(NOT_DONE, click)
}

// A reload that the user asked for.
function loadAgain() {
  keep([...clicks.values()])
  location.reload()
}

const leaving = [] // clicks that the old page could not carry out; filled while the new one loads
let reloading = false

function startOver(click) {
  if (click) leaving.push(click)
  try {
    if (!over) {
      finish()
      leaving.push(...clicks.values())
      const last = Number(sessionStorage.getItem('via-reloaded'))
      if (Date.now() - last < RELOAD_EVERY) throw new Error('reloaded a moment ago')
      sessionStorage.setItem('via-reloaded', `${Date.now()}`)
      reloading = true
      keep(leaving)
      location.reload()
    } else if (reloading) keep(leaving)
    else throw new Error('waiting for the user')
  } catch {
    // also where there is no storage: better a word to the user than a loop of reloads
    reloading = false
    banner('expired', loadAgain)
    if (click) lost(click)
  }
}

page.addEventListener('datastar-ready', () => {
  for (const click of giveBack()) lost(click)
})

action({ name: 'act', apply: act })
action({ name: 'stream', apply: connect })
