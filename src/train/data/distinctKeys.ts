// Keys of samples by their texts and classes, from one pass over a data set.
import type { ColumnName, Dataset } from '../../embed/index.ts'
import type { SampleKeys } from './distinctSampler.ts'

const compared: readonly ColumnName[] = [
  'text',
  'sentence1',
  'sentence2',
  'anchor',
  'positive',
  'negative',
  'label',
]

const known = new WeakMap<Dataset, Promise<SampleKeys>>()

/**
 * The keys of a data set's samples: one for each text, and one for the class. Equal texts have equal keys, in whichever columns they are.
 *
 * @remarks
 * Made once a data set, 8 bytes a key. Keys are hashes of 53 bits: two texts that share one by chance are kept apart for nothing, and no harm is done.
 */
export function distinctKeys(dataset: Dataset): Promise<SampleKeys> {
  const found = known.get(dataset) ?? keysOf(dataset)
  known.set(dataset, found)
  // A failure is not kept: it may go well another time.
  found.catch(() => known.delete(dataset))
  return found
}

async function keysOf(dataset: Dataset): Promise<SampleKeys> {
  const columns = compared.filter((name) => dataset.columns.includes(name))
  const keys = new Float64Array(dataset.length * columns.length)
  let at = 0
  for await (const row of dataset) {
    for (const name of columns)
      keys[at++] = hash53(name === 'label' ? `label ${row.label}` : `text ${row[name]}`)
  }
  return { length: dataset.length, columns, keys }
}

/** Two hashes of 32 bits side by side, 53 bits of them kept. */
function hash53(text: string): number {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    a = Math.imul(a ^ code, 0x9e3779b1)
    b = Math.imul(b ^ code, 0x5f356495)
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35)
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35)
  return (b & 0x1fffff) * 2 ** 32 + (a >>> 0)
}
