// Loads a tokenizer from its file.
import { readFile } from 'node:fs/promises'
import { fileError } from '../../base/files/index.ts'
import { gitLfsPointer, is, type OptionTable } from '../../base/index.ts'
import { parseTokenizer, type TextTokenizer, type TokenizerOptions } from './tokenizer.ts'

/** Types of {@link TokenizerOptions}. */
export const tokenizerOptions: OptionTable<TokenizerOptions> = {
  lowercase: is.flag,
  clean: is.oneOf(['siglip', 'canonicalize']),
  specialTokens: is.flag,
  dropUnknown: is.flag,
  rows: is.count(1),
}

/** See `loadTokenizer` in onDemand.ts. */
export async function loadTokenizer(path: string, options: TokenizerOptions = {}): Promise<TextTokenizer> {
  const json = await readFile(path, 'utf8').catch((error: unknown) => {
    throw fileError(error, path, 'read')
  })
  const pointer = gitLfsPointer(json, path)
  if (pointer) throw pointer
  return parseTokenizer(json, path, options)
}
