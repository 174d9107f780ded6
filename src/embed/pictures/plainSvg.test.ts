import { describe, expect, it } from 'vitest'
import { isPlain } from './plainSvg.ts'
import { blurred, copies, endless } from './testdata/hostileSvg.ts'

const svg = (inner: string, head = 'viewBox="0 0 128 128"') =>
  `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ${head}>${inner}</svg>`
const is = (text: string | Uint8Array) =>
  isPlain(typeof text === 'string' ? Buffer.from(text) : text, { kind: 'pixels' })

const path = '<path fill="#f00" d="M12.123456789 3c-.5 1 2 3 4 5z"/>'
const clip = '<clipPath id="c"><circle cx="5" cy="5" r="4"/></clipPath>'

describe('plain', () => {
  it.each([
    ['a path', svg(path)],
    [
      'a head, comments, a title',
      `<?xml version="1.0" encoding="UTF-8"?>\n<!-- <a> -->${svg(`<title>A &amp; b</title>${path}`)}`,
    ],
    ['sizes', svg(path, 'width="1em" height="1em" viewBox="0 0 24 24"')],
    [
      'groups with a transform and opacity',
      svg(`<g opacity=".5" transform="rotate(9 1 2) translate(3)">${path}</g>`),
    ],
    [
      'gradients',
      svg(
        `<defs><linearGradient id="a"><stop offset="0" stop-color="#fff"/></linearGradient></defs><circle r="9" fill="url(#a)"/>`,
      ),
    ],
    [
      'uses of shapes, and of uses of them',
      svg(`<defs><path id="a" d="M0 0h9"/></defs><use id="b" href="#a"/><use xlink:href="#b"/>`),
    ],
    ['clips', svg(`${clip}<g clip-path="url(#c)">${path}</g>`)],
    ['simple styles', svg('<path style="fill:#f00; stroke-width:2px;" d="M0 0h9"/>')],
  ])('%s', (_, text) => {
    expect(is(text)).toBe(true)
  })
})

describe('not plain', () => {
  it.each([
    ['filters', blurred()],
    ['copies of copies', copies()],
    ...Object.entries(endless),
    ['UTF-16', Buffer.from(svg(path), 'utf16le')],
    ['another encoding', `<?xml version="1.0" encoding="UTF-7"?>${svg(path)}`],
    ['bytes that are no UTF-8', Buffer.from(svg(`<title>\xff</title>`), 'latin1')],
    ['entities', `<!DOCTYPE svg [<!ENTITY a "${path}">]>${svg('&a;')}`],
    ['instructions', `<?xml-stylesheet href="a.css"?>${svg(path)}`],
    ['style sheets', svg(`<style>path{filter:url(#f)}</style>${path}`)],
    ['CDATA', svg(`<![CDATA[<a>]]>${path}`)],
    ['words', svg('<text>a</text>')],
    ['pictures', svg('<image href="data:,"/>')],
    ['prefixed elements', svg(`<s:filter xmlns:s="http://www.w3.org/2000/svg"/>`)],
    ['filters in attributes', svg('<path filter="blur(9px)" d="M0 0h9"/>')],
    ['filters in styles', svg('<path style="filter:blur(9px)" d="M0 0h9"/>')],
    ['filters in styles, written otherwise', svg('<path style="f\\69lter:blur(9px)" d="M0 0h9"/>')],
    ['characters by number', svg('<path style="f&#105;lter:blur(9px)" d="M0 0h9"/>')],
    ['comments in styles', svg('<path style="fill:red/**/;filter:blur(9px)" d="M0 0h9"/>')],
    ['dashes', svg('<path stroke-dasharray=".001" d="M0 0h9"/>')],
    ['uses of groups', svg(`<g id="a">${path}</g><use href="#a"/>`)],
    ['uses of names given twice', svg('<path id="a" d="M0 0h9"/><g id="a"/><use href="#a"/>')],
    ['uses of each other', svg('<use id="a" href="#b"/><use id="b" href="#a"/>')],
    [
      'links by another prefix',
      svg('<path id="a" d="M0 0"/><use xmlns:y="http://www.w3.org/1999/xlink" y:href="#g"/>'),
    ],
    ['drawings in drawings', svg(svg(path))],
    ['clips of clips', svg(`${clip}<clipPath id="d"><circle r="9" clip-path="url(#c)"/></clipPath>${path}`)],
    ['great numbers', svg('<path d="M0 0C1 2 1000000 3 4 5"/>')],
    ['exponents', svg('<path d="M0 0C1 2 1e9 3 4 5"/>')],
    ['great scales', svg(`<g transform="scale(3)"><g transform="matrix(3 0 0 3 0 0)">${path}</g></g>`)],
    ['unknown transforms', svg(`<g transform="skewX(89)">${path}</g>`)],
    ['great sizes', svg(path, 'width="20000" height="20000"')],
    ['no size', svg(path, '')],
    ['tiny view boxes', svg(path, 'width="500" height="500" viewBox="0 0 .001 .001"')],
    ['strips', svg(path, 'width="1" height="100"')],
    [
      'much opacity',
      svg(`${'<g opacity=".5">'.repeat(200)}${path}${'</g>'.repeat(200)}`, 'width="1000" height="1000"'),
    ],
    [
      'much clipping',
      svg(`<clipPath id="c">${path.repeat(300)}</clipPath>${'<path clip-path="url(#c)"/>'.repeat(300)}`),
    ],
    ['long texts', svg(path.repeat(3000))],
    ['no SVG', 'a bird'],
    ['nothing', ''],
    ['unfinished tags', svg('<path d="M0 0')],
  ])('%s', (_, text) => {
    expect(is(text)).toBe(false)
  })
})

it('Reading takes no longer than the text is long', () => {
  for (const text of [
    ' '.repeat(60_000),
    `<svg ${' a'.repeat(30_000)}`,
    `<svg ${'x="1" '.repeat(10_000)}`,
    `<svg>${'<g '.repeat(20_000)}`,
    '<!--'.repeat(16_000),
    `<svg viewBox="${' '.repeat(60_000)}x">`,
    `<svg viewBox="0 0 9 9"><g transform="${'a('.repeat(30_000)}"/></svg>`,
    `<svg viewBox="0 0 9 9"><g style="${'a:'.repeat(30_000)}"/></svg>`,
  ]) {
    // In quadratic time each would take minutes.
    expect(is(text)).toBe(false)
  }
})
