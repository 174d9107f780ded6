/** Checks of the options of training steps. */
import { closest, PipiloError } from '../../base/index.ts'
import { type AverageOptions, type OptimizeOptions, type Optimizer, settings } from './options.ts'
import type { Schedule } from './schedules.ts'

/** A range of numbers, and its words in an error. */
interface Range {
  readonly holds: (value: number) => boolean
  readonly words: string
}

const notNegative: Range = { holds: (value) => value >= 0, words: 'a number from 0' }
const positive: Range = { holds: (value) => value > 0, words: 'a number above 0' }
const below1: Range = { holds: (value) => value >= 0 && value < 1, words: 'a number from 0 and below 1' }
const share: Range = { holds: (value) => value >= 0 && value <= 1, words: 'a number from 0 to 1' }
const whole: Range = {
  holds: (value) => Number.isSafeInteger(value) && value >= 0,
  words: 'a whole number from 0',
}
const count: Range = {
  holds: (value) => Number.isSafeInteger(value) && value >= 1,
  words: 'a whole number from 1',
}

const ranges: Readonly<Record<string, Range>> = {
  lr: notNegative,
  momentum: notNegative,
  dampening: share,
  weightDecay: notNegative,
  eps: notNegative,
  trustCoefficient: positive,
}

/** The courses of the rate, with the names of their settings. */
const schedules: ReadonlyMap<string, readonly string[]> = new Map([
  ['constant', []],
  ['linear', ['steps', 'end']],
  ['cosine', ['steps', 'end', 'cycles']],
  ['step', ['stepSize', 'gamma']],
])

const courses: Readonly<Record<string, Range>> = {
  warmup: whole,
  warmupFrom: share,
  steps: count,
  end: share,
  cycles: positive,
  stepSize: count,
  gamma: positive,
}

const names: readonly (keyof OptimizeOptions)[] = [
  'optimizer',
  'schedule',
  'clip',
  'groups',
  'accumulate',
  'average',
  'limits',
  'sparse',
]

/** @throws PipiloError `OPTION_INVALID`, with the option's name as `input` */
export function checkOptions(options: OptimizeOptions): void {
  checkKnown('options', options, names)
  checkOptimizer(options.optimizer)
  if (options.schedule) checkSchedule('schedule', options.schedule)
  const { clip, accumulate, average, groups = [] } = options
  if (clip !== undefined) check('clip', clip, positive)
  if (accumulate !== undefined) check('accumulate', accumulate, count)
  if (average) checkAverages(average)
  for (const [index, group] of groups.entries()) {
    const path = `groups[${index}]`
    checkKnown(path, group, ['names', 'lrScale', 'weightDecay'])
    if (!(group.names instanceof RegExp)) throw invalid(`${path}.names`, group.names, 'a RegExp')
    if (group.lrScale !== undefined) check(`${path}.lrScale`, group.lrScale, notNegative)
    if (group.weightDecay !== undefined) check(`${path}.weightDecay`, group.weightDecay, notNegative)
  }
  if (options.optimizer.kind === 'lars') checkDecayed(options)
  if (options.sparse && options.accumulate !== undefined && options.accumulate > 1) {
    throw new PipiloError(
      'OPTION_INVALID',
      'sparse and accumulate do not go together: each micro-batch reads other rows.',
      {
        input: 'sparse',
        hint: 'Leave one of them out.',
      },
    )
  }
}

function checkOptimizer(optimizer: Optimizer): void {
  checkKind('optimizer', optimizer, settings)
  checkKnown('optimizer', optimizer, settings.get(optimizer.kind)!)
  for (const [name, value] of Object.entries(optimizer)) {
    if (ranges[name]) check(`optimizer.${name}`, value, ranges[name])
  }
  if ('betas' in optimizer) {
    const betas: unknown = optimizer.betas
    if (!Array.isArray(betas) || betas.length !== 2) throw invalid('optimizer.betas', betas, 'two numbers')
    for (const [index, beta] of betas.entries()) check(`optimizer.betas[${index}]`, beta, below1)
  }
  for (const name of ['nesterov', 'amsgrad']) {
    const value = Object.entries(optimizer).find(([key]) => key === name)?.[1]
    if (value !== undefined && typeof value !== 'boolean')
      throw invalid(`optimizer.${name}`, value, 'true or false')
  }
  if (!('nesterov' in optimizer) || !optimizer.nesterov) return
  if (optimizer.momentum && !optimizer.dampening) return
  throw new PipiloError('OPTION_INVALID', 'optimizer.nesterov needs a momentum above 0 and no dampening.', {
    input: 'optimizer.nesterov',
  })
}

