/** Logistic regression: the linear probe. */
import { checkCount, PipiloError } from '../../base/index.ts'
import { grad } from '../../grad/index.ts'
import { Builder, type Graph, op } from '../../graph/index.ts'
import { compileStateful, type StatefulSession } from '../../runtime/index.ts'
import { type Matrix, matrixOf, row, type Tensor, type Vector } from '../../tensor/index.ts'
import { splitLabels } from '../../train/index.ts'
import { checkClasses, checkLabelled, checkMatrix, type LabelledVectors } from './labelled.ts'
import { minimize } from './lbfgs.ts'

/** Options of {@link logisticRegression}. */
export interface LogisticRegressionOptions {
  /** Inverse of the regularisation's strength, as scikit-learn's `C`. Default 1. */
  readonly c?: number
  /** Ends when no element of the mean loss's gradient is larger than this. Default 1e-4. */
  readonly tolerance?: number
  /** Rounds at most. Default 1000. */
  readonly iterations?: number
  readonly signal?: AbortSignal
}

/** Options of {@link linearProbe}. */
export interface LinearProbeOptions extends Omit<LogisticRegressionOptions, 'c'> {
  /** Inverse strengths of which one is chosen. Default 0.001, 0.01, …, 1000. */
  readonly strengths?: readonly number[]
  /** Share of each class that is held out for the choice. Default 0.2. */
  readonly heldOut?: number
  /** Default 0. */
  readonly seed?: number
}

/** A linear classifier. */
export interface LinearClassifier {
  /** Labels that occurred, ascending: row `i` of the weights is that of `labels[i]`. */
  readonly labels: readonly number[]
  /** [labels, dimensions] */
  readonly weight: Float64Array
  readonly bias: Float64Array
  readonly dimensions: number
  readonly c: number
  /** True if the gradient became small enough within the rounds. */
  readonly converged: boolean
  /** Labels of vectors. @throws `DIMENSION_MISMATCH` */
  predict(vectors: readonly Vector[] | Matrix): Uint32Array
  /** `[row × labels.length + i]`, of `labels[i]`. @throws `DIMENSION_MISMATCH` */
  probabilities(vectors: readonly Vector[] | Matrix): Float64Array
}

/** See `logisticRegression` in onDemand.ts. */
export async function logisticRegression(
  data: LabelledVectors,
  { c = 1, ...options }: LogisticRegressionOptions = {},
): Promise<LinearClassifier> {
  checkStrength('c', c)
  const problem = await openProblem(data)
  try {
    return await problem.solve(c, options)
  } finally {
    await problem.close()
  }
}

/** See `linearProbe` in onDemand.ts. */
export async function linearProbe(
  data: LabelledVectors,
  {
    strengths = [1e-3, 1e-2, 1e-1, 1, 10, 100, 1000],
    heldOut = 0.2,
    seed = 0,
    ...options
  }: LinearProbeOptions = {},
): Promise<LinearClassifier> {
  for (const c of strengths) checkStrength('strengths', c)
  if (strengths.length === 0) {
    throw new PipiloError('OPTION_INVALID', 'strengths is empty.', { input: 'strengths' })
  }
  const { matrix } = checkLabelled('data', data)
  const parts = splitLabels(data.labels, { validation: heldOut, seed })
  const part = (rows: readonly number[]) => ({
    vectors: matrixOf(rows.map((i) => row(matrix, i))),
    labels: rows.map((i) => data.labels[i]!),
  })
  const [train, test] = [part(parts.train), part(parts.validation)]
  let best: { readonly c: number; readonly right: number } | undefined
  const problem = await openProblem(train)
  try {
    for (const c of strengths.toSorted((a, b) => a - b)) {
      // From the last solution: weights grow as the penalty falls.
      const classifier = await problem.solve(c, options)
      const right = classifier.predict(test.vectors).filter((label, i) => label === test.labels[i]).length
      if (!best || right > best.right) best = { c, right }
    }
  } finally {
    await problem.close()
  }
  return logisticRegression({ vectors: matrix, labels: data.labels }, { ...options, c: best!.c })
}

function checkStrength(name: string, c: number): void {
  if (c > 0 && Number.isFinite(c)) return
  throw new PipiloError('OPTION_INVALID', `${name} holds ${c}; a strength is above 0.`, { input: name })
}

/** The data in a session, in which the problem is solved for several strengths. */
interface Problem {
  solve(c: number, options: Omit<LogisticRegressionOptions, 'c'>): Promise<LinearClassifier>
  close(): Promise<void>
}

