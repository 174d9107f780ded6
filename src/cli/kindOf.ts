// Tells whether an argument is a text or the path of a picture.

import { findInputs, type ReadInputsOptions } from '../embed/index.ts'
import type { InputModality } from '../models/index.ts'
import type { Terminal } from './command.ts'
import type { LeftOut } from './skipped.ts'

/** Kind of an argument: a picture if it is an address, or the path of a file that is one or is called so; else a text. */
export async function kindOf(argument: string, terminal: Terminal): Promise<InputModality> {
  for await (const { modality, error } of findInputs([argument], { signal: terminal.signal })) {
    if (modality !== 'image') return 'text'
    // Words that end like a picture's name are words, unless there is such a file.
    return error?.code === 'FILE_NOT_FOUND' && /\s/.test(argument) ? 'text' : 'image'
  }
  return 'text'
}

/**
 * The kinds of what is in files and folders, whatever comes first: texts, then pictures, then arrays of numbers.
 *
 * @param left takes what cannot be read, up to where both kinds have been found
 * @throws what `left` throws
 */
export async function kindsIn(
  specs: readonly string[],
  terminal: Terminal,
  left: LeftOut,
  options: Pick<ReadInputsOptions, 'as' | 'encoding'> = {},
): Promise<InputModality[]> {
  const kinds = new Set<InputModality>()
  for await (const input of findInputs(specs, { ...options, signal: terminal.signal })) {
    if (input.error) left.add(input, input.error)
    else kinds.add(input.modality)
    if (kinds.has('text') && kinds.has('image')) break
  }
  return (['text', 'image', 'tensor'] as const).filter((kind) => kinds.has(kind))
}
