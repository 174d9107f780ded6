/** Reads and writes JSON, and tokenizers as transformers reads them. */
import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileError, makeFolder, writeFileAtomic } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'

/** Names under which tokenizers list their special tokens. */
const specialTokens: Readonly<Record<string, readonly string[]>> = {
  unk_token: ['[UNK]', '<unk>'],
  sep_token: ['[SEP]', '</s>'],
  pad_token: ['[PAD]', '<pad>', '<|endoftext|>'],
  cls_token: ['[CLS]', '<s>'],
  mask_token: ['[MASK]', '<mask>'],
}

type Json = Readonly<Record<string, unknown>>

/** Reads a JSON object. @throws `FORMAT_INVALID`, `FILE_NOT_FOUND` */
export async function readJson(path: string): Promise<Json> {
  const content = await readFile(path, 'utf8').catch((error: unknown) => {
    throw fileError(error, path, 'read')
  })
  try {
    return JSON.parse(content) as Json
  } catch {
    throw new PipiloError('FORMAT_INVALID', `${path} is no JSON.`, { input: path })
  }
}

/** True of the path of a file. */
export const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  )

/** Writes JSON, its folder too. */
export async function writeJson(path: string, content: unknown): Promise<void> {
  await makeFolder(dirname(path))
  await writeFileAtomic(path, `${JSON.stringify(content, null, 2)}\n`)
}

/**
 * Writes `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`. How a batch is padded and cut is left to the model.
 *
 * @param path of the tokenizer.json that is copied
 */
export async function writeTokenizer(folder: string, path: string, maxLength: number): Promise<void> {
  const tokenizer = await readJson(path)
  const special = specialOf(tokenizer)
  await writeJson(join(folder, 'tokenizer.json'), { ...tokenizer, padding: null, truncation: null })
  await writeJson(join(folder, 'tokenizer_config.json'), {
    ...special,
    model_max_length: maxLength,
    tokenizer_class: 'PreTrainedTokenizerFast',
  })
  await writeJson(join(folder, 'special_tokens_map.json'), special)
}

/** The special tokens that a tokenizer has, by transformers' names for them. */
function specialOf({ added_tokens }: Json): Record<string, string> {
  const listed = Array.isArray(added_tokens)
    ? (added_tokens as readonly { readonly content?: unknown }[])
    : []
  const known = new Set(listed.map(({ content }) => String(content)))
  return Object.fromEntries(
    Object.entries(specialTokens).flatMap(([name, candidates]) => {
      const found = candidates.find((candidate) => known.has(candidate))
      return found === undefined ? [] : [[name, found]]
    }),
  )
}
