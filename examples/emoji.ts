/** Emoji of an Iconify package as SVG files in memory: real pictures that npm brings. */
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** @param set `noto`, `twemoji`: the same emoji, drawn by others */
export function emoji(set: string): { name: string; svg: Uint8Array }[] {
  const { icons, width, height } = require(`@iconify-json/${set}/icons.json`) as {
    icons: Record<string, { body: string }>
    width: number
    height: number
  }
  return Object.entries(icons).map(([name, { body }]) => ({
    name,
    svg: Buffer.from(
      `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 ${width} ${height}">${body}</svg>`,
    ),
  }))
}
