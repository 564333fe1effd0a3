// The page side of the shell: the banner, the notes beside buttons, what is kept over a reload, and
// how it looks. Knows nothing of the network; autovia.js does.
//
// Invariants:
// - the banner and the notes live outside the view, so that no patch wipes them away
// - an element is remembered by words that mean the same in the next page, never by reference only
// - only what the user has touched is kept over a reload; all else belongs to the server; a
//   password is never kept

import { getPath, mergePatch, startPeeking, stopPeeking } from './datastar.js'

const KEEP_FOR = 3600000 // ms that typed text waits for its page

const page = document
const html = page.documentElement

// Reads signals without making an effect that is just running depend on them.
export const peek = (read) => {
  startPeeking()
  try {
    return read()
  } finally {
    stopPeeking()
  }
}

const make = (tag, props, ...children) => {
  const el = Object.assign(page.createElement(tag), props)
  el.append(...children)
  return el
}

const BANNERS = {
  offline: ['No connection right now.', 'Nothing you typed is lost; the page goes on by itself as soon as the server answers.'],
  expired: ['The server no longer knows this page.', 'What you typed is kept.', 'Load it again'],
  ended: ['This page gets no more updates.', 'What you typed is kept.', 'Load it again'],
}

// Shows one of BANNERS, or none. Its button, where it has one, calls `onButton`.
export function banner(kind, onButton) {
  const box = page.getElementById('via-banner')
  if (!box || box.dataset.kind === (kind ?? '')) return
  box.dataset.kind = kind ?? ''
  box.hidden = !kind
  if (!kind) return box.replaceChildren()
  const [what, hope, button] = BANNERS[kind]
  box.replaceChildren(make('b', { textContent: what }), ' ', hope)
  if (button) box.append(' ', make('button', { type: 'button', textContent: button, onclick: onButton }))
}

const notes = new Set()

// A note beside the element of a click, or at the foot of the window where there is no such
// element. One for each action: the newest.
export function note(text, click, button, onButton) {
  for (const old of notes) if (old.click?.name === click?.name) close(old, true)
  const it = { click }
  it.box = make(
    'div',
    { className: 'via-note' },
    make('span', { textContent: text }),
    ...(button ? [make('button', { type: 'button', textContent: button, onclick: () => (close(it), onButton()) })] : []),
    make('button', { type: 'button', className: 'via-close', textContent: '×', ariaLabel: 'Dismiss', onclick: () => close(it) }),
  )
  if (click) it.box.dataset.action = click.name
  notes.add(it)
  page.getElementById('via-notes')?.append(it.box)
  place()
}

// The action has worked: what was said about it before is no longer true.
export function closeNotes({ name, number }) {
  // A click of the page before a reload has no number: it is older than all.
  for (const it of notes) if (it.click?.name === name && !(it.click.number > number)) close(it)
}

function close(it, keepBrand) {
  notes.delete(it)
  it.box.remove()
  const el = it.click && here(it.click)
  if (!el || keepBrand) return
  el.classList.remove('via-failed')
  el.removeAttribute('title')
}

// Marks the element of a click as one that failed, until `closeNotes` or the user's own hand.
export function brand(click, text) {
  const el = here(click)
  el?.classList.add('via-failed')
  if (el) el.title = text
}

// Notes follow their buttons when the page around them changes, and don't cover each other.
export const placeNotes = () => notes.size && requestAnimationFrame(place)

function place() {
  const taken = []
  for (const { box, click } of notes) {
    const el = click && here(click)
    const at = el?.getBoundingClientRect()
    const loose = !at || (!at.width && !at.height)
    box.classList.toggle('via-loose', loose)
    if (loose) continue
    const [width, height] = [box.offsetWidth, box.offsetHeight]
    const left = Math.max(8, Math.min(at.left, html.clientWidth - width - 8))
    let top = at.bottom + 6
    for (const other of taken)
      if (left < other.left + other.width && other.left < left + width && top < other.end && other.top < top + height)
        top = other.end + 4
    taken.push({ left, width, top, end: top + height })
    box.style.left = `${left + scrollX}px`
    box.style.top = `${top + scrollY}px`
  }
}
addEventListener('resize', placeNotes)
addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && notes.size) close([...notes].pop())
})

// An element by words that mean the same after a reload: a selector and a place among its matches.
export function find(el) {
  const by = (name) => `${el.localName}[${CSS.escape(name)}="${CSS.escape(el.getAttribute(name))}"]`
  const name = el.getAttributeNames().find((it) => it === 'name' || /^data-(bind|on)\b/.test(it))
  const selector = el.id ? `#${CSS.escape(el.id)}` : name ? by(name) : el.localName
  return [selector, [...page.querySelectorAll(selector)].indexOf(el)]
}

