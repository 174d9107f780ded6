// Matrices of doubles and their products, computed on ONNX Runtime.
import { Builder, type Graph, op } from '../graph/index.ts'
import { compile, defaults, type Session } from '../runtime/index.ts'
import type { Matrix, Tensor } from '../tensor/index.ts'

/** A matrix of doubles, row after row. */
export interface Dense {
  readonly rows: number
  readonly columns: number
  readonly data: Float64Array
}

/** A matrix of zeros, or of these numbers. */
export function dense(
  rows: number,
  columns: number,
  data: Float64Array = new Float64Array(rows * columns),
): Dense {
  return { rows, columns, data }
}

/** Rows `from` to `to`, sharing their memory. */
export function rowsOf({ columns, data }: Dense, from: number, to: number): Dense {
  return { rows: to - from, columns, data: data.subarray(from * columns, to * columns) }
}

/** The matrix with rows and columns exchanged. */
export function transposed({ rows, columns, data }: Dense): Dense {
  const out = new Float64Array(data.length)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j]!
  return { rows: columns, columns: rows, data: out }
}

/** Multiplications of one run: the calling thread is blocked for a few hundredths of a second by each. */
const MOST = 5e8

/** The kinds of products. `x` are rows of float32, from which `mean` is subtracted as a double. */
const graphs = {
  multiply: (b: Builder) =>
    op.matMul(b.input('a', 'float64', ['m', 'k']), b.input('b', 'float64', ['k', 'n'])),
  scatter: (b: Builder) => {
    const x = centred(b)
    return op.matMul(op.transpose(x, [1, 0]), x)
  },
  project: (b: Builder) => op.matMul(centred(b), b.input('b', 'float64', ['k', 'n'])),
  twice: (b: Builder) => {
    const x = centred(b)
    return op.matMul(op.transpose(x, [1, 0]), op.matMul(x, b.input('b', 'float64', ['k', 'n'])))
  },
} satisfies Record<string, (builder: Builder) => unknown>

const centred = (b: Builder) =>
  op.sub(op.cast(b.input('x', 'float32', ['m', 'k']), 'float64'), b.input('mean', 'float64', ['k']))

/**
 * Products of matrices in doubles. Each blocks the calling thread; what is long is cut into pieces, with `onPiece` between them.
 *
 * @example
 * ```ts
 * await withProducts((products) => products.multiply(a, b))
 * ```
 */
export class Products {
  readonly #sessions = new Map<string, Promise<Session>>()
  readonly #onPiece: () => Promise<void> | undefined

  constructor(onPiece: () => Promise<void> | undefined) {
    this.#onPiece = onPiece
  }

  /** `a` · `b`. */
  multiply(a: Dense, b: Dense): Promise<Dense> {
    return this.#byRows('multiply', a.rows, a.columns * b.columns, b.columns, (from, to) => ({
      a: tensorOf(rowsOf(a, from, to)),
      b: tensorOf(b),
    }))
  }

  /** `a` · `b`ᵀ; turning `b` here takes less time than a session of its own. */
  multiplyTransposed(a: Dense, b: Dense): Promise<Dense> {
    return this.multiply(a, transposed(b))
  }

  /** (`x` − `mean`) · `b`. */
  project(x: Matrix, mean: Float64Array, b: Dense): Promise<Dense> {
    return this.#byRows('project', x.rows, x.columns * b.columns, b.columns, (from, to) => ({
      ...blockOf(x, mean, from, to),
      b: tensorOf(b),
    }))
  }

  /** (`x` − `mean`)ᵀ · (`x` − `mean`). */
  scatter(x: Matrix, mean: Float64Array): Promise<Dense> {
    const work = x.columns * x.columns
    return this.#summed('scatter', x.rows, work, x.columns, x.columns, (from, to) =>
      blockOf(x, mean, from, to),
    )
  }

  /** (`x` − `mean`)ᵀ · (`x` − `mean`) · `b`, without the matrix in the middle. */
  twice(x: Matrix, mean: Float64Array, b: Dense): Promise<Dense> {
    const work = 2 * x.columns * b.columns
    return this.#summed('twice', x.rows, work, x.columns, b.columns, (from, to) => ({
      ...blockOf(x, mean, from, to),
      b: tensorOf(b),
    }))
  }

  async dispose(): Promise<void> {
    for (const session of this.#sessions.values()) await (await session).dispose()
  }

  /** Pieces of rows, one after the other. */
  async #byRows(
    kind: keyof typeof graphs,
    rows: number,
    work: number,
    columns: number,
    feeds: (from: number, to: number) => Record<string, Tensor>,
  ): Promise<Dense> {
    const whole = dense(rows, columns)
    for await (const [data, from] of this.#pieces(kind, rows, work, feeds))
      whole.data.set(data, from * columns)
    return whole
  }

  /** Sum of what pieces of rows give. */
  async #summed(
    kind: keyof typeof graphs,
    rows: number,
    work: number,
    height: number,
    width: number,
    feeds: (from: number, to: number) => Record<string, Tensor>,
  ): Promise<Dense> {
    const sum = dense(height, width)
    for await (const [data] of this.#pieces(kind, rows, work, feeds))
      for (let i = 0; i < data.length; i++) sum.data[i]! += data[i]!
    return sum
  }

  async *#pieces(
    kind: keyof typeof graphs,
    rows: number,
    work: number,
    feeds: (from: number, to: number) => Record<string, Tensor>,
  ): AsyncGenerator<[Float64Array, number]> {
    if (rows === 0) return
    const session = await this.#session(kind)
    const step = Math.max(1, Math.floor(MOST / Math.max(work, 1)))
    for (let from = 0; from < rows; from += step) {
      await this.#onPiece()
      const { out } = await session.run(feeds(from, Math.min(rows, from + step)))
      yield [out!.data as Float64Array, from]
    }
  }

  #session(kind: keyof typeof graphs): Promise<Session> {
    let session = this.#sessions.get(kind)
    if (!session) {
      const { workers, threads } = defaults()
      session = compile(graphOf(kind), { workers: 0, threads: workers * threads, lower: false })
      this.#sessions.set(kind, session)
    }
    return session
  }
}

/** Runs some work with products, and frees them. */
export async function withProducts<T>(
  work: (products: Products) => Promise<T>,
  onPiece: () => Promise<void> | undefined = () => undefined,
): Promise<T> {
  const products = new Products(onPiece)
  try {
    return await work(products)
  } finally {
    await products.dispose()
  }
}

function graphOf(kind: keyof typeof graphs): Graph {
  const builder = new Builder({ name: kind })
  builder.output('out', graphs[kind](builder))
  return builder.build()
}

const tensorOf = ({ rows, columns, data }: Dense): Tensor => ({
  dtype: 'float64',
  shape: [rows, columns],
  data,
})

const blockOf = ({ columns, data }: Matrix, mean: Float64Array, from: number, to: number) =>
  ({
    x: {
      dtype: 'float32',
      shape: [to - from, columns],
      data: data.subarray(from * columns, to * columns),
    },
    mean: { dtype: 'float64', shape: [columns], data: mean },
  }) satisfies Record<string, Tensor>
