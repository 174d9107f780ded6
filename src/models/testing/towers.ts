// Fixtures of two-tower models with Python's results.
import { cp, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { testdata } from './fixtures.ts'

/** Models of two towers among the fixtures: transformers' CLIP and SigLIP, OpenCLIP's, and a state dict with OpenAI's names. */
export const towerNames = ['clip', 'siglip', 'open-clip', 'openai'] as const
export type TowerName = (typeof towerNames)[number]

/** Python's vectors of the texts and of the pictures (see make_two_towers.py), one row each. */
export interface TowerReference {
  readonly input_ids: number[][]
  readonly text_embeds: number[][]
  readonly image_embeds: number[][]
  /** A row a picture, a column a text. */
  readonly logits_per_image: number[][]
  readonly probabilities: number[][]
}

export type TowerReferences = Readonly<Record<TowerName, TowerReference>> & {
  readonly texts: string[]
  readonly side: number
}

export async function towerReferences(): Promise<TowerReferences> {
  return JSON.parse(await readFile(testdata('two-towers/references.json'), 'utf8')) as TowerReferences
}

/** The pictures of make_two_towers.py. */
export function towerPictures(side: number, count = 3) {
  return Array.from({ length: count }, (_, i) => {
    const data = new Uint8Array(side * side * 3)
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++)
        for (let c = 0; c < 3; c++)
          data[(y * side + x) * 3 + c] = (7 * x + 13 * y + 29 * c + 31 * i + 3 * x * y) % 256
    return { width: side, height: side, channels: 3 as const, data }
  })
}

/** A folder below `parent` with the weights of a model and its vocabulary beside them. */
export async function towerFolder(name: TowerName, parent: string, inner = ''): Promise<string> {
  const folder = join(parent, `${name}${inner && '-nested'}`)
  const target = join(folder, inner)
  await mkdir(target, { recursive: true })
  const vocabulary = name === 'siglip' ? ['siglip/spiece.model'] : ['clip/vocab.json', 'clip/merges.txt']
  for (const file of vocabulary) {
    const from = fileURLToPath(new URL(`../../embed/testdata/vocabularies/${file}`, import.meta.url))
    await cp(from, join(target, file.slice(file.indexOf('/') + 1)))
  }
  await cp(testdata(`two-towers/${name}`), target, { recursive: true })
  return folder
}

/** The largest difference of rows, over the largest magnitude. */
export function relativeError(
  found: readonly (ArrayLike<number> | undefined)[],
  expected: readonly number[][],
): number {
  let difference = found.length === expected.length ? 0 : Number.POSITIVE_INFINITY
  let magnitude = 0
  for (const [i, row] of expected.entries()) {
    if (found[i]?.length !== row.length) return Number.POSITIVE_INFINITY
    for (const [j, value] of row.entries()) {
      difference = Math.max(difference, Math.abs(found[i]![j]! - value))
      magnitude = Math.max(magnitude, Math.abs(value))
    }
  }
  return difference / magnitude
}
