// Checks the options of attributions, and fills in their defaults.
import { PipiloError } from '../../base/index.ts'
import type { InputModality } from '../../models/index.ts'
import type { AttributeOptions } from './types.ts'

/** Options with their defaults. */
export interface Settings
  extends Required<Pick<AttributeOptions, 'method' | 'steps' | 'baseline' | 'batch'>>,
    Pick<AttributeOptions, 'runtime' | 'signal'> {}

const methods = ['integrated-gradients', 'gradient'] as const
const baselines = { image: ['blurred', 'mean', 'black'], text: ['padding'] } as const

/** @throws PipiloError `OPTION_INVALID` */
export function checkAttributeOptions(options: AttributeOptions, modality: InputModality): Settings {
  const { method = methods[0], steps = 32, baseline = baselines[modality][0], batch = 8 } = options
  checkChoice('method', method, methods)
  checkChoice('baseline', baseline, baselines[modality])
  checkCount('steps', steps)
  checkCount('batch', batch)
  const { runtime, signal } = options
  return { method, steps, baseline, batch, ...(runtime && { runtime }), ...(signal && { signal }) }
}

function checkChoice(name: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return
  const list = choices.join(', ')
  throw new PipiloError('OPTION_INVALID', `${name} is '${value}'; here it has to be one of ${list}.`, {
    input: name,
  })
}

function checkCount(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value > 0) return
  throw new PipiloError('OPTION_INVALID', `${name} is ${value}; it has to be a whole number from 1.`, {
    input: name,
  })
}
