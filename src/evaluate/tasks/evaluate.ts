// Measures an embedder on a task.
import { PipiloError, throwIfAborted } from '../../base/index.ts'
import {
  type AnyInput,
  type Dataset,
  type DatasetRow,
  type Embedder,
  semanticSearch,
} from '../../embed/index.ts'
import { seeded } from '../../nn/index.ts'
import { cosineSimilarity, l2Normalize, matrixOf } from '../../tensor/index.ts'
import { splitLabels } from '../../train/index.ts'
import { suspects } from '../labels/suspects.ts'
import { bootstrapEach } from '../measures/bootstrap.ts'
import { placedLabels } from '../measures/checks.ts'
import { classificationScores } from '../measures/classification.ts'
import { clusterAgreement } from '../measures/clusters.ts'
import { correlations } from '../measures/correlation.ts'
import { drawn } from '../measures/drawn.ts'
import { fewShot } from '../measures/fewShot.ts'
import { kMeans } from '../measures/kMeans.ts'
import { linearProbe } from '../measures/logisticRegression.ts'
import { nearestNeighbors } from '../measures/nearestNeighbors.ts'
import { rankingMeasures } from '../measures/ranking.ts'
import { anisotropy, hubness, rankMe, uniformity } from '../measures/space.ts'
import { zeroShotPredictions } from '../measures/zeroShotPredictions.ts'
import { type EmbeddedVector, inputOf, Meter } from './embedding.ts'
import type { Confusion, EvaluateOptions, Evaluation, SpaceMeasures, SuspiciousRow, Task } from './types.ts'

/** The part of an embedder that an evaluation needs. */
export type Measured = Pick<
  Embedder<Float32Array, AnyInput>,
  'name' | 'modality' | 'tap' | 'pool' | 'recipe' | 'dimensions' | 'embed'
>
type Found = Pick<Evaluation, 'main' | 'measures' | 'intervals' | 'confusion' | 'skipped' | 'suspects'> & {
  readonly rows: number
}

/** See `evaluate` in onDemand.ts. */
export async function evaluate(
  embedder: Measured,
  task: Task,
  options: EvaluateOptions,
): Promise<Evaluation> {
  const start = performance.now()
  const { onProgress, signal } = options
  throwIfAborted(signal)
  if (options.space) checkSpace(vectorsOf(task, options), task.name)
  const meter = new Meter(inputsOf(task), onProgress)
  const { rows, ...found } = await measured(embedder, task, options, meter)
  const { recipe } = embedder
  return {
    task: { kind: task.kind, name: task.name, rows },
    model: {
      name: embedder.name,
      tap: embedder.tap,
      pool: embedder.pool,
      dtype: recipe.dtype,
      dimensions: embedder.dimensions,
    },
    ...found,
    ...(options.space && { space: await spaceOf(meter.vectors, task.name, options) }),
    cost: {
      perSecond: meter.inputs / meter.seconds,
      seconds: (performance.now() - start) / 1000,
      bytesPerVector: 4 * embedder.dimensions,
      memory: meter.memory,
    },
  }
}

function measured(embedder: Measured, task: Task, options: EvaluateOptions, meter: Meter): Promise<Found> {
  if (task.kind === 'similarity') return similarity(embedder, task.data, options, meter)
  if (task.kind === 'retrieval') return retrieval(embedder, task, options, meter)
  if (task.kind === 'zero-shot') return zeroShots(embedder, task.data, options, meter)
  if (task.kind === 'classification') return classification(embedder, task, options, meter)
  return ungrouped(embedder, task, options, meter)
}

/** Inputs that a task embeds. */
export function inputsOf(task: Task): number {
  if (task.kind === 'retrieval') return task.data.corpus.length + task.data.relevant.size
  if (task.kind === 'similarity') return 2 * task.data.length
  return task.data.length + ('test' in task && task.test ? task.test.length : 0)
}

