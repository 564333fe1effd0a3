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
  const [what, hope, button] = BANNERS[kind] ?? []
  box.replaceChildren(...(kind ? [make('b', { textContent: what }), ' ', hope] : []))
  if (button) box.append(' ', make('button', { type: 'button', textContent: button, onclick: onButton }))
  place()
}

const notes = new Set()

// A note beside the element of a click, or at the foot of the window where there is no such
// element. One for each action: the newest. What is said of no action is said once.
export function note(text, click, button, onButton) {
  for (const old of notes)
    if (click ? old.click?.name === click.name : !old.click && old.text === text) close(old, true)
  const it = { click, text }
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
  place()
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

// Notes follow their buttons when the page around them changes. They cover neither each other nor
// anything that can be clicked or typed into: a note without room beside its button goes to the
// foot of the window, and what stands there can be scrolled to.
export const placeNotes = () => notes.size && requestAnimationFrame(place)

const NOTE_WIDTHS = [416, 256, 176] // px; a narrow note is a tall one
const CONTROLS = 'a[href],button,input,select,textarea,summary,[contenteditable],[data-on\\:click]'
const SIDES = 8
const CLEAR = 6 // px between a note and its button

function place() {
  const taken = []
  const free = ({ left, top, right, bottom }) =>
    !taken.some((it) => left < it.right && it.left < right && top < it.bottom && it.top < bottom)
  if (notes.size)
    for (const el of page.querySelectorAll(CONTROLS))
      if (!el.closest('#via-notes,#via-status') && el.checkVisibility()) taken.push(el.getBoundingClientRect())
  const loose = []
  for (const it of notes) {
    const el = it.click && here(it.click)
    const at = el?.getBoundingClientRect()
    const spot = at && (at.width || at.height) && spotFor(it, at, free)
    if (!spot) {
      loose.push(it.box)
      continue
    }
    taken.push(spot)
    it.box.classList.remove('via-loose')
    it.box.style.left = `${spot.left + scrollX}px`
    it.box.style.top = `${spot.top + scrollY}px`
    it.box.style.bottom = ''
  }
  const banner = page.getElementById('via-banner')
  let foot = banner && !banner.hidden ? banner.parentElement.offsetHeight : CLEAR
  for (const box of loose) {
    box.classList.add('via-loose')
    box.style.maxWidth = box.style.left = box.style.top = ''
    box.style.bottom = `${foot}px`
    foot += box.offsetHeight + CLEAR
  }
  if (foot > CLEAR) html.style.setProperty('--via-foot', `${foot + CLEAR}px`)
  else html.style.removeProperty('--via-foot')
}

// Where a note has room beside its button, in the window's coordinates. A place that was found
// once is kept while it is free: a note doesn't jump about.
function spotFor(it, at, free) {
  const { box } = it
  const seen = at.top >= 0 && at.bottom <= innerHeight // the note of a button in view is in view
  const fits = ([width, side]) => {
    box.style.maxWidth = `${width}px`
    const [w, h] = [box.offsetWidth, box.offsetHeight]
    const middle = at.top + (at.height - h) / 2
    const [left, top] = [
      [Math.max(8, Math.min(at.left, html.clientWidth - w - 8)), at.bottom + CLEAR],
      [at.right - w, at.bottom + CLEAR],
      [at.right + CLEAR, middle],
      [at.left - CLEAR - w, middle],
      [at.left, at.top - CLEAR - h],
      [at.right - w, at.top - CLEAR - h],
      [at.left, at.bottom + CLEAR + h + CLEAR], // beyond another note
      [at.left, at.top - CLEAR - h - CLEAR - h],
    ][side]
    const spot = { left, top, right: left + w, bottom: top + h }
    const inside = left >= 8 && spot.right <= html.clientWidth - 8 && top + scrollY >= 0
    const inView = !seen || it.spot || (top >= 0 && spot.bottom <= innerHeight)
    return inside && inView && free(spot) && spot
  }
  const found = it.spot && fits(it.spot)
  if (found) return found
  it.spot = undefined
  for (const width of NOTE_WIDTHS)
    for (let side = 0; side < SIDES; side += 1) {
      const spot = fits([width, side])
      if (spot) {
        it.spot = [width, side]
        return spot
      }
    }
}
addEventListener('resize', () => requestAnimationFrame(place))
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
  kept.scrolled = [...page.querySelectorAll('body *')]
    .filter((el) => el.scrollTop || el.scrollLeft)
    .map((el) => [find(el), el.scrollTop, el.scrollLeft])
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
  for (const [where, top, left] of kept.scrolled) lookup(where)?.scrollTo({ top, left, behavior: 'instant' })
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

