// Options that hold several values, and the models and layers that they name.
import { usageError } from './command.ts'
import type { ModelValues } from './modelOptions.ts'

/** The values of an option, between separators. */
export const listOf = (value: string, separator: ',' | ';'): string[] =>
  value
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== '')

/** The options of each model (`--model a,b`) with each tap (`--tap 'x; y'`). @param usual model where none is named */
export function modelsAndTaps<V extends ModelValues>(args: V, usual: string): (V & { model: string })[] {
  const models = listOf(args.model ?? usual, ',')
  const taps = args.tap === undefined ? [undefined] : listOf(args.tap, ';')
  if (models.length === 0 || taps.length === 0) throw usageError('--model and --tap name at least one each.')
  return models.flatMap((model) => taps.map((tap) => ({ ...args, model, ...(tap !== undefined && { tap }) })))
}
