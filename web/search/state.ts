// The page's state, all of which stands in its address: back, forward and sharing work by themselves.

/** One condition on a metadata field. */
export interface Where {
  readonly field: string
  readonly test: Test
  readonly value: string | number | boolean
}

/** Comparisons of a condition, in the words of filters. */
export const tests = {
  eq: 'is',
  ne: 'is not',
  contains: 'contains',
  startsWith: 'begins with',
  gte: 'is at least',
  lte: 'is at most',
} as const

export type Test = keyof typeof tests

/** A question, the collections that it is put to, and its conditions. */
export interface State {
  readonly words: string
  /** Id of a row whose like are looked for. */
  readonly like: string | undefined
  /** Key of a picture that the page remembers; the picture itself is no part of the address. */
  readonly picture: string | undefined
  /** Collections, side by side; empty before anyone has chosen. */
  readonly from: readonly string[]
  readonly where: readonly Where[]
  readonly k: number
  /** Looks for the words themselves, too. */
  readonly hybrid: boolean
  /** One hit a file. */
  readonly single: boolean
}

/** Numbers of hits that can be chosen. */
export const counts = [10, 20, 50, 100]

/** The state that an address says. Whatever is malformed is as if it were not there. */
export function readState(query: string): State {
  const given = new URLSearchParams(query)
  const k = Number(given.get('k'))
  return {
    words: given.get('q') ?? '',
    like: given.get('like') ?? undefined,
    picture: given.get('picture') ?? undefined,
    from: [...new Set(given.getAll('in'))],
    where: given.getAll('where').flatMap(readWhere),
    k: counts.includes(k) ? k : counts[0]!,
    hybrid: given.has('hybrid'),
    single: given.has('single'),
  }
}

/** The address of a state. */
export function writeState(state: State): string {
  const given = new URLSearchParams()
  if (state.words !== '') given.set('q', state.words)
  if (state.like !== undefined) given.set('like', state.like)
  if (state.picture !== undefined) given.set('picture', state.picture)
  for (const name of state.from) given.append('in', name)
  for (const { field, test, value } of state.where)
    given.append('where', JSON.stringify([field, test, value]))
  if (state.k !== counts[0]) given.set('k', `${state.k}`)
  if (state.hybrid) given.set('hybrid', '')
  if (state.single) given.set('single', '')
  const query = given.toString()
  return query === '' ? './' : `?${query}`
}

function readWhere(text: string): Where[] {
  try {
    const [field, test, value] = JSON.parse(text) as unknown[]
    const isValue = typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)
    if (typeof field !== 'string' || typeof test !== 'string' || !Object.hasOwn(tests, test) || !isValue)
      return []
    return [{ field, test: test as Test, value: value as Where['value'] }]
  } catch {
    return []
  }
}

/** Conditions as a filter of the store. Of two alike on one field the last one counts. */
export function filterOf(
  where: readonly Where[],
): Record<string, Record<string, Where['value']>> | undefined {
  if (where.length === 0) return undefined
  const filter: Record<string, Record<string, Where['value']>> = {}
  for (const { field, test, value } of where) filter[field] = { ...filter[field], [test]: value }
  return filter
}
