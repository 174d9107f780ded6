// Types of the options of reducers' methods.
import { is, type OptionTable } from '../base/index.ts'
import type { AppendOptions, TransformOptions } from './types.ts'

export const transform: OptionTable<TransformOptions> = {
  onError: is.oneOf(['throw', 'skip']),
  signal: is.abortSignal,
}

export const append: OptionTable<AppendOptions> = { name: is.name, normalize: is.flag }
