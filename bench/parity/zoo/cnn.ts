/**
 * The convolutional networks of timm and torchvision, here and there: every parameter and every buffer drawn at random, logits,
 * features, the layer below the head and every stage compared (cosine at least 0.9999, error at most 1e-4 of the largest
 * deviation from the mean).
 *
 *     PYTHON=venv/bin/python nice -n 19 npx tsx bench/parity/zoo/cnn.ts [pattern…]
 *
 * PYTHON is one with torch, timm, torchvision and safetensors. Models come and go one at a time. A line of JSON for each is appended to
 * /tmp/pipilo-zoo-cnn.jsonl (LOG); models that agree there are not run again. Models of more than 100 million parameters
 * (MAXIMUM, in millions) must agree in the names and shapes of all tensors, and ConvNeXts also in numbers at less depth.
 * The report is written beside this file.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { cut, type Initializer, resolveLayer } from '../../../src/graph/index.ts'
import { readSafetensors } from '../../../src/models/index.ts'
import { findCnn } from '../../../src/nn/cnnArchitectures.ts'
import type { BuiltModel } from '../../../src/nn/index.ts'
import { compile } from '../../../src/runtime/index.ts'
import type { FileTensor, Tensor } from '../../../src/tensor/index.ts'

interface Model {
  readonly name: string
  readonly source: 'timm' | 'torchvision'
  readonly family: string
  readonly pretrained: readonly string[]
}

interface Outcome extends Model {
  readonly ok: boolean
  readonly parameters?: number
  /** Names and shapes only. */
  readonly shapesOnly?: boolean
  /** What was changed to make it smaller. */
  readonly changes?: Changes
  readonly cosine?: number
  readonly error?: number
  readonly outputs?: number
  readonly failure?: string
}

type Changes = Readonly<Record<string, unknown>>

interface Reference {
  readonly error?: string
  readonly parameters: number
  readonly stages: readonly (readonly [name: string, stride: number, channels: number])[]
}

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const LOG = process.env.LOG ?? '/tmp/pipilo-zoo-cnn.jsonl'
const MAXIMUM = Number(process.env.MAXIMUM ?? 100) * 1e6
const key = ({ name, source }: Model) => `${source}/${name}`

/** The Python process; one answer a question, in order. */
class Peer {
  readonly #process: ChildProcess
  readonly #waiting: ((answer: string) => void)[] = []

  constructor() {
    const [python, script] = [process.env.PYTHON ?? 'python3', here('cnn.py')]
    this.#process = spawn('nice', ['-n', '19', python, script], { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: this.#process.stdout! }).on('line', (line) => this.#waiting.shift()?.(line))
  }