/** Vectors that a task makes: those of its inputs, and of the texts for classes. */
function vectorsOf(task: Task, { templates }: EvaluateOptions): number {
  const classes = task.kind === 'zero-shot' ? (task.data.classes?.length ?? 0) : 0
  return inputsOf(task) + classes * (templates?.length ?? 1)
}

interface Labelled {
  readonly vectors: Float32Array[]
  readonly labels: number[]
  /** Index of each in its data set. */
  readonly rows: number[]
}

/** Vectors and labels of a data set's rows that could be embedded. */
async function labelled(
  embedder: Measured,
  data: Dataset,
  { signal }: EvaluateOptions,
  meter: Meter,
): Promise<Labelled & { readonly skipped: number }> {
  const { labels } = data
  if (!labels) {
    throw new PipiloError('INPUT_INVALID', `${data.name} has no labels.`, {
      input: data.name,
      hint: 'Give a folder of images by class, or a file with text,label or image,label.',
    })
  }
  const rows = await allRows(data)
  const inputs = rows.map((row, i) => inputOf(embedder, row, data.nameOf(i)))
  const { vectors, skipped } = await meter.embed(embedder, inputs, { signal, nameOf: (i) => data.nameOf(i) })
  const kept = vectors.flatMap((vector, row) => (vector ? [{ vector, label: labels[row]!, row }] : []))
  return {
    vectors: kept.map(({ vector }) => vector),
    labels: kept.map(({ label }) => label),
    rows: kept.map(({ row }) => row),
    skipped,
  }
}

async function classification(
  embedder: Measured,
  { data, test }: Extract<Task, { kind: 'classification' | 'few-shot' | 'clustering' }>,
  options: EvaluateOptions,
  meter: Meter,
): Promise<Found> {
  const { neighbors = 5, probe = true, seed = 0, signal } = options
  checkSeveral(data.name, data.labels)
  const whole = await labelled(embedder, data, options, meter)
  checkSeveral(data.name, whole.labels)
  const apart = test && (await labelled(embedder, sameClasses(data, test), options, meter))
  const { all, own, names } = numbered(data, whole, apart)
  const [known, asked] = own ? [all, own] : parted(all, seed)
  const heed = signal && { signal }
  const near = await nearestNeighbors(known, asked.vectors, { k: neighbors, ...heed })
  const classifier = probe ? await linearProbe(known, { seed, ...heed }) : undefined
  const byProbe = classifier?.predict(asked.vectors)
  const of = (rows?: Uint32Array) => ({
    ...named(asked.labels, near.predictions, { prefix: 'knn_', classes: names.length, rows }),
    ...(byProbe && named(asked.labels, byProbe, { prefix: 'probe_', classes: names.length, rows })),
  })
  const found = measuredBy(probe ? 'probe_accuracy' : 'knn_accuracy', asked.labels.length, of, options)
  return {
    ...found,
    ...(classifier && { measures: { ...found.measures, probe_c: classifier.c } }),
    confusion: confusionOf(names, asked.labels, byProbe ?? near.predictions),
    ...(options.suspects && { suspects: await suspiciousRows(data, all, names, options) }),
    skipped: whole.skipped + (apart?.skipped ?? 0),
    rows: all.labels.length + (own?.labels.length ?? 0),
  }
}

/** @throws `INPUT_INVALID` for labels of one class */
function checkSeveral(name: string, labels: ArrayLike<number> | undefined): void {
  if (!labels || new Set(Array.from(labels)).size > 1) return
  throw new PipiloError(
    'INPUT_INVALID',
    `All rows of ${name} are of one class: there is nothing to tell apart.`,
    { input: name },
  )
}

