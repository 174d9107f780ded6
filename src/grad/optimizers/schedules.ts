/** Schedules of the learning rate: each a formula of the step, worked out on numbers or on a graph's values. */
import { type Builder, op, type Value } from '../../graph/index.ts'

/** Linear rise at the beginning of a {@link Schedule}. */
interface WarmUp {
  /** Steps until the full rate. Default 0. */
  readonly warmup?: number
  /** Factor of the very first step. Default 0, as in transformers; PyTorch's `LinearLR` begins with 1/3. */
  readonly warmupFrom?: number
}

/**
 * The course of the learning rate, as a factor of `lr`.
 *
 * @example
 * ```ts
 * { kind: 'cosine', steps: 10_000, warmup: 500 }
 * ```
 *
 * @remarks
 * Steps are changes of the weights, the first is 0, and `steps` counts the warm-up in. After `steps` the rate stays where it is.
 *
 * - `constant`: 1. PyTorch's `ConstantLR` of factor 1, transformers' `get_constant_schedule_with_warmup`.
 * - `linear`: down to `end`. transformers' `get_linear_schedule_with_warmup`.
 * - `cosine`: down to `end` along a half wave (`cycles: 0.5`). transformers' `get_cosine_schedule_with_warmup`, PyTorch's
 *   `CosineAnnealingLR` with `eta_min = end · lr`; https://arxiv.org/abs/1608.03983.
 * - `step`: times `gamma` after every `stepSize` steps, counted from the end of the warm-up. PyTorch's `StepLR`.
 */
export type Schedule = WarmUp &
  (
    | { readonly kind: 'constant' }
    | { readonly kind: 'linear'; readonly steps: number; readonly end?: number }
    | { readonly kind: 'cosine'; readonly steps: number; readonly end?: number; readonly cycles?: number }
    | { readonly kind: 'step'; readonly stepSize: number; readonly gamma?: number }
  )

/** The operations that a schedule's formula is made of. */
interface Arithmetic<T> {
  of(value: number): T
  add(a: T, b: T): T
  mul(a: T, b: T): T
  div(a: T, b: T): T
  power(a: T, b: T): T
  min(a: T, b: T): T
  max(a: T, b: T): T
  floor(a: T): T
  cos(a: T): T
  /** `a < b ? yes : no` */
  ifLess(a: T, b: T, yes: T, no: T): T
}

const numbers: Arithmetic<number> = {
  of: (value) => value,
  add: (a, b) => a + b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  power: (a, b) => a ** b,
  min: Math.min,
  max: Math.max,
  floor: Math.floor,
  cos: Math.cos,
  ifLess: (a, b, yes, no) => (a < b ? yes : no),
}

function nodes(builder: Builder): Arithmetic<Value> {
  return {
    of: (value) => builder.constant(value, 'float64'),
    add: op.add,
    mul: op.mul,
    div: op.div,
    power: op.pow,
    min: op.min,
    max: op.max,
    floor: op.floor,
    cos: op.cos,
    ifLess: (a, b, yes, no) => op.where(op.less(a, b), yes, no),
  }
}

/**
 * The factor of the learning rate at a step, on numbers.
 *
 * @example
 * ```ts
 * rateAt({ kind: 'cosine', steps: 100, warmup: 10 }, 55) // 0.5
 * ```
 *
 * @param step changes of the weights so far; the first step is 0
 */
export function rateAt(schedule: Schedule, step: number): number {
  return formula(numbers, schedule, step)
}

/** The factor of the learning rate as a value of a graph. @param step float64 scalar: changes of the weights so far */
export function rateValue(schedule: Schedule, step: Value): Value {
  return formula(nodes(step.builder), schedule, step)
}

function formula<T>(of: Arithmetic<T>, schedule: Schedule, step: T): T {
  const { warmup = 0, warmupFrom = 0 } = schedule
  if (warmup === 0) return afterWarmUp(of, schedule, step)
  const rise = of.mul(of.div(step, of.of(warmup)), of.of(1 - warmupFrom))
  const later = of.max(of.add(step, of.of(-warmup)), of.of(0))
  return of.ifLess(step, of.of(warmup), of.add(of.of(warmupFrom), rise), afterWarmUp(of, schedule, later))
}

/** @param step counted from the end of the warm-up */
function afterWarmUp<T>(of: Arithmetic<T>, schedule: Schedule, step: T): T {
  if (schedule.kind === 'constant') return of.of(1)
  if (schedule.kind === 'step') {
    const { stepSize, gamma = 0.1 } = schedule
    return of.power(of.of(gamma), of.floor(of.div(step, of.of(stepSize))))
  }
  const { steps, warmup = 0, end = 0 } = schedule
  const progress = of.min(of.div(step, of.of(steps - warmup)), of.of(1))
  return of.add(of.of(end), of.mul(of.of(1 - end), left(of, schedule, progress)))
}

/** The share of the way from `end` to 1 that is left. */
function left<T>(
  of: Arithmetic<T>,
  schedule: Schedule & { readonly kind: 'linear' | 'cosine' },
  progress: T,
): T {
  if (schedule.kind === 'linear') return of.add(of.of(1), of.mul(of.of(-1), progress))
  const { cycles = 0.5 } = schedule
  const wave = of.cos(of.mul(progress, of.of(2 * Math.PI * cycles)))
  return of.max(of.of(0), of.mul(of.of(0.5), of.add(of.of(1), wave)))
}
