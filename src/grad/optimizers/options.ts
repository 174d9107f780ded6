/** Options of training steps, and their defaults. */
import type { Schedule } from './schedules.ts'

/** Gradient descent as `torch.optim.SGD`. */
export interface Sgd {
  readonly kind: 'sgd'
  /** Learning rate. Default 0.001. */
  readonly lr?: number
  /** Default 0. */
  readonly momentum?: number
  /** Share of the gradient that the momentum does not take, from the second step on. Default 0. */
  readonly dampening?: number
  /** Added to the gradient, times the weight. Default 0. */
  readonly weightDecay?: number
  /** Default `false`. */
  readonly nesterov?: boolean
}

/** Adam (https://arxiv.org/abs/1412.6980) as `torch.optim.Adam`, and with decoupled decay (https://arxiv.org/abs/1711.05101) as `AdamW`. */
export interface Adam {
  readonly kind: 'adam' | 'adamw'
  /** Learning rate. Default 0.001. */
  readonly lr?: number
  /** Default `[0.9, 0.999]`. */
  readonly betas?: readonly [number, number]
  /** Default 1e-8. */
  readonly eps?: number
  /** `adam` adds it to the gradient, default 0; `adamw` shrinks the weight by `lr` times it, default 0.01. */
  readonly weightDecay?: number
  /** Divide by the largest second moment so far (https://openreview.net/forum?id=ryQu7f-RZ). Default `false`. */
  readonly amsgrad?: boolean
}

/**
 * Layer-wise scaling of the rate (https://arxiv.org/abs/1708.03888) as in lightly and timm: it is for weights that have a decay; those of
 * a group with `weightDecay: 0` (biases and norms) take plain SGD.
 */
export interface Lars extends Omit<Sgd, 'kind'> {
  readonly kind: 'lars'
  /** Default 1. */
  readonly lr?: number
  /** Default 0.001. */
  readonly trustCoefficient?: number
  /** Default 1e-8. */
  readonly eps?: number
}

export type Optimizer = Sgd | Adam | Lars

/** Settings of the weights whose name the pattern matches. */
export interface WeightGroup {
  /** Matched against the weight's whole name, anywhere in it. */
  readonly names: RegExp
  /** Factor of the learning rate. Default 1. */
  readonly lrScale?: number
  /** In place of the optimiser's. */
  readonly weightDecay?: number
}

/** An embedding table of which a step changes only the rows that it has read. */
export interface SparseTable {
  /** Name of the integers by which the table was gathered, in any shape. */
  readonly indices: string
  /** Name of the gradient by the gathered rows: the shape of the indices, then the table's columns. */
  readonly gradient: string
}

/** An exponential moving average of weights: after each change `average + (1 - decay) · (weight - average)`. */
export interface AverageOptions {
  /** Share of the average that stays, as timm's 0.9999; at the beginning, where it has a course. */
  readonly decay: number
  /** At the end of `schedule`. Default: as at the beginning. */
  readonly finalDecay?: number
  /** Course from `decay` to `finalDecay`: where this schedule would take a rate from 1 to 0. BYOL: `{ kind: 'cosine', steps }`. */
  readonly schedule?: Schedule
  /**
   * Begin with a short memory: the decay is at most `(1 + t) / (10 + t)` at change t, counted from 0, as in TensorFlow's
   * `ExponentialMovingAverage`. Default `false`.
   */
  readonly warmup?: boolean
  /** Before the names of the averages. Default `ema.`. */
  readonly prefix?: string
  /** Weights and buffers that are averaged. Default: all weights that are trained, and the floating-point buffers that the graph updates. */
  readonly names?: readonly string[]
}

/** Options of `optimize`. */
export interface OptimizeOptions {
  readonly optimizer: Optimizer
  /** Course of the learning rate. Default: constant. */
  readonly schedule?: Schedule
  /** Largest norm of all gradients together; longer ones are shortened to it. Default: none. */
  readonly clip?: number
  /** Settings by name; the first that matches counts. */
  readonly groups?: readonly WeightGroup[]
  /** Micro-batches of which the mean gradient makes one step. Default 1. */
  readonly accumulate?: number
  /** Keep exponential moving averages of the weights. Default: none. */
  readonly average?: AverageOptions | readonly AverageOptions[]
  /** Largest values of weights, to which each change cuts them back: CLIP's temperature. */
  readonly limits?: Readonly<Record<string, number>>
  /** Tables of which only the rows that were read are changed, by SparseAdam's rule: for `adam` and `adamw`, without decay. */
  readonly sparse?: Readonly<Record<string, SparseTable>>
}

const descent = { momentum: 0, dampening: 0, weightDecay: 0, nesterov: false }
const moments = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, amsgrad: false } as const

const defaults = {
  sgd: { lr: 1e-3, ...descent },
  adam: { ...moments, weightDecay: 0 },
  adamw: { ...moments, weightDecay: 0.01 },
  lars: { lr: 1, ...descent, trustCoefficient: 1e-3, eps: 1e-8 },
} as const

/** Names of the settings of each optimiser. */
export const settings: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(defaults).map(([kind, values]) => [kind, ['kind', ...Object.keys(values)]]),
)

/** The optimiser with its defaults. */
export function complete(optimizer: Optimizer): Required<Optimizer> {
  if (optimizer.kind === 'sgd') return { ...defaults.sgd, ...optimizer }
  if (optimizer.kind === 'lars') return { ...defaults.lars, ...optimizer }
  return { ...defaults[optimizer.kind], ...optimizer }
}
