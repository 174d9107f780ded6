// Reads a task from a folder or a file: what it has says what can be measured.

import { readdir, stat } from 'node:fs/promises'
import { PipiloError } from '../../base/index.ts'
import { type Dataset, readDataset, readRetrieval } from '../../embed/index.ts'
import type { Task, TaskKind } from './types.ts'

/** Options of {@link readTask}. */
export interface ReadTaskOptions {
  /** Default: `similarity` for scored pairs, `retrieval` for BEIR's layout, `classification` for labels. */
  readonly kind?: TaskKind
  /** Rows to classify, as another source of the same form. */
  readonly test?: string
  /** Part of a source that has several. */
  readonly split?: string
  /** Part of `test`. */
  readonly testSplit?: string
  /** Name in reports. Default: the source's. */
  readonly name?: string
  readonly onError?: 'throw' | 'skip'
  readonly signal?: AbortSignal
}

/** See `readTask` in onDemand.ts. */
export async function readTask(source: string, options: ReadTaskOptions): Promise<Task> {
  const { kind, test, split, testSplit, onError, signal } = options
  const common = { ...(split && { split }), ...(signal && { signal }) }
  if (kind === 'retrieval' || (kind === undefined && (await isRetrieval(source)))) {
    const data = await readRetrieval(source, common)
    return { kind: 'retrieval', name: options.name ?? data.name, data }
  }
  const rows = { ...common, ...(onError && { onError }) }
  const data = await readDataset(source, rows)
  const name = options.name ?? data.name
  const found = kind ?? kindOf(data)
  if (found === 'similarity') {
    expectColumns(data, ['sentence1', 'sentence2', 'score'])
    return { kind: found, name, data }
  }
  expectColumns(data, ['label'])
  if (found === 'zero-shot') {
    expectColumns(data, ['image'])
    return { kind: found, name, data }
  }
  if (test === undefined) return { kind: found, name, data }
  const held = await readDataset(test, {
    ...rows,
    ...(testSplit && { split: testSplit }),
    ...(data.classes && { classes: data.classes }),
  })
  return { kind: found, name, data, test: held }
}

async function isRetrieval(source: string): Promise<boolean> {
  const isFolder = await stat(source).then(
    (found) => found.isDirectory(),
    () => false,
  )
  return isFolder && (await readdir(source)).includes('corpus.jsonl')
}

function kindOf({ name, columns }: Dataset): 'similarity' | 'classification' {
  const has = (column: string) => columns.some((one) => one === column)
  if (has('sentence1') && has('sentence2') && has('score')) return 'similarity'
  if (has('label')) return 'classification'
  throw new PipiloError(
    'INPUT_INVALID',
    `${name} has the columns ${columns.join(', ')}: there is nothing to measure.`,
    {
      input: name,
      hint: 'A task has text,label or image,label, or sentence1,sentence2,score, or BEIR’s files.',
    },
  )
}

function expectColumns({ name, columns }: Dataset, wanted: readonly string[]): void {
  const missing = wanted.find((column) => !columns.some((one) => one === column))
  if (missing === undefined) return
  throw new PipiloError('INPUT_INVALID', `${name} has no column ${missing}.`, {
    input: name,
    hint: `It has ${columns.join(', ')}.`,
  })
}
