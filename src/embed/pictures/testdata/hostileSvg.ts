// SVGs for tests: good ones that are not plain, and small ones that take for ever.

const svg = (inner: string, width = 1000, height = width): Buffer =>
  Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 1000 1000">${inner}</svg>`,
  )

/** A gradient behind a mask, and a blurred disc. */
export const blurred = (side = 60): Buffer =>
  svg(
    `<defs><linearGradient id="g"><stop stop-color="#f00"/><stop offset="1" stop-color="#00f"/></linearGradient>
    <filter id="f"><feGaussianBlur stdDeviation="30"/></filter>
    <mask id="m"><rect width="1000" height="1000" fill="#fff"/><circle cx="500" cy="500" r="200"/></mask></defs>
    <rect width="800" height="700" fill="url(#g)" mask="url(#m)"/><circle cx="500" cy="500" r="90" filter="url(#f)"/>`,
    side,
  )

/** Copies of ten copies, twenty levels deep. */
export function copies(levels = 20): Buffer {
  let inner = '<rect id="a0" width="9" height="9"/>'
  for (let level = 1; level <= levels; level++) {
    inner += `<g id="a${level}">${`<use href="#a${level - 1}"/>`.repeat(10)}</g>`
  }
  return svg(`<defs>${inner}</defs><use href="#a${levels}"/>`)
}

const filtered = (primitives: string): Buffer =>
  svg(`<filter id="f">${primitives}</filter><rect width="1000" height="1000" filter="url(#f)"/>`)

/** Drawings that take from tens of seconds to for ever, by name. */
export const endless: Readonly<Record<string, Buffer>> = {
  'copies of copies': copies(),
  'copies without a size': Buffer.from(
    copies().toString().replace('width="1000" height="1000" viewBox="0 0 1000 1000"', ''),
  ),
  morphology: filtered('<feMorphology radius="100"/>'.repeat(20)),
  turbulence: filtered('<feTurbulence numOctaves="100" baseFrequency=".1"/>'.repeat(50)),
  blurs: filtered('<feGaussianBlur stdDeviation="99"/>'.repeat(2000)),
  opacities: svg(
    `${'<g opacity=".9"><rect width="999" height="999"/>'.repeat(100)}${'</g>'.repeat(100)}`,
    12_000,
  ),
  gradients: svg(
    `<radialGradient id="a"><stop stop-color="red"/></radialGradient><g fill="url(#a)">${'<path d="M0 0h999v999H0"/>'.repeat(50_000)}</g>`,
    4000,
  ),
}

/** A filter that keeps a hundred pictures of the drawing's size, as each has a name. */
export const floods = (side: number): Buffer =>
  svg(
    `<filter id="f">${Array.from({ length: 100 }, (_, i) => `<feFlood flood-color="red" result="r${i}"/>`).join('')}</filter>
    <rect width="1000" height="1000" filter="url(#f)"/>`,
    side,
  )
