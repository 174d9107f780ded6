// JSON from files of anybody's.

/** Most levels of arrays and objects in each other. Files of models nest some 20; what nests thousands ends the stack of whatever walks it. */
export const DEEPEST_JSON = 200

/**
 * `JSON.parse` for files that may come from a stranger.
 *
 * @example
 * ```ts
 * try { parseJson(text) } catch (cause) { throw new PipiloError('FORMAT_INVALID', `${path} is not valid JSON: …`, { cause }) }
 * ```
 *
 * @throws SyntaxError, also for what nests more than {@link DEEPEST_JSON} levels
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text)
  if (isTooDeep(value)) throw new SyntaxError(`it nests more than ${DEEPEST_JSON} levels`)
  return value
}

/** True for plain data that nest more than {@link DEEPEST_JSON} levels, or hold themselves. */
export function isTooDeep(value: unknown): boolean {
  let level: unknown[] = typeof value === 'object' && value !== null ? [value] : []
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEEPEST_JSON) return true
    const next: unknown[] = []
    for (const each of level) {
      for (const inner of Array.isArray(each) ? each : Object.values(each as object)) {
        if (typeof inner === 'object' && inner !== null && !ArrayBuffer.isView(inner)) next.push(inner)
      }
    }
    level = next
  }
  return false
}
