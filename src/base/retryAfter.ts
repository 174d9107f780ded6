// The header by which a busy server says when to come again.

/**
 * Milliseconds of a `Retry-After`: seconds, or a date. Undefined where it says neither.
 *
 * @param now milliseconds since 1970
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 */
export function retryAfter(value: string | null, now = Date.now()): number | undefined {
  const said = value?.trim()
  if (!said) return undefined
  if (/^\d+(\.\d+)?$/.test(said)) return 1000 * Number(said)
  const date = Date.parse(said)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}
