// How many workers and threads the options ask for, or the machine suggests.
import { availableParallelism } from 'node:os'
import { usualMemory } from '../../base/files/index.ts'
import { checkOption, is, PipiloError } from '../../base/index.ts'
import type { CompileOptions, Isolation } from '../types.ts'
import { defaults } from './defaults.ts'

/** @throws `OPTION_INVALID` */
export function counts(options: CompileOptions): { workers: number; threads: number } {
  const standard = defaults()
  if (options.isolate !== undefined) checkOption('isolate', options.isolate, is.isolation)
  const asked = count('workers', options.workers ?? standard.workers, options.isolate ? 1 : 0)
  const workers = (options.device ?? 'cpu') === 'cpu' ? asked : Math.min(asked, 1)
  return { workers, threads: count('threads', options.threads ?? threadsFor(workers, standard), 1) }
}

/** Bytes that a process of its own may take; undefined where none is asked for. */
export function memoryOf(isolate: Isolation | undefined): number | undefined {
  if (!isolate) return undefined
  return (isolate !== true && isolate.memory) || usualMemory()
}

function threadsFor(workers: number, standard: { workers: number; threads: number }): number {
  return Math.max(1, Math.floor((standard.workers * standard.threads) / Math.max(1, workers)))
}

/** Most workers of a session, and most threads of one: beyond some thousands ONNX Runtime never finishes starting them. */
const most = (): number => Math.max(64, 4 * availableParallelism())

function count(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most()) return value
  const range = `from ${least} to ${most()}`
  throw new PipiloError('OPTION_INVALID', `${name} is ${value}; it has to be an integer ${range}.`, {
    input: name,
    hint: 'More than the machine has processors makes nothing faster; leave it out for what suits the machine.',
  })
}
