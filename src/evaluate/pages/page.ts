// Pages that need nothing from elsewhere, with inputs shown as thumbnails or escaped texts.
import { encodeBase64, escapeHtml, PipiloError } from '../../base/index.ts'
import { type AnyInput, type Input, thumbnail } from '../../embed/index.ts'

/** Pixels of a thumbnail's side. */
const SIDE = 112

/** The most characters of a text that are shown. */
const LONGEST = 400

/** A whole page. @param body HTML */
export function page(title: string, about: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8882 }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1080px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.3rem } h2 { font-size: 1rem; margin: 1.5rem 0 .5rem }
table { border-collapse: collapse; width: 100% }
td, th { padding: .35rem .7rem; text-align: left; vertical-align: middle; border-bottom: 1px solid var(--line) }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
.name { font-size: .8rem; opacity: .7; overflow-wrap: anywhere }
.text { white-space: pre-wrap; overflow-wrap: anywhere }
img { display: block; width: ${SIDE}px; height: ${SIDE}px; object-fit: contain; image-rendering: pixelated; background: repeating-conic-gradient(var(--soft) 0 25%, transparent 0 50%) 0 0 / 12px 12px }
.group { display: flex; flex-wrap: wrap; gap: .8rem; padding: .6rem 0; border-bottom: 1px solid var(--line) }
.item { width: ${SIDE + 40}px } .item.words { width: 320px } .first { outline: 2px solid #0072b2; outline-offset: 4px }
</style>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(about)}</p>
${body}
</html>
`
}

/** An input as HTML: a thumbnail, or the escaped text. A picture that cannot be read is its error's sentence. */
export async function shown(
  input: AnyInput,
  isText: boolean,
  signal: AbortSignal | undefined,
): Promise<string> {
  const inner = typeof input === 'object' && 'text' in input ? input.text : input
  if (typeof inner === 'string' && isText) {
    const rest = inner.length > LONGEST ? '…' : ''
    return `<div class="text">${escapeHtml(inner.slice(0, LONGEST))}${rest}</div>`
  }
  const picture = (typeof input === 'object' && 'image' in input ? input.image : input) as Input
  try {
    const bytes = await thumbnail(picture, SIDE, signal && { signal })
    return `<img alt="" src="data:image/webp;base64,${encodeBase64(bytes)}">`
  } catch (error) {
    if (!(error instanceof PipiloError) || error.code === 'ABORTED') throw error
    return `<div class="text">${escapeHtml(error.message)}</div>`
  }
}
