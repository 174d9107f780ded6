// Sets of characters as classes of regular expressions.

/** A set of {@link file://./unicode.ts} as the inside of a regular expression's class (flags `u` and `v`). */
export function classOf(packed: string): string {
  let end = 0
  return packed
    .split(' ')
    .map((range) => {
      const [gap, further = '0'] = range.split(':')
      const first = end + Number.parseInt(gap!, 36)
      end = first + Number.parseInt(further, 36)
      return `${codePoint(first)}-${codePoint(end)}`
    })
    .join('')
}

function codePoint(code: number): string {
  return `\\u{${code.toString(16)}}`
}

/** White space as Rust's `char::is_whitespace` has it: with U+0085, without U+FEFF. */
export const SPACE = '\\p{White_Space}'
