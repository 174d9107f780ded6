// Searches over any backend: what a query is, hybrid search, and hits that are not all the same.
import { checkOptions, is, type OptionTable, PipiloError } from '../base/index.ts'
import { promptType } from '../embed/index.ts'
import type { BackendTable, Nearest } from './backend.ts'
import { checkFields, parseFilter } from './filter.ts'
import type { Hit, Metadata, Query, SearchOptions } from './types.ts'

/** Constant of reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009). */
const RRF = 60
/** Hits that are looked at, at least, where two lists are joined or equal hits are left out. */
const DEEP = 100

/** Types of {@link SearchOptions}; filters are read further on. */
export const searchOptionTypes: OptionTable<SearchOptions> = {
  k: is.count(1),
  filter: is.any,
  distinct: is.either(is.flag, is.name),
  hybrid: is.either(
    is.flag,
    is.parts<Exclude<SearchOptions['hybrid'], boolean | undefined>>({ words: is.text, field: is.name }),
  ),
  exact: is.flag,
  probes: is.count(1),
  signal: is.abortSignal,
}

/** Types of the parts of a query that is no vector. */
const queryTypes = { text: is.text, prompt: promptType, image: is.any, id: is.text }

function checkQuery(query: object): void {
  try {
    checkOptions('a query', query, queryTypes)
  } catch (error) {
    const { message, input } = error as PipiloError
    throw new PipiloError('INPUT_INVALID', message, { ...(input !== undefined && { input }), cause: error })
  }
}

/** Answers a query of the collection `name`; `vectorOf` gives the vector of one that is not a row's id. */
export async function searchWith(
  name: string,
  table: BackendTable,
  query: Query,
  options: SearchOptions,
  vectorOf: (query: Exclude<Query, { readonly id: string }>) => Promise<Float32Array>,
): Promise<Hit[]> {
  const { k, nearest, words, field } = checked(query, options)
  await checkNames(name, table, options.distinct, words === undefined ? undefined : field)
  const self = isId(query) ? query.id : undefined
  const vector = isId(query) ? await storedVector(table, query.id) : await vectorOf(query)
  const find = async (limit: number): Promise<Hit[]> => {
    if (words === undefined) return table.search(vector, { ...nearest, k: limit })
    const depth = Math.max(limit, DEEP)
    return joined([
      await table.search(vector, { ...nearest, k: depth }),
      worthRanking(await table.searchText(words, field, { ...nearest, k: depth })),
    ])
  }
  if (!options.distinct && self === undefined) return (await find(k)).slice(0, k)
  const contentOf = contents(table, options.distinct ?? false)
  for (let limit = options.distinct ? Math.max(4 * k, DEEP) : k + 1; ; limit *= 4) {
    const found = (await find(limit)).filter(({ id }) => id !== self)
    const hits = await firstOfEach(found, contentOf)
    if (hits.length >= k || found.length < limit - 1) return hits.slice(0, k)
  }
}

const isId = (query: Query): query is { readonly id: string } =>
  !(query instanceof Float32Array) && !Array.isArray(query) && 'id' in query

function checked(query: Query, options: SearchOptions) {
  const { k = 10, filter = {}, exact = false, probes, hybrid = false } = options
  const wrong = (sentence: string, hint?: string) =>
    new PipiloError('OPTION_INVALID', sentence, hint === undefined ? {} : { hint })
  const isVector = query instanceof Float32Array || Array.isArray(query)
  if (!isVector) {
    const kinds = ['text', 'image', 'id'].filter(
      (kind) => typeof query === 'object' && query !== null && kind in query,
    )
    if (kinds.length !== 1) {
      throw new PipiloError('INPUT_INVALID', 'A query is a vector, { text }, { image } or { id }.')
    }
    checkQuery(query)
    if ('prompt' in query && !('text' in query))
      throw new PipiloError('INPUT_INVALID', 'Only a query of text has a prompt.', { input: 'prompt' })
  }
  if (probes !== undefined) {
    if (exact)
      throw wrong('An exact search reads no index, so it has no probes.', 'Leave out one of the two.')
  }
  const asked = hybrid === true ? {} : hybrid === false ? undefined : hybrid
  const words = asked && (asked.words ?? (!isVector && 'text' in query ? query.text : undefined))
  if (asked && typeof words !== 'string') {
    throw wrong(
      'A hybrid search needs words to look for beside the vector.',
      "Search for { text }, or name them: { hybrid: { words: 'a red bird' } }.",
    )
  }
  const nearest: Omit<Nearest, 'k'> = { predicates: parseFilter(filter), exact, probes }
  return { k, nearest, words, field: asked?.field ?? 'text' }
}

