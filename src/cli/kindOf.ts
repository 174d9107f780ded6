// Tells whether an argument is a text or the path of a picture.
import { readInputs } from '../embed/index.ts'
import type { InputModality } from '../models/index.ts'
import type { Terminal } from './command.ts'

/** Kind of an argument: a picture if it is an address, or the path of a file that is one or is called so; else a text. */
export async function kindOf(argument: string, terminal: Terminal): Promise<InputModality> {
  for await (const { modality, error } of readInputs([argument], { signal: terminal.signal })) {
    if (modality !== 'image') return 'text'
    // Words that end like a picture's name are words, unless there is such a file.
    return error?.code === 'FILE_NOT_FOUND' && /\s/.test(argument) ? 'text' : 'image'
  }
  return 'text'
}
