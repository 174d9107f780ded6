/**
 * Claim 1: 'football' is closer to 'soccer' than to 'footwear', although they share letters.
 *
 *     npx tsx examples/claims/1-football.ts [--quick] [--seeds 3] [--json]
 *
 * The same is asked of 200 triples from WordNet, drawn anew for each seed: a word, its synonym, and a word that begins alike. A token-pooled model is
 * the mean of MiniLM's tokens at some depth; letters alone are compared by their pairs.
 */
import { embedder } from '../../src/embed/index.ts'
import { cosineSimilarity, type EmbedderOptions } from '../../src/index.ts'
import { claim, type Figures } from './shared/claim.ts'
import { drawTriples, type Triple } from './shared/wordnet.ts'

const FOOTBALL: Triple = { word: 'football', synonym: 'soccer', lookalike: 'footwear' }

const models: Readonly<Record<string, readonly [name: string, options: EmbedderOptions]>> = {
  'MiniLM, mean of word vectors': ['all-MiniLM-L6-v2', { tap: 'token_embeddings', pool: 'mean' }],
  'MiniLM, mean of tokens after 3 layers': ['all-MiniLM-L6-v2', { tap: 'hidden_states.3', pool: 'mean' }],
  'MiniLM, sentences': ['all-MiniLM-L6-v2', {}],
  'Universal Sentence Encoder lite': ['use-lite', {}],
}
const isSentences = (row: string) => row === 'MiniLM, sentences' || row.startsWith('Universal')

type Likeness = (a: string, b: string) => number

/** Figures of a measure of likeness. */
function figuresOf(likeness: Likeness, triples: readonly Triple[]): Figures[string] {
  const right = triples.filter(
    ({ word, synonym, lookalike }) => likeness(word, synonym) > likeness(word, lookalike),
  )
  return {
    'football, soccer': likeness(FOOTBALL.word, FOOTBALL.synonym),
    'football, footwear': likeness(FOOTBALL.word, FOOTBALL.lookalike),
    'synonym nearer, share of triples': right.length / triples.length,
  }
}

/** Pairs of letters in common, of all that two words have (Dice). */
const letters: Likeness = (a, b) => {
  const pairs = (word: string) => new Set(Array.from(word.slice(1), (letter, i) => word[i]! + letter))
  const [one, other] = [pairs(a), pairs(b)]
  return (2 * [...one].filter((pair) => other.has(pair)).length) / (one.size + other.size)
}

await claim({
  number: 1,
  statement: "'football' is closer to 'soccer' than to 'footwear', although they share letters",
  decimals: 3,
  async measure({ seed, quick }) {
    const triples = drawTriples(quick ? 50 : 200, seed)
    const words = [...new Set([FOOTBALL, ...triples].flatMap((triple) => Object.values(triple) as string[]))]
    const rows: Record<string, Figures[string]> = { 'letters alone': figuresOf(letters, triples) }
    for (const [row, [name, options]] of Object.entries(models)) {
      const e = await embedder(name, options)
      const vectors = new Map(
        (await e.embed(words)).vectors.map((vector, i) => [words[i]!, vector as Float32Array]),
      )
      await e.dispose()
      rows[row] = figuresOf((a, b) => cosineSimilarity(vectors.get(a)!, vectors.get(b)!), triples)
    }
    return rows
  },
  checks: {
    'football is nearer to soccer by every sentence model': (figures) =>
      Object.entries(figures)
        .filter(([row]) => isSentences(row))
        .every(([, f]) => f['football, soccer']! > f['football, footwear']!),
    'football is nearer to soccer by every token-pooled model': (figures) =>
      Object.entries(figures)
        .filter(([row]) => row.startsWith('MiniLM, mean'))
        .every(([, f]) => f['football, soccer']! > f['football, footwear']!),
    'sentence models find the synonym nearer in three of four triples': (figures) =>
      Object.entries(figures)
        .filter(([row]) => isSentences(row))
        .every(([, f]) => f['synonym nearer, share of triples']! >= 0.75),
    'token-pooled models find it nearer in more than half of the triples': (figures) =>
      Object.entries(figures)
        .filter(([row]) => row.startsWith('MiniLM, mean'))
        .every(([, f]) => f['synonym nearer, share of triples']! > 0.5),
  },
})