async function openProblem(data: LabelledVectors): Promise<Problem> {
  const { matrix } = checkLabelled('data', data)
  checkClasses('data', data.labels)
  const { rows, columns } = matrix
  const labels = [...new Set(Array.from(data.labels))].sort((a, b) => a - b)
  const places = new Map(labels.map((label, place) => [label, BigInt(place)]))
  // Two classes have one row of weights, the second's; the first's logit is 0.
  const outputs = labels.length === 2 ? 1 : labels.length
  const session = await compileStateful(lossGraph(columns, outputs), {
    state: { features: 'features', labels: 'labels' },
  })
  await session.write({
    features: { dtype: 'float64', shape: [rows, columns], data: Float64Array.from(matrix.data) },
    labels: {
      dtype: 'int64',
      shape: [rows, 1],
      data: BigInt64Array.from(Array.from(data.labels), (label) => places.get(label)!),
    },
  })
  const size = outputs * (columns + 1)
  let start = new Float64Array(size)
  return {
    async solve(c, { tolerance = 1e-4, iterations = 1000, signal }) {
      checkCount('iterations', iterations, 1)
      const penalty = 1 / (c * rows)
      const slopeAt = (point: Float64Array) => penalized(session, point, { columns, outputs, penalty })
      const { point, converged } = await minimize(start, slopeAt, { tolerance, iterations, signal })
      start = new Float64Array(point)
      return classifierOf(point, { columns, outputs, labels, c, converged })
    },
    close: () => session.dispose(),
  }
}

/** Mean cross-entropy of `features · weightᵀ + bias`, and its gradients; all in float64. */
function lossGraph(columns: number, outputs: number): Graph {
  const builder = new Builder()
  const features = builder.input('features', 'float64', ['rows', columns])
  const labels = builder.input('labels', 'int64', ['rows', 1])
  const weight = builder.input('weight', 'float64', [outputs, columns])
  const bias = builder.input('bias', 'float64', [outputs])
  const scores = op.add(op.matMul(features, op.transpose(weight, [1, 0])), bias)
  const logits = outputs === 1 ? op.concat([op.mul(scores, 0), scores], 1) : scores
  builder.output('loss', op.neg(op.reduceMean(op.gatherElements(op.logSoftmax(logits, 1), labels, 1))))
  return grad(builder.build(), { of: 'loss', by: ['weight', 'bias'] })
}

interface Sizes {
  readonly columns: number
  readonly outputs: number
}

/** The mean loss with half the squared weights times `penalty`. */
async function penalized(
  session: StatefulSession,
  point: Float64Array,
  { columns, outputs, penalty }: Sizes & { readonly penalty: number },
) {
  const weights = point.subarray(0, outputs * columns)
  const float64 = (shape: number[], data: Float64Array): Tensor => ({
    dtype: 'float64',
    shape,
    data: data.slice(),
  })
  const results = await session.step({
    feeds: {
      weight: float64([outputs, columns], weights),
      bias: float64([outputs], point.subarray(weights.length)),
    },
  })
  const gradient = new Float64Array(point.length)
  gradient.set(results['weight.grad']!.data as Float64Array)
  gradient.set(results['bias.grad']!.data as Float64Array, weights.length)
  let squares = 0
  for (let i = 0; i < weights.length; i++) {
    squares += weights[i]! ** 2
    gradient[i]! += penalty * weights[i]!
  }
  return { value: Number(results['loss']!.data[0]) + (penalty * squares) / 2, gradient }
}

function classifierOf(
  point: Float64Array,
  { columns, outputs, labels, c, converged }: Sizes & Pick<LinearClassifier, 'labels' | 'c' | 'converged'>,
): LinearClassifier {
  const [own, shift] = [point.slice(0, outputs * columns), point.slice(outputs * columns)]
  const isPair = outputs === 1
  const classes = labels.length
  const both = (numbers: Float64Array) =>
    isPair
      ? Float64Array.of(...numbers.map((value) => -value / 2), ...numbers.map((value) => value / 2))
      : numbers
  const [weight, bias] = [both(own), both(shift)]
  const scoresOf = (vectors: readonly Vector[] | Matrix): Float64Array => {
    const matrix = checkMatrix('vectors', vectors)
    if (matrix.columns !== columns && matrix.rows > 0) {
      throw new PipiloError(
        'DIMENSION_MISMATCH',
        `The vectors have ${matrix.columns} numbers; the classifier was fitted to ${columns}.`,
        { input: 'vectors' },
      )
    }
    const scores = new Float64Array(matrix.rows * classes)
    for (let i = 0; i < matrix.rows; i++) {
      for (let label = 0; label < classes; label++) {
        let sum = bias[label]!
        for (let j = 0; j < columns; j++) sum += matrix.data[i * columns + j]! * weight[label * columns + j]!
        scores[i * classes + label] = sum
      }
    }
    return scores
  }
  return {
    labels,
    weight,
    bias,
    dimensions: columns,
    c,
    converged,
    predict(vectors) {
      const scores = scoresOf(vectors)
      return Uint32Array.from({ length: scores.length / classes }, (_, i) => {
        const own = scores.subarray(i * classes, (i + 1) * classes)
        return labels[own.indexOf(own.reduce((most, score) => Math.max(most, score)))]!
      })
    },
    probabilities(vectors) {
      const scores = scoresOf(vectors)
      for (let i = 0; i < scores.length; i += classes) {
        const own = scores.subarray(i, i + classes)
        const most = own.reduce((largest, score) => Math.max(largest, score))
        const sum = own.reduce((total, score) => total + Math.exp(score - most), 0)
        for (let label = 0; label < classes; label++) own[label] = Math.exp(own[label]! - most) / sum
      }
      return scores
    },
  }
}
