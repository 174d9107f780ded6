// Types of the options of sessions.
import { is, type OptionTable } from '../base/index.ts'
import { devices } from './node/deviceNames.ts'
import type { CompileOptions } from './types.ts'

/** Types of {@link CompileOptions}. */
export const compileOptionTypes: OptionTable<CompileOptions> = {
  device: is.oneOf(devices),
  half: is.flag,
  workers: is.count(0),
  threads: is.count(1),
  cacheDir: is.name,
  lower: is.flag,
  early: is.flag,
  profile: is.name,
  persist: is.flag,
  isolate: is.isolation,
  signal: is.abortSignal,
}