const lookup = ([selector, index]) => page.querySelectorAll(selector)[index]
const here = (click) => (click.el?.isConnected ? click.el : (click.el = lookup(click.where)))

const touched = new Set() // fields that the user has changed; all others belong to the server
const bound = (el) => {
  const key = el.getAttributeNames().find((it) => it.startsWith('data-bind:'))
  const camel = (text) => text.replace(/-[a-z]/g, (it) => it[1].toUpperCase())
  return el.dataset.bind ?? (key && camel(key.slice(10).split('__')[0]))
}
const secret = (el) => ['password', 'file', 'hidden'].includes(el.type)
for (const change of ['input', 'change'])
  page.addEventListener(change, ({ target }) => target.matches?.('input,textarea,select') && touched.add(target), true)

// Puts what was typed, focus, scroll and the clicks that failed into sessionStorage.
export function keep(lostClicks) {
  const kept = { url: location.href, at: Date.now(), signals: {}, fields: [], scroll: [scrollX, scrollY] }
  const focus = page.activeElement
  peek(() => {
    for (const el of touched) {
      if (secret(el)) continue
      const name = bound(el)
      if (name) kept.signals[name] = getPath(name)
      if (!el.isConnected) continue
      const value = el.multiple ? [...el.selectedOptions].map((option) => option.value) : el.value
      kept.fields.push([find(el), value, el.checked])
    }
  })
  if (focus && focus !== page.body) {
    kept.focus = find(focus)
    try {
      kept.caret = [focus.selectionStart, focus.selectionEnd]
    } catch {
      // fields such as number and date have no caret to ask for
    }
  }
  kept.scrolled = [...page.querySelectorAll('[id]')].filter((el) => el.scrollTop).map((el) => [find(el), el.scrollTop])
  kept.lost = lostClicks.map(({ name, where }) => ({ name, where }))
  sessionStorage.setItem('via-keep', JSON.stringify(kept))
}

// Gives back what `keep` put away for this address; returns the clicks that were not carried out.
export function giveBack() {
  let kept
  try {
    kept = JSON.parse(sessionStorage.getItem('via-keep'))
    sessionStorage.removeItem('via-keep')
  } catch {
    // nothing was kept
  }
  if (kept?.url !== location.href || Date.now() - kept.at > KEEP_FOR) return []
  mergePatch(kept.signals)
  for (const [where, value, checked] of kept.fields) {
    const el = lookup(where)
    if (!el || secret(el)) continue
    if (el.multiple) for (const option of el.options) option.selected = value.includes(option.value)
    else if (['checkbox', 'radio'].includes(el.type)) el.checked = checked
    else el.value = value
    for (const change of ['input', 'change']) el.dispatchEvent(new Event(change, { bubbles: true }))
  }
  const focus = kept.focus && lookup(kept.focus)
  focus?.focus({ preventScroll: true })
  if (kept.caret?.[0] != null) focus?.setSelectionRange?.(...kept.caret)
  for (const [where, top] of kept.scrolled) lookup(where)?.scrollTo({ top, behavior: 'instant' })
  scrollTo({ left: kept.scroll[0], top: kept.scroll[1], behavior: 'instant' })
  return kept.lost
}

// What carries the class `flash` lights up for 400 ms when its text changes.
page.addEventListener('datastar-ready', () => {
  const texts = new WeakMap()
  for (const el of page.querySelectorAll('.flash')) texts.set(el, el.textContent)
  const still = matchMedia('(prefers-reduced-motion: reduce)')
  new MutationObserver((changes) => {
    const hit = new Set()
    for (const { target } of changes) hit.add((target.closest ? target : target.parentElement)?.closest('.flash'))
    for (const el of hit) {
      if (!el || texts.get(el) === el.textContent) continue
      const known = texts.has(el)
      texts.set(el, el.textContent)
      if (!known || still.matches) continue
      const colour = getComputedStyle(el).getPropertyValue('--flash') || '#ffcc1a'
      el.animate([{ backgroundColor: colour }, { backgroundColor: 'transparent' }], 400)
    }
  }).observe(page.body, { subtree: true, childList: true, characterData: true })
})

// Light or dark: the system's choice until a button [data-via-theme] is pressed. The cookie lets
// the server write the choice into the page, so that it doesn't blink.
const saved = /(?:^|; )via_theme=(light|dark)/.exec(page.cookie)?.[1]
if (saved) html.dataset.theme = saved
page.addEventListener('click', ({ target }) => {
  if (!target.closest?.('[data-via-theme]')) return
  const now = html.dataset.theme || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')
  html.dataset.theme = now === 'dark' ? 'light' : 'dark'
  page.cookie = `via_theme=${html.dataset.theme}; path=/; max-age=31536000; samesite=lax`
})

