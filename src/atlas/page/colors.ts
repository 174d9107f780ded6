// Colours of groups.

/** Ten colours that tell apart on white and on dark grey: Observable's, without its grey. */
const FIRST = [
  '#4269d0',
  '#efb118',
  '#ff725c',
  '#3ca951',
  '#a463f2',
  '#6cc5b0',
  '#ff8ab7',
  '#9c6b4e',
  '#97bbf5',
  '#c5a000',
]

/** The angle between two hues that follow each other: no two of many come close. */
const GOLDEN = 137.508

/**
 * A colour for a group, `#rrggbb`; the first ten are chosen by hand, further ones turn around the circle of hues.
 *
 * @see https://observablehq.com/blog/crafting-data-colors
 */
export function groupColor(place: number): string {
  const chosen = FIRST[place]
  if (chosen !== undefined) return chosen
  const lightness = 0.45 + 0.1 * (place % 3)
  return fromHsl((place * GOLDEN) % 360, 0.55 + 0.1 * (place % 2), lightness)
}

function fromHsl(hue: number, saturation: number, lightness: number): string {
  const span = saturation * Math.min(lightness, 1 - lightness)
  const part = (n: number) => {
    const k = (n + hue / 30) % 12
    const value = lightness - span * Math.max(-1, Math.min(k - 3, 9 - k, 1))
    return Math.round(255 * value)
      .toString(16)
      .padStart(2, '0')
  }
  return `#${part(0)}${part(8)}${part(4)}`
}

/** Red, green and blue from 0 to 255. @param color as `#rrggbb` */
export function channelsOf(color: string): readonly [red: number, green: number, blue: number] {
  const value = Number.parseInt(color.slice(1), 16)
  return [value >> 16, (value >> 8) & 255, value & 255]
}