/** Rows whose labels are numbered from 0 by the classes that occur, and these classes' names: those of the data, or the labels themselves. */
function numbered(
  { classes }: Dataset,
  all: Labelled,
  own: Labelled | undefined,
): { readonly all: Labelled; readonly own: Labelled | undefined; readonly names: readonly string[] } {
  const { occurring, places } = placedLabels({
    labels: all.labels,
    'labels to test with': own?.labels ?? [],
  })
  return {
    all: { ...all, labels: Array.from(places.labels) },
    own: own && { ...own, labels: Array.from(places['labels to test with']) },
    names: occurring.map((label) => classes?.[label] ?? `${label}`),
  }
}

/** @param clusters how many there are, where answers are no classes */
function confusionOf(
  classes: readonly string[],
  labels: ArrayLike<number>,
  answers: ArrayLike<number>,
  clusters?: number,
): Confusion {
  const columns =
    clusters === undefined ? classes : Array.from({ length: clusters }, (_, i) => `cluster ${i + 1}`)
  const counts = classes.map(() => columns.map(() => 0))
  for (let i = 0; i < labels.length; i++) counts[labels[i]!]![answers[i]!]!++
  return { classes, columns, counts }
}

/** Measures of predictions, of some rows or all. */
function named(
  labels: ArrayLike<number>,
  predictions: ArrayLike<number>,
  {
    prefix,
    classes,
    rows,
  }: {
    readonly prefix: '' | 'knn_' | 'probe_'
    readonly classes: number
    readonly rows: Uint32Array | undefined
  },
): Record<string, number> {
  const { accuracy, balancedAccuracy, macroF1 } = classificationScores(
    pick(predictions, rows),
    pick(labels, rows),
    classes,
  )
  return {
    [`${prefix}accuracy`]: accuracy,
    [`${prefix}balanced_accuracy`]: balancedAccuracy,
    [`${prefix}macro_f1`]: macroF1,
  }
}

const pick = (numbers: ArrayLike<number>, rows: Uint32Array | undefined): ArrayLike<number> =>
  rows ? Array.from(rows, (row) => numbers[row]!) : numbers

/** Neighbours by which labels are suspected; all others where there are fewer. */
const SUSPECTING = 10

/** Rows whose label confident learning counts as wrong. */
async function suspiciousRows(
  data: Dataset,
  { vectors, labels, rows }: Labelled,
  names: readonly string[],
  { seed = 0, signal }: EvaluateOptions,
): Promise<SuspiciousRow[]> {
  const k = Math.min(SUSPECTING, vectors.length - 1)
  const { ranking } = await suspects({ vectors, labels }, { k, seed, ...(signal && { signal }) })
  return ranking.flatMap(({ index, label, likelier, confidence, margin, wrong }) =>
    wrong
      ? [
          {
            row: data.nameOf(rows[index]!),
            index: rows[index]!,
            label: names[label]!,
            likelier: names[likelier]!,
            confidence,
            margin,
          },
        ]
      : [],
  )
}

/** A fifth of each class to ask for, the rest to know. */
function parted({ vectors, labels, rows }: Labelled, seed: number): readonly [Labelled, Labelled] {
  const { train, validation } = splitLabels(labels, { validation: 0.2, seed })
  const part = (places: readonly number[]): Labelled => ({
    vectors: places.map((place) => vectors[place]!),
    labels: places.map((place) => labels[place]!),
    rows: places.map((place) => rows[place]!),
  })
  return [part(train), part(validation)]
}

/** @throws `INPUT_INVALID` where two data sets name their classes otherwise */
function sameClasses(data: Dataset, test: Dataset): Dataset {
  if (data.classes?.join('\n') === test.classes?.join('\n')) return test
  throw new PipiloError(
    'INPUT_INVALID',
    `The classes of ${test.name} are others than those of ${data.name}.`,
    {
      input: test.name,
      hint: 'Read both with the same classes: readDataset(path, { classes: data.classes! }).',
    },
  )
}