/** Refuses a field to tell hits apart by that no row has, and one to search words in that holds none. */
async function checkNames(
  name: string,
  table: BackendTable,
  distinct: boolean | string | undefined,
  searched: string | undefined,
): Promise<void> {
  const keys = typeof distinct === 'string' ? [distinct] : []
  if (keys.length === 0 && searched === undefined) return
  const fields = await table.fields()
  if (fields.length === 0 && (await table.count()) === 0) return
  const names = fields.map((field) => field.name)
  checkFields(keys, names, name)
  if (searched === undefined) return
  checkFields([searched], names, name)
  const texts = fields.filter(({ types }) => types.includes('string')).map((field) => field.name)
  if (texts.includes(searched)) return
  throw new PipiloError(
    'OPTION_INVALID',
    `No row of the collection "${name}" has a text in ${JSON.stringify(searched)}, to search words in.`,
    {
      input: searched,
      hint: texts.length > 0 ? `Texts are in: ${texts.join(', ')}.` : 'Its rows have no texts.',
    },
  )
}

async function storedVector(table: BackendTable, id: string): Promise<Float32Array> {
  const row = typeof id === 'string' ? (await table.get([id])).get(id) : undefined
  if (row) return row.vector
  throw new PipiloError('INPUT_INVALID', `There is no row with the id ${JSON.stringify(id)}.`, {
    input: String(id),
    hint: 'The id of a query is one of a stored row.',
  })
}

/** Part of the best hit's BM25 that a hit by words has to have. */
const WORTH = 0.2

/** Hits by words without those that share with the query but words that most rows have: by its rank alone such a hit would count as much as any. */
function worthRanking(hits: readonly Hit[]): Hit[] {
  const best = hits[0]?.score ?? 0
  return hits.filter(({ score }) => score >= WORTH * best)
}

/** Lists joined by the sums of reciprocal ranks; of equal sums that of the first list comes first. */
function joined(lists: readonly (readonly Hit[])[]): Hit[] {
  const hits = new Map<string, { id: string; score: number; metadata: Metadata }>()
  for (const list of lists) {
    for (const [index, { id, metadata }] of list.entries()) {
      const hit = hits.get(id) ?? { id, score: 0, metadata }
      hit.score += 1 / (RRF + index + 1)
      hits.set(id, hit)
    }
  }
  return [...hits.values()].sort((a, b) => b.score - a.score)
}

/** Tells the content of hits: what is undefined is like nothing else. */
function contents(table: BackendTable, distinct: boolean | string) {
  return async (hits: readonly Hit[]): Promise<(string | undefined)[]> => {
    if (distinct === false) return hits.map(() => undefined)
    if (typeof distinct === 'string') {
      return hits.map(({ metadata }) => {
        const value = Object.hasOwn(metadata, distinct) ? metadata[distinct] : undefined
        return value === undefined || value === null ? undefined : JSON.stringify(value)
      })
    }
    const bare = hits.filter(({ metadata }) => !('sha256' in metadata) && !('text' in metadata))
    const rows = bare.length > 0 ? await table.get(bare.map(({ id }) => id)) : undefined
    return hits.map(({ id, metadata: { sha256, text, by } }) => {
      // All of a passage's text is there, and it may stand below other headings elsewhere.
      if (by === 'passage' && typeof text === 'string') return JSON.stringify([text.trim().split(/\s+/)])
      if (sha256 !== undefined || text !== undefined) return JSON.stringify([sha256, text])
      const { buffer, byteOffset, byteLength } = rows?.get(id)?.vector ?? new Float32Array()
      return byteLength > 0 ? Buffer.from(buffer, byteOffset, byteLength).toString('base64') : undefined
    })
  }
}

async function firstOfEach(
  hits: readonly Hit[],
  contentOf: (hits: readonly Hit[]) => Promise<(string | undefined)[]>,
): Promise<Hit[]> {
  const seen = new Set<string>()
  const content = await contentOf(hits)
  return hits.filter((_, index) => {
    const is = content[index]
    if (is === undefined) return true
    const isNew = !seen.has(is)
    seen.add(is)
    return isNew
  })
}
