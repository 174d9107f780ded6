// Table of the options of an embedder by what they are about: keys of recipes, of sharing and of notes go by it.
import type { CompileOptions } from '../../runtime/index.ts'
import type { EmbedderOptions } from '../types.ts'

/**
 * `graph`: changes vectors, and the graph that gives them. `inputs`: changes vectors by what is fed. `runtime`: how it runs, not what it
 * gives. `opening`: about the call that opens it.
 */
export type OptionRole = 'graph' | 'inputs' | 'runtime' | 'opening'

/** An option that is missing here does not compile. */
export const optionRoles = {
  tap: 'graph',
  pool: 'graph',
  normalize: 'graph',
  dimensions: 'graph',
  dtype: 'graph',
  calibration: 'graph',
  card: 'graph',
  revision: 'graph',
  strict: 'graph',
  architecture: 'graph',
  prefix: 'graph',
  size: 'graph',
  prompt: 'inputs',
  maxLength: 'inputs',
  chunk: 'inputs',
  inputs: 'inputs',
  batchTokens: 'runtime',
  batchPixels: 'runtime',
  maxWaitingTokens: 'runtime',
  maxWaitingPixels: 'runtime',
  maxPixels: 'runtime',
  allow: 'runtime',
  device: 'runtime',
  isolate: 'runtime',
  runtime: 'runtime',
  modality: 'opening',
  offline: 'opening',
  recheck: 'opening',
  onProgress: 'opening',
  signal: 'opening',
} as const satisfies Record<keyof EmbedderOptions, OptionRole>

/** Options of the runtime; true for those that a kept session depends on. An option that is missing here does not compile. */
export const keptDependsOn = {
  device: true,
  workers: false,
  threads: false,
  cacheDir: false,
  half: false,
  lower: true,
  early: false,
  isolate: false,
  signal: false,
  profile: false,
  persist: false,
} as const satisfies Record<keyof CompileOptions, boolean>

/** Options that say how an embedder runs and how it is opened, not what it is. */
export type RuntimeOptions = Pick<
  EmbedderOptions,
  | 'batchTokens'
  | 'batchPixels'
  | 'maxPixels'
  | 'allow'
  | 'maxWaitingTokens'
  | 'maxWaitingPixels'
  | 'device'
  | 'isolate'
  | 'recheck'
  | 'runtime'
  | 'modality'
  | 'offline'
  | 'onProgress'
  | 'signal'
>