async function ungrouped(
  embedder: Measured,
  { kind, data, test }: Extract<Task, { kind: 'classification' | 'few-shot' | 'clustering' }>,
  options: EvaluateOptions,
  meter: Meter,
): Promise<Found> {
  const { shots = 5, seed = 0, resamples, signal } = options
  if (test) {
    throw new PipiloError('OPTION_INVALID', `A task of ${kind} has no rows apart to test with.`, {
      input: 'test',
    })
  }
  if (kind === 'few-shot') checkSeveral(data.name, data.labels)
  const whole = await labelled(embedder, data, options, meter)
  const { all, names } = numbered(data, whole, undefined)
  const rows = all.labels.length
  if (kind === 'few-shot') {
    checkSeveral(data.name, all.labels)
    const { accuracy, interval, classes } = await fewShot(all, { shots, seed, ...(signal && { signal }) })
    return {
      main: { measure: 'accuracy', value: accuracy, ...(resamples !== 0 && { interval }) },
      measures: { accuracy, shots, classes },
      intervals: resamples === 0 ? {} : { accuracy: interval },
      skipped: whole.skipped,
      rows,
    }
  }
  const k = names.length
  // Cosines are what embeddings are compared by: on the sphere they are distances.
  const directions = all.vectors.map((vector) => l2Normalize(vector))
  const { labels } = await kMeans(directions, { k, starts: 3, seed, ...(signal && { signal }) })
  const of = (rows?: Uint32Array) => {
    const found = clusterAgreement(pick(labels, rows), pick(all.labels, rows), k)
    return {
      v_measure: found.vMeasure,
      ari: found.adjustedRand,
      nmi: found.normalizedMutualInformation,
      homogeneity: found.homogeneity,
      completeness: found.completeness,
    }
  }
  return {
    ...measuredBy('v_measure', rows, of, options),
    confusion: confusionOf(names, all.labels, labels, k),
    skipped: whole.skipped,
    rows,
  }
}

async function similarity(
  embedder: Measured,
  data: Dataset,
  options: EvaluateOptions,
  meter: Meter,
): Promise<Found> {
  const { signal } = options
  const rows = await allRows(data)
  const [first, ...others] = rows.map((row, i) => required(data, row, i, 'score'))
  if (others.every((score) => score === first)) {
    throw new PipiloError(
      'INPUT_INVALID',
      `All scores of ${data.name} are ${first}: nothing correlates with them.`,
      {
        input: data.name,
      },
    )
  }
  const texts = ['sentence1', 'sentence2'] as const
  const inputs = texts.flatMap((column) =>
    rows.map((row, i) => inputOf(embedder, { text: required(data, row, i, column) }, data.nameOf(i))),
  )
  const { vectors } = await meter.embed(embedder, inputs, {
    signal,
    nameOf: (i) => `${texts[Math.floor(i / rows.length)]} of ${data.nameOf(i % rows.length)}`,
  })
  const pairs = rows.flatMap((row, i) => {
    const [a, b] = [vectors[i], vectors[rows.length + i]]
    return a && b ? [{ cosine: cosineSimilarity(a, b), score: required(data, row, i, 'score') }] : []
  })
  const [cosines, scores] = [pairs.map(({ cosine }) => cosine), pairs.map(({ score }) => score)]
  const of = (rows?: Uint32Array) => {
    const found = correlations(pick(cosines, rows), pick(scores, rows), [
      `cosine similarities of the sentences of ${data.name}`,
      `scores of ${data.name}`,
    ])
    return { spearman: found.spearman(), pearson: found.pearson() }
  }
  return {
    ...measuredBy('spearman', pairs.length, of, options),
    skipped: rows.length - pairs.length,
    rows: pairs.length,
  }
}