  ask<T>(question: unknown): Promise<T> {
    const answer = new Promise<string>((resolve) => this.#waiting.push(resolve))
    this.#process.stdin!.write(`${JSON.stringify(question)}\n`)
    return answer.then((line) => JSON.parse(line) as T)
  }

  end(): void {
    this.#process.stdin!.end()
  }
}

/** Small pictures, larger where a network asks for them. */
function sizeOf({ name, source }: Model): number {
  if (name.startsWith('vgg') || name === 'alexnet') return source === 'timm' ? 224 : 192
  return name.includes('efficientnet') || name.includes('mixnet') ? 100 : 96
}

/** Arguments that make a large network shallow. */
function shallower({ name, source }: Model): Changes | undefined {
  return name.startsWith('convnext') && source === 'timm' ? { depths: [1, 1, 2, 1] } : undefined
}

async function compare(
  model: Model,
  reference: Reference,
  folder: string,
  size: number,
  changes: Changes,
): Promise<Outcome> {
  const { tensors } = await readSafetensors(join(folder, 'model.safetensors'))
  const built = findCnn(model.name, changes)!(tensors, { size: [size, size] })
  if (built.unused.length > 0) throw new Error(`unused: ${built.unused.slice(0, 5).join(', ')}`)
  const values = (await readSafetensors(join(folder, 'values.safetensors'))).tensors
  const places = placesOf(built, reference, values)
  const graph = cut(built.graph, [...new Set(places.values())], { keepInputs: true })
  const session = await compile(graph, { workers: 0, threads: 1, cacheDir: join(folder, 'cache') })
  try {
    const results = await session.run({ pixel_values: inMemory(values.get('input')!) })
    let [cosine, error] = [1, 0]
    for (const [name, place] of places) {
      const [actual, expected] = [results[place]!, inMemory(values.get(name)!)]
      const distance = distanceOf(actual, expected)
      if (!(distance.cosine >= 0.9999 && distance.error <= 1e-4)) {
        throw new Error(
          `${name} (${place}): cosine ${distance.cosine}, error ${distance.error}, [${actual.shape}] for [${expected.shape}]`,
        )
      }
      cosine = Math.min(cosine, distance.cosine)
      error = Math.max(error, distance.error)
    }
    return { ...model, ok: true, parameters: reference.parameters, cosine, error, outputs: places.size }
  } finally {
    await session.dispose()
  }
}

/** Where the graph has what the reference computed. */
function placesOf(
  built: BuiltModel,
  { stages }: Reference,
  values: ReadonlyMap<string, unknown>,
): Map<string, string> {
  const places = new Map([['logits', 'logits']])
  if (values.has('features')) places.set('features', built.features!)
  if (values.has('embedding')) places.set('embedding', built.penultimate!)
  if (stages.length === 0) return places
  const own = built.stages!.map(({ name, stride, channels }) => [name, stride, channels])
  if (JSON.stringify(own) !== JSON.stringify(stages)) {
    throw new Error(`stages ${JSON.stringify(own)} for ${JSON.stringify(stages)}`)
  }
  for (const [i, [name]] of stages.entries()) places.set(`stage.${i}`, resolveLayer(built.graph, name))
  return places
}

function inMemory({ shape, file }: FileTensor): Tensor {
  const bytes = readFileSync(file.path).subarray(file.offset, file.offset + file.length)
  return { dtype: 'float32', shape, data: new Float32Array(Uint8Array.from(bytes).buffer) }
}

/** Cosine, and the largest difference over the largest deviation from the mean. */
function distanceOf(actual: Tensor, expected: Tensor): { cosine: number; error: number } {
  const none = { cosine: Number.NaN, error: Number.NaN }
  if (`${actual.shape}` !== `${expected.shape}`) return none
  const [a, b] = [actual.data as Float32Array, expected.data as Float32Array]
  const mean = b.reduce((sum, value) => sum + value, 0) / b.length
  let [product, aa, bb, difference, deviation] = [0, 0, 0, 0, 0]
  for (let i = 0; i < b.length; i++) {
    const [x, y] = [a[i]!, b[i]!]
    if (!Number.isFinite(x)) return none
    product += x * y
    aa += x * x
    bb += y * y
    difference = Math.max(difference, Math.abs(x - y))
    deviation = Math.max(deviation, Math.abs(y - mean))
  }
  return { cosine: product / Math.sqrt(aa * bb), error: difference / deviation }
}

/** Whether the architecture asks for just the tensors that the model has. Nothing is computed. */
function compareShapes(model: Model, shapes: Readonly<Record<string, readonly number[]>>): void {
  const file = { path: '/nowhere', offset: 0, length: 0 }
  const tensors = new Map<string, Initializer>(
    Object.entries(shapes).map(([name, shape]) => [name, { dtype: 'float32', shape, file }]),
  )
  const { unused } = findCnn(model.name)!(tensors)
  if (unused.length > 0) throw new Error(`unused: ${unused.slice(0, 5).join(', ')}`)
}

async function check(peer: Peer, model: Model): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'pipilo-zoo-'))
  try {
    if (!findCnn(model.name)) throw new Error('unknown')
    const { name, source } = model
    const whole = await peer.ask<{
      error?: string
      shapes: Record<string, number[]>
      parameters: number
    }>({ name, source, shapes: true })
    if (whole.error) throw new Error(`reference: ${whole.error}`)
    compareShapes(model, whole.shapes)
    const changes = whole.parameters > MAXIMUM ? shallower(model) : {}
    if (!changes) return { ...model, ok: true, shapesOnly: true, parameters: whole.parameters }
    const size = sizeOf(model)
    const reference = await peer.ask<Reference>({ name, source, size, folder, changes })
    if (reference.error) throw new Error(`reference: ${reference.error}`)
    const outcome = await compare(model, reference, folder, size, changes)
    const reduced = Object.keys(changes).length > 0 ? { changes } : {}
    return { ...outcome, parameters: whole.parameters, ...reduced }
  } catch (error) {
    return { ...model, ok: false, failure: (error as Error).message.slice(0, 400) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function report(all: readonly Model[], outcomes: ReadonlyMap<string, Outcome>, versions: object): void {
  const families = new Map<string, Model[]>()
  for (const model of all) {
    const family = `${model.source}: ${model.family}`
    families.set(family, [...(families.get(family) ?? []), model])
  }
  const rows = [...families].map(([family, models]) => {
    const done = models.map((model) => outcomes.get(key(model)))
    const agree = done.filter((outcome) => outcome?.ok && !outcome.shapesOnly)
    const shapes = done.filter((outcome) => outcome?.ok && outcome.shapesOnly)
    const covered = [...agree, ...shapes].flatMap((outcome) => outcome!.pretrained)
    return {
      family,
      models: models.length,
      agree: agree.length,
      shapesOnly: shapes.length,
      pretrained: covered.length,
      largestError: Math.max(0, ...agree.map((outcome) => outcome!.error ?? 0)),
      leastCosine: Math.min(1, ...agree.map((outcome) => outcome!.cosine ?? 1)),
      failures: done.flatMap((outcome) =>
        outcome && !outcome.ok ? [{ name: outcome.name, failure: outcome.failure }] : [],
      ),
    }
  })
  const sum = (field: 'models' | 'agree' | 'shapesOnly' | 'pretrained') =>
    rows.reduce((total, row) => total + row[field], 0)
  const total = {
    models: sum('models'),
    agree: sum('agree'),
    shapesOnly: sum('shapesOnly'),
    pretrained: sum('pretrained'),
  }
  const results = all.flatMap((model) => outcomes.get(key(model)) ?? [])
  writeFileSync(
    here('report-cnn.json'),
    `${JSON.stringify({ ...versions, total, families: rows, models: results }, null, 1)}\n`,
  )
  const line = (cells: readonly unknown[]) => `| ${cells.join(' | ')} |`
  const table = [
    line([
      'family',
      'architectures',
      'agree',
      'names and shapes agree (over the limit)',
      'pretrained names',
      'largest error',
    ]),
    line(['---', '---', '---', '---', '---', '---']),
    ...rows.map((row) =>
      line([
        row.family,
        row.models,
        row.agree,
        row.shapesOnly,
        row.pretrained,
        row.largestError.toExponential(1),
      ]),
    ),
    line(['all', total.models, total.agree, total.shapesOnly, total.pretrained, '']),
  ]
  const failures = rows.flatMap((row) =>
    row.failures.map(({ name, failure }) => `- ${row.family}, ${name}: ${failure}`),
  )
  const text = [
    ...table,
    '',
    failures.length > 0 ? `Failures:\n\n${failures.join('\n')}` : 'No failures.',
    '',
  ].join('\n')
  writeFileSync(here('report-cnn.md'), text)
  console.log(text)
}

const peer = new Peer()
const { models, ...versions } = await peer.ask<{ models: Model[] }>({ list: true })
const outcomes = new Map<string, Outcome>()
for (const line of existsSync(LOG) ? readFileSync(LOG, 'utf8').split('\n').filter(Boolean) : []) {
  const outcome = JSON.parse(line) as Outcome
  outcomes.set(key(outcome), outcome)
}
const patterns = process.argv.slice(2).map((pattern) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`))
for (const model of models) {
  if (patterns.length > 0 && !patterns.some((p) => p.test(model.name) || p.test(key(model)))) continue
  const before = outcomes.get(key(model))
  if (before?.ok && !((before.shapesOnly || before.changes) && before.parameters! <= MAXIMUM)) continue
  const started = Date.now()
  const outcome = await check(peer, model)
  outcomes.set(key(model), outcome)
  appendFileSync(LOG, `${JSON.stringify(outcome)}\n`)
  const { ok, error, failure, shapesOnly } = outcome
  const word = ok ? (shapesOnly ? 'shapes agree' : `agrees ${error!.toExponential(1)}`) : `FAILS ${failure}`
  console.log(`${key(model)}: ${word} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
}
peer.end()
report(models, outcomes, versions)
