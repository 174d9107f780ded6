/** The table of changes, one row per operator. */
import type { Change, Changes } from './change.ts'
import { early } from './early.ts'
import { meanings } from './meanings.ts'
import { toInputs } from './toInputs.ts'

const tables: readonly Readonly<Record<string, Changes>>[] = [early, meanings, toInputs]

/** The first change of an operator after one version and up to another. */
export function nextChange(
  op: string,
  after: number,
  upTo: number,
): { readonly version: number; readonly change: Change } | undefined {
  let next: { version: number; change: Change } | undefined
  for (const table of tables) {
    for (const [key, change] of Object.entries((Object.hasOwn(table, op) && table[op]) || {})) {
      const version = Number(key)
      if (version > after && version <= upTo && version < (next?.version ?? Number.POSITIVE_INFINITY))
        next = { version, change }
    }
  }
  return next
}
