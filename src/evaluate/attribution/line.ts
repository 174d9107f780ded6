// Shares of a similarity by gradients along the line from a baseline to an input.
import { PipiloError } from '../../base/index.ts'
import type { Graph } from '../../graph/index.ts'
import { compile, type Session } from '../../runtime/index.ts'
import { type Tensor, typedArray } from '../../tensor/index.ts'
import type { Settings } from './checkAttributeOptions.ts'
import { gaussLegendre, type QuadraturePoint } from './quadrature.ts'
import { COSINES, GRADIENT, VARIED } from './similarityGraph.ts'

/** Ends of the line, batches of one of float32, and what the graph's other inputs are fed with. */
export interface Line {
  readonly input: Tensor
  readonly baseline: Tensor
  readonly feeds: Readonly<Record<string, Tensor>>
  /** Rows that the graph takes at a time, where their number is fixed. */
  readonly rows: number | undefined
}

/** A share for each number of the input, and the similarities at both ends. */
interface LineShares {
  readonly shares: Float64Array
  readonly similarity: number
  readonly baseline: number
  readonly difference: number
}

/** Weighted gradients at points of the line, times its direction. The ends are points as well, with no weight: they give the similarities. */
export async function sharesAlongLine(graph: Graph, line: Line, settings: Settings): Promise<LineShares> {
  const inside = settings.method === 'gradient' ? [] : gaussLegendre(settings.steps)
  const ends = [
    { at: 0, weight: 0 },
    { at: 1, weight: inside.length > 0 ? 0 : 1 },
  ]
  const points = [...ends, ...inside]
  const shares = new Float64Array(line.input.data.length)
  const cosines: number[] = []
  const rows = line.rows ?? settings.batch
  const session = await compile(graph, { workers: 1, ...settings.runtime })
  try {
    for (let first = 0; first < points.length; first += rows) {
      const batch = points.slice(first, first + rows)
      cosines.push(...(await addBatch(session, line, batch, line.rows ?? batch.length, shares, settings)))
    }
  } finally {
    await session.dispose()
  }
  const [baseline, similarity] = cosines as [number, number]
  const [from, to] = [numbersOf(line.baseline), numbersOf(line.input)]
  let sum = 0
  for (let i = 0; i < shares.length; i++) {
    shares[i]! *= to[i]! - from[i]!
    sum += shares[i]!
  }
  if (!Number.isFinite(sum) || !Number.isFinite(similarity) || !Number.isFinite(baseline)) {
    throw new PipiloError('RESULT_INVALID', 'A gradient of the similarity is not finite.', {
      hint: 'Choose another baseline.',
    })
  }
  return { shares, similarity, baseline, difference: sum - (similarity - baseline) }
}

/** Adds the weighted gradients of some points; gives their cosines. Rows that a graph takes beyond them are zeros of no weight. */
async function addBatch(
  session: Session,
  line: Line,
  points: readonly QuadraturePoint[],
  rows: number,
  shares: Float64Array,
  { signal }: Settings,
): Promise<number[]> {
  const found = await session.run(feedsOf(session, line, points, rows), [COSINES, GRADIENT], {
    ...(signal && { signal }),
  })
  const gradients = numbersOf(found[GRADIENT]!)
  for (const [row, { weight }] of points.entries()) {
    if (weight === 0) continue
    const start = row * shares.length
    for (let i = 0; i < shares.length; i++) shares[i]! += weight * gradients[start + i]!
  }
  return Array.from(numbersOf(found[COSINES]!).subarray(0, points.length))
}

function feedsOf(
  { inputs }: Session,
  { input, baseline, feeds }: Line,
  points: readonly QuadraturePoint[],
  rows: number,
): Record<string, Tensor> {
  const [from, to] = [numbersOf(baseline), numbersOf(input)]
  const data = new Float32Array(rows * to.length)
  for (const [row, { at }] of points.entries()) {
    const start = row * to.length
    for (let i = 0; i < to.length; i++) data[start + i] = from[i]! + at * (to[i]! - from[i]!)
  }
  const varied: Tensor = { dtype: 'float32', shape: [rows, ...input.shape.slice(1)], data }
  const others = inputs.flatMap(({ name }) =>
    name === VARIED ? [] : [[name, repeated(feeds[name]!, rows)] as const],
  )
  return { ...Object.fromEntries(others), [VARIED]: varied }
}

/** A batch of one, so many times. */
export function repeated({ dtype, shape, data }: Tensor, rows: number): Tensor {
  const whole = typedArray(dtype, data.length * rows)
  const bytes = new Uint8Array(whole.buffer)
  const view = data as typeof whole
  const one = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  for (let row = 0; row < rows; row++) bytes.set(one, row * one.length)
  return { dtype, shape: [rows, ...shape.slice(1)], data: whole }
}

const numbersOf = ({ data }: Tensor): Float32Array => data as Float32Array