/** LARS scales what has a decay, and is plain SGD for the rest. */
function checkDecayed({ optimizer, groups = [] }: OptimizeOptions): void {
  if (optimizer.weightDecay || groups.some(({ weightDecay }) => weightDecay)) return
  throw new PipiloError(
    'OPTION_INVALID',
    'LARS without weightDecay is plain SGD: it scales only what has a decay.',
    {
      input: 'optimizer.weightDecay',
      hint: 'Papers take 1e-6 to 1e-4.',
    },
  )
}

function checkAverages(average: AverageOptions | readonly AverageOptions[]): void {
  const all = [average].flat() as readonly AverageOptions[]
  const prefixes = new Set<string>()
  for (const one of all) {
    checkKnown('average', one, ['decay', 'finalDecay', 'schedule', 'warmup', 'prefix', 'names'])
    check('average.decay', one.decay, share)
    if (one.finalDecay !== undefined) check('average.finalDecay', one.finalDecay, share)
    if ((one.finalDecay === undefined) !== (one.schedule === undefined)) {
      throw new PipiloError('OPTION_INVALID', 'A decay that changes needs both finalDecay and schedule.', {
        input: `average.${one.schedule ? 'finalDecay' : 'schedule'}`,
      })
    }
    if (one.schedule) checkSchedule('average.schedule', one.schedule)
    const prefix = one.prefix ?? 'ema.'
    if (prefix === '' || prefixes.has(prefix)) {
      throw invalid('average.prefix', JSON.stringify(prefix), 'a word of its own for each average')
    }
    prefixes.add(prefix)
  }
}

function checkSchedule(path: string, schedule: Schedule): void {
  checkKind(path, schedule, schedules)
  const own = schedules.get(schedule.kind)!
  checkKnown(path, schedule, ['kind', 'warmup', 'warmupFrom', ...own])
  for (const name of own.slice(0, 1)) checkGiven(path, schedule, name)
  for (const [name, value] of Object.entries(schedule)) {
    if (courses[name]) check(`${path}.${name}`, value, courses[name])
  }
  if (!('steps' in schedule) || (schedule.warmup ?? 0) < schedule.steps) return
  throw new PipiloError(
    'OPTION_INVALID',
    `${path}.warmup is ${schedule.warmup}, no shorter than the whole schedule of ${schedule.steps} steps.`,
    { input: `${path}.warmup`, hint: 'steps counts the warm-up in.' },
  )
}

function checkKind(
  path: string,
  value: { readonly kind: string },
  kinds: ReadonlyMap<string, unknown>,
): void {
  if (value && kinds.has(value.kind)) return
  throw invalid(`${path}.kind`, value?.kind, `one of ${[...kinds.keys()].join(', ')}`)
}

function checkGiven(path: string, value: object, name: string): void {
  if (name in value) return
  throw new PipiloError('OPTION_INVALID', `${path} needs ${name}.`, { input: `${path}.${name}` })
}

function checkKnown(path: string, value: object, known: readonly string[]): void {
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue
    const near = closest(name, known)
    throw new PipiloError('OPTION_INVALID', `${path} has no ${name}.`, {
      input: `${path}.${name}`,
      hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `There are ${known.join(', ')}.`,
    })
  }
}

function check(path: string, value: unknown, range: Range): void {
  if (typeof value === 'number' && Number.isFinite(value) && range.holds(value)) return
  throw invalid(path, value, range.words)
}

function invalid(path: string, value: unknown, wanted: string): PipiloError {
  return new PipiloError('OPTION_INVALID', `${path} is ${String(value)}; it has to be ${wanted}.`, {
    input: path,
  })
}
