// Checks the options of attributions, and fills in their defaults.
import { checkCount, PipiloError } from '../../base/index.ts'
import type { TowerModality } from '../../models/index.ts'
import type { AttributeOptions } from './types.ts'

/** Options with their defaults. */
export interface Settings
  extends Required<Pick<AttributeOptions, 'method' | 'steps' | 'baseline' | 'batch'>>,
    Pick<AttributeOptions, 'runtime' | 'signal'> {}

const methods = ['integrated-gradients', 'gradient'] as const
const baselines = { image: ['blurred', 'mean', 'black'], text: ['padding'] } as const

/** @throws PipiloError `OPTION_INVALID` */
export function checkAttributeOptions(options: AttributeOptions, modality: TowerModality): Settings {
  const { method = methods[0], steps = 32, baseline = baselines[modality][0], batch = 8 } = options
  checkChoice('method', method, methods)
  checkChoice('baseline', baseline, baselines[modality])
  checkCount('steps', steps, 1)
  checkCount('batch', batch, 1)
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