async function retrieval(
  embedder: Measured,
  { data }: Extract<Task, { kind: 'retrieval' }>,
  options: EvaluateOptions,
  meter: Meter,
): Promise<Found> {
  const { at = [1, 5, 10, 100], signal } = options
  const prompts = promptsOf(embedder, options)
  // Documents with the same score then come by id, descending, as trec_eval orders them: the search takes the first.
  const corpus = (await allRows(data.corpus)).sort((a, b) => (a.id! < b.id! ? 1 : a.id! > b.id! ? -1 : 0))
  const asked = (await allRows(data.queries)).filter(({ id }) => data.relevant.has(id!))
  const textsOf = (rows: readonly DatasetRow[], { name }: Dataset) =>
    rows.map((row) => inputOf(embedder, row, `${name} ${row.id}`))
  const documents = await meter.embed(embedder, textsOf(corpus, data.corpus), {
    prompt: prompts.document,
    signal,
    nameOf: (i) => `${data.corpus.name} ${corpus[i]!.id}`,
  })
  const queries = await meter.embed(embedder, textsOf(asked, data.queries), {
    prompt: prompts.query,
    signal,
    nameOf: (i) => `${data.queries.name} ${asked[i]!.id}`,
  })
  const kept = corpus.flatMap(({ id }, i) =>
    documents.vectors[i] ? [{ id: id!, vector: documents.vectors[i] }] : [],
  )
  const sent = asked.flatMap(({ id }, i) =>
    queries.vectors[i] ? [{ id: id!, vector: queries.vectors[i] }] : [],
  )
  // A query's own document, as where texts are both, is no answer, unless somebody judged it: ids may be alike by chance.
  const found = await semanticSearch(
    sent.map(({ vector }) => vector),
    matrixOf(kept.map(({ vector }) => vector)),
    { k: Math.max(...at) + 1, ...(signal && { signal }) },
  )
  const results = new Map(
    sent.map(({ id }, i) => {
      const ranked = found[i]!.map(({ index }) => kept[index]!.id).filter(
        (document) => document !== id || data.relevant.get(id)!.has(document),
      )
      return [id, ranked.slice(0, Math.max(...at))] as const
    }),
  )
  const { mean, queries: single } = rankingMeasures(results, data.relevant, { at })
  const each = [...single.values()]
  const of = (rows?: Uint32Array) => {
    if (!rows) return mean
    const sums = Object.keys(mean).map((name) => {
      let sum = 0
      for (const row of rows) sum += each[row]![name]!
      return [name, sum / rows.length] as const
    })
    return Object.fromEntries(sums)
  }
  return {
    ...measuredBy(at.includes(10) ? 'ndcg@10' : `ndcg@${at[0]}`, each.length, of, options),
    skipped: documents.skipped + queries.skipped,
    rows: kept.length + sent.length,
  }
}

/** Names of prompts: those that were asked for, or the usual ones that the model has. */
function promptsOf(
  { recipe }: Measured,
  { prompts: asked = {} }: EvaluateOptions,
): { readonly query: string | undefined; readonly document: string | undefined } {
  const known = Object.keys(recipe.text?.prompts ?? {})
  const usual = (...names: string[]) => names.find((name) => known.includes(name))
  return {
    query: asked.query ?? usual('query', 's2p_query'),
    document: asked.document ?? usual('document', 'passage'),
  }
}

async function zeroShots(
  embedder: Measured,
  data: Dataset,
  options: EvaluateOptions,
  meter: Meter,
): Promise<Found> {
  const { templates = ['a picture of {}'], signal } = options
  if (embedder.modality !== 'text-image') {
    throw new PipiloError('OPTION_INVALID', `${embedder.name} has no texts and pictures in one space.`, {
      input: 'model',
      hint: 'Zero shots need a model of two towers, such as CLIP.',
    })
  }
  const { classes } = data
  if (!classes) {
    throw new PipiloError('INPUT_INVALID', `${data.name} has no names of classes.`, { input: data.name })
  }
  const all = await labelled(embedder, data, options, meter)
  const texts = classes.flatMap((name) =>
    templates.map((template) => ({ text: template.replaceAll('{}', name) })),
  )
  const described = await meter.embed(embedder, texts, { signal, nameOf: (i) => `'${texts[i]!.text}'` })
  const descriptions = classes.map((_, i) =>
    described.vectors.slice(i * templates.length, (i + 1) * templates.length).map((vector) => vector!),
  )
  const predictions = await zeroShotPredictions(all.vectors, descriptions, signal && { signal })
  const of = (rows?: Uint32Array) =>
    named(all.labels, predictions, { prefix: '', classes: classes.length, rows })
  const { occurring, places } = placedLabels({ labels: all.labels, predictions })
  return {
    ...measuredBy('accuracy', all.labels.length, of, options),
    confusion: confusionOf(
      occurring.map((label) => classes[label]!),
      places.labels,
      places.predictions,
    ),
    skipped: all.skipped,
    rows: all.labels.length,
  }
}

