// Reads retrieval collections in the layout of BEIR: corpus, queries, and judgements of relevance.
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError } from '../../../base/files/index.ts'
import { closest, PipiloError } from '../../../base/index.ts'
import { datasetOf, hashOfRows } from './dataset.ts'
import { readRecords } from './records.ts'
import { readRowFile } from './rowFile.ts'
import type { Dataset, ReadDatasetOptions } from './types.ts'

/** A retrieval collection: rows of `id` and `text`, and which documents answer which query. */
export interface RetrievalDataset {
  readonly name: string
  /** A document's text is its title, a space, and its text. */
  readonly corpus: Dataset
  /** All queries; those of a split are the ones in {@link relevant}. */
  readonly queries: Dataset
  /** Query's id to the ids of judged documents, each with its grade: above 0 is relevant. */
  readonly relevant: ReadonlyMap<string, ReadonlyMap<string, number>>
}

/** True for a folder of BEIR's layout. */
export const hasBeirFiles = (names: readonly string[]): boolean =>
  names.includes('corpus.jsonl') && names.includes('queries.jsonl')

/** See `readRetrieval` in onDemand.ts. */
export async function readBeir(
  folder: string,
  name: string,
  options: ReadDatasetOptions,
): Promise<RetrievalDataset> {
  const { split = 'test', signal } = options
  const own = { columns: { id: '_id' }, requires: ['id', 'text'] as const, ...(signal && { signal }) }
  const corpus = await readRowFile(join(folder, 'corpus.jsonl'), `${name}/corpus.jsonl`, 'jsonl', own)
  const queries = await readRowFile(join(folder, 'queries.jsonl'), `${name}/queries.jsonl`, 'jsonl', own)
  const relevant = await readJudgements(folder, name, split)
  return { name, corpus: titled(corpus), queries: titled(queries), relevant }
}

/** Rows of `id` and `text`, with the title before the text as BEIR has it. */
function titled(rows: Dataset): Dataset {
  return datasetOf({
    name: rows.name,
    columns: ['id', 'text'],
    length: rows.length,
    nameOf: rows.nameOf,
    read: async (indices) =>
      (await rows.getMany(indices)).map(({ id, title = '', text }) => ({
        id: id!,
        text: `${title} ${text}`.trim(),
      })),
    hash: rows.hash,
  })
}

async function readJudgements(folder: string, name: string, split: string) {
  const splits = await splitsOf(join(folder, 'qrels'), name)
  if (!splits.includes(split)) {
    const [like] = closest(split, splits, 1)
    throw new PipiloError('INPUT_INVALID', `${name} has no judgements for the split ${split}.`, {
      input: split,
      hint: `${like ? `Did you mean ${like}? ` : ''}It has ${splits.join(', ') || 'none'}.`,
    })
  }
  const path = join(folder, 'qrels', `${split}.tsv`)
  const shown = `${name}/qrels/${split}.tsv`
  const relevant = new Map<string, Map<string, number>>()
  try {
    const { names, all } = await readRecords(createReadStream(path), 'tsv', shown)
    const [query, document, score] = names
    if (score === undefined) {
      throw new PipiloError('FORMAT_INVALID', `${shown} has the columns ${names.join(', ')}.`, {
        input: shown,
        hint: 'It needs three: query-id, corpus-id and score.',
      })
    }
    for await (const { line, values } of all) {
      const fault = (what: string) =>
        new PipiloError('INPUT_INVALID', `Line ${line} of ${shown} ${what}.`, { input: `${shown}:${line}` })
      if (typeof values !== 'function') throw fault(values.problem)
      const grade = String(values(score))
      if (!/^-?\d+$/.test(grade)) throw fault(`has '${grade}' for a score, where an integer is wanted`)
      const id = String(values(query!))
      const judged = relevant.get(id) ?? new Map<string, number>()
      relevant.set(id, judged.set(String(values(document!)), Number(grade)))
    }
  } catch (error) {
    throw fileError(error, shown, 'read')
  }
  return relevant
}

async function splitsOf(folder: string, name: string): Promise<string[]> {
  try {
    return (await readdir(folder))
      .filter((each) => each.endsWith('.tsv'))
      .map((each) => each.slice(0, -4))
      .sort()
  } catch (error) {
    throw fileError(error, `${name}/qrels`, 'list')
  }
}

/** Pairs of a query (`anchor`) and a relevant document (`positive`), in the order of the judgements. */
export async function beirPairs(folder: string, name: string, options: ReadDatasetOptions): Promise<Dataset> {
  const { corpus, queries, relevant } = await readBeir(folder, name, {
    ...options,
    split: options.split ?? 'train',
  })
  const [queryAt, documentAt] = [await placesOf(queries), await placesOf(corpus)]
  const pairs: { query: number; document: number }[] = []
  for (const [query, judged] of relevant) {
    for (const [document, grade] of judged) {
      if (grade <= 0) continue
      pairs.push({
        query: placeOf(queryAt, query, queries.name),
        document: placeOf(documentAt, document, corpus.name),
      })
    }
  }
  if (pairs.length === 0) {
    throw new PipiloError('INPUT_INVALID', `${name} has no relevant pairs in this split.`, { input: name })
  }
  return datasetOf({
    name,
    columns: ['anchor', 'positive'],
    length: pairs.length,
    nameOf: (index) => `${queries.nameOf(pairs[index]!.query)} with ${corpus.nameOf(pairs[index]!.document)}`,
    read: async (indices) => {
      const wanted = Array.from(indices, (index) => pairs[index]!)
      const [anchors, positives] = await Promise.all([
        queries.getMany(wanted.map(({ query }) => query)),
        corpus.getMany(wanted.map(({ document }) => document)),
      ])
      return wanted.map((_, at) => ({ anchor: anchors[at]!.text!, positive: positives[at]!.text! }))
    },
    hash: hashOfRows,
  })
}

async function placesOf(rows: Dataset): Promise<Map<string, number>> {
  const places = new Map<string, number>()
  let index = 0
  for await (const { id } of rows) {
    if (places.has(id!)) {
      throw new PipiloError(
        'INPUT_INVALID',
        `${rows.nameOf(index)} has the _id ${id}, as an earlier row has.`,
        {
          input: rows.nameOf(index),
        },
      )
    }
    places.set(id!, index++)
  }
  return places
}

function placeOf(places: ReadonlyMap<string, number>, id: string, name: string): number {
  const place = places.get(id)
  if (place !== undefined) return place
  throw new PipiloError('INPUT_INVALID', `${name} has no row with the _id ${id}, which a judgement names.`, {
    input: id,
  })
}
