// Width of a text that nobody has drawn yet.

/** Widths of letters as shares of the font's size, rather too large than too small. */
const KINDS: readonly (readonly [letters: RegExp, width: number])[] = [
  [/[il.,:;'|!]/, 0.28],
  [/[fjrt()[\]{}\- "]/, 0.4],
  [/[mwMW@%]/, 0.92],
  [/[A-Z&]/, 0.72],
  [/[\u1100-\u11ff\u2e80-\ud7ff\uf900-\ufaff\uff00-\uffef]|\p{Extended_Pictographic}/u, 1.05],
]

/** About as many pixels as a text takes in a sans-serif font. */
export function textWidth(text: string, size: number): number {
  let width = 0
  for (const letter of text) width += KINDS.find(([letters]) => letters.test(letter))?.[1] ?? 0.58
  return width * size
}