/** Measures of all rows, the main one, and their intervals over resamples of the rows. */
function measuredBy(
  measure: string,
  count: number,
  of: (rows?: Uint32Array) => Record<string, number>,
  { resamples = 1000, seed = 0 }: EvaluateOptions,
): Pick<Found, 'main' | 'measures' | 'intervals'> {
  const measures = of()
  const intervals = resamples > 0 ? bootstrapEach(count, of, { resamples, seed }) : {}
  const interval = intervals[measure]
  return {
    main: { measure, value: measures[measure]!, ...(interval && { interval }) },
    measures,
    intervals,
  }
}

/** Vectors whose space is measured: uniformity looks at all pairs. */
const SPACE = 2000

/** Neighbours among which hubs are looked for. */
const HUBS = 10

/** @throws `INPUT_INVALID` for fewer vectors than the measures of a space need */
function checkSpace(vectors: number, name: string): void {
  if (vectors > HUBS) return
  throw new PipiloError(
    'INPUT_INVALID',
    `${name} gives ${vectors} vectors; the measures of their space need at least ${HUBS + 1}: each with ${HUBS} neighbours.`,
    { input: 'space', hint: 'Evaluate without space, or give more rows.' },
  )
}

/** Measures that need no labels, of some vectors. @throws `INPUT_INVALID` for fewer than 11, and for one of zeros */
async function spaceOf(
  vectors: readonly EmbeddedVector[],
  name: string,
  { seed = 0, signal }: EvaluateOptions,
): Promise<SpaceMeasures> {
  // Inputs that could not be read may leave too few.
  checkSpace(vectors.length, name)
  const heed = signal && { signal }
  const sample = drawn(vectors, Math.min(SPACE, vectors.length), seeded(seed, 'space').uniform).chosen
  const empty = sample.find(({ vector }) => vector.every((value) => value === 0))
  if (empty) {
    const input = empty.nameOf(empty.index)
    throw new PipiloError('INPUT_INVALID', `The vector of ${input} is all zeros: it has no direction.`, {
      input,
      hint: 'Evaluate without space, or leave this row out.',
    })
  }
  const chosen = matrixOf(sample.map(({ vector }) => vector))
  const { skewness, orphans } = await hubness(chosen, { k: HUBS, ...heed })
  return {
    vectors: chosen.rows,
    anisotropy: anisotropy(chosen),
    uniformity: uniformity(chosen),
    rankMe: await rankMe(chosen, heed),
    hubness: skewness,
    orphans,
  }
}

const allRows = (data: Dataset): Promise<DatasetRow[]> =>
  data.getMany(Array.from({ length: data.length }, (_, i) => i))

function required<Name extends keyof DatasetRow>(
  data: Dataset,
  row: DatasetRow,
  index: number,
  column: Name,
): NonNullable<DatasetRow[Name]> {
  const value = row[column]
  if (value !== undefined) return value
  throw new PipiloError('INPUT_INVALID', `${data.nameOf(index)} has no ${column}.`, {
    input: index,
    hint: `${data.name} has the columns ${data.columns.join(', ')}.`,
  })
}
