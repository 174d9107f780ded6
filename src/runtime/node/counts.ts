// How many workers and threads the options ask for, or the machine suggests.
import { PipiloError } from '../../base/index.ts'
import type { CompileOptions } from '../types.ts'
import { defaults } from './defaults.ts'

/** @throws `OPTION_INVALID` */
export function counts(options: CompileOptions): { workers: number; threads: number } {
  const standard = defaults()
  const asked = count('workers', options.workers ?? standard.workers, 0)
  const workers = (options.device ?? 'cpu') === 'cpu' ? asked : Math.min(asked, 1)
  return { workers, threads: count('threads', options.threads ?? threadsFor(workers, standard), 1) }
}

function threadsFor(workers: number, standard: { workers: number; threads: number }): number {
  return Math.max(1, Math.floor((standard.workers * standard.threads) / Math.max(1, workers)))
}

function count(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new PipiloError('OPTION_INVALID', `${name} is ${value}; it has to be an integer from ${least}.`, {
    input: name,
  })
}
