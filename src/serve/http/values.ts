// Counts the values of JSON before it is parsed.

const [QUOTE, BACKSLASH, OBJECT, ARRAY, MINUS, ZERO, NINE] = [0x22, 0x5c, 0x7b, 0x5b, 0x2d, 0x30, 0x39]
const [DOT, PLUS, E, SMALL_E, T, F, N] = [0x2e, 0x2b, 0x45, 0x65, 0x74, 0x66, 0x6e]

/** Numbers without an exponent that weigh as much as one other value, where vectors are expected. */
const NUMBERS = 16

/**
 * True if JSON holds more than so many values, keys among them. A value of two bytes takes a hundred times as many once it is an object and its
 * check has said what is wrong with it: a body of allowed length could fill all memory.
 *
 * @param vectors numbers weigh little
 */
export function hasMoreValues(json: Buffer, most: number, vectors: boolean): boolean {
  let count = 0
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]!
    if (byte === QUOTE) {
      count++
      i = endOfString(json, i)
    } else if (byte === OBJECT || byte === ARRAY) count++
    else if (byte === T || byte === F || byte === N) {
      count++
      i += 3
    } else if (byte === MINUS || (byte >= ZERO && byte <= NINE)) {
      let hasExponent = false
      for (; i + 1 < json.length && isOfNumber(json[i + 1]!); i++)
        if (json[i + 1] === E || json[i + 1] === SMALL_E) hasExponent = true
      // A number too large for a double is none, and said of each.
      count += vectors && !hasExponent ? 1 / NUMBERS : 1
    }
    if (count > most) return true
  }
  return false
}

const isOfNumber = (byte: number): boolean =>
  (byte >= ZERO && byte <= NINE) ||
  byte === DOT ||
  byte === E ||
  byte === SMALL_E ||
  byte === MINUS ||
  byte === PLUS

/** Place of the quote that ends a string. */
function endOfString(json: Buffer, start: number): number {
  for (let end = json.indexOf(QUOTE, start + 1); end >= 0; end = json.indexOf(QUOTE, end + 1)) {
    let from = end
    while (json[from - 1] === BACKSLASH) from--
    if ((end - from) % 2 === 0) return end
  }
  return json.length
}
