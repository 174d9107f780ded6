// Texts for benchmarks: sentences of STS-B, alone and mixed, drawn with a seeded generator.
import { readFileSync } from 'node:fs'

/** A small seeded generator (mulberry32), so that every run and every peer sees the same inputs. */
export function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The sentences of STS-B's train split, from the shared data beside the repository. */
export function stsSentences(): string[] {
  const file = new URL('../../shared/data/stsb/sts-train.csv', import.meta.url)
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => line.split('\t').slice(5, 7))
    .map((text) => text.trim())
    .filter(Boolean)
}

/** `count` texts of mixed length: one to six sentences of STS-B each, 35 tokens on average. */
export function mixedTexts(count: number, seed = 1): string[] {
  const sentences = stsSentences()
  const next = random(seed)
  const pick = () => sentences[Math.floor(next() * sentences.length)]!
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + Math.floor(next() ** 2 * 6) }, pick).join(' '),
  )
}
