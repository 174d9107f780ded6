// Loads a tokenizer from its file.
import { readFile } from 'node:fs/promises'
import { fileError } from '../../base/files/index.ts'
import { gitLfsPointer } from '../../base/index.ts'
import { parseTokenizer, type TextTokenizer, type TokenizerOptions } from './tokenizer.ts'

/** See `loadTokenizer` in onDemand.ts. */
export async function loadTokenizer(path: string, options: TokenizerOptions = {}): Promise<TextTokenizer> {
  // The library loads while the file is read.
  const [json] = await Promise.all([
    readFile(path, 'utf8').catch((error: unknown) => {
      throw fileError(error, path, 'read')
    }),
    import('@huggingface/tokenizers'),
  ])
  const pointer = gitLfsPointer(json, path)
  if (pointer) throw pointer
  // Windows' editors put a mark of the byte order before UTF-8, which JSON does not have.
  return parseTokenizer(json.replace(/^\uFEFF/, ''), path, options)
}
