// Reads static embeddings: a table of tokens and a mean, of sentence-transformers or model2vec.
import { PipiloError } from '../../base/index.ts'
import { buildStaticEmbedding } from '../../nn/index.ts'
import { isObject, type ModelFiles, readJsonObject } from '../files.ts'
import { findCheckpoint } from '../formats/checkpoint.ts'
import { fingerprint } from '../model/fingerprint.ts'
import { tokenizerAsItIs } from '../tokenizers/index.ts'
import type { TextPreprocessing } from '../types.ts'
import type { FolderContents, FoundModel, ReadOptions } from './foundModel.ts'
import { readLicence } from './licence.ts'
import { unsupported } from './modules.ts'
import { withLayout } from './sentence.ts'
import { firstPresent, readPrompts } from './textLayout.ts'
import { refuseUnused } from './unused.ts'

/** Tokens that model2vec reads of a text. */
const MODEL2VEC_TOKENS = 512

/** More than any text has: sentence-transformers sets no limit. */
const NO_LIMIT = 2 ** 31 - 1

/** Use of static embeddings where the files do not say it in sentence-transformers' way: as model2vec does it. */
export const model2vecTexts: TextPreprocessing = {
  maxLength: MODEL2VEC_TOKENS,
  specialTokens: false,
  dropUnknown: true,
}

/** Place of a table of tokens, and its use. */
export interface StaticSource {
  /** Folder of the table, `''` or ending in a slash. */
  readonly path: string
  /** `config.json` of model2vec, where there is no `modules.json`. */
  readonly config?: Readonly<Record<string, unknown>>
}

/**
 * Finds static embeddings: `StaticEmbedding` at the head of sentence-transformers' `modules.json`, or a `config.json` of model2vec.
 * Folders that model2vec writes have both: then they are used as sentence-transformers does.
 */
export async function findStatic(
  files: ModelFiles,
  { modules }: FolderContents,
): Promise<StaticSource | undefined> {
  if (modules) return modules.networkKind === 'StaticEmbedding' ? { path: modules.network } : undefined
  if (!(await files.has('config.json'))) return undefined
  const config = await readJsonObject(files, 'config.json')
  const { model_type: type, architectures } = config
  const isStatic = type === 'model2vec' || [architectures].flat().includes('StaticModel')
  return isStatic ? { path: '', config } : undefined
}

/**
 * Reads what {@link findStatic} found.
 *
 * @param file the checkpoint, where the source names it
 * @throws PipiloError `MODEL_INVALID`, `PARAMETER_MISSING`, `PARAMETER_UNUSED`, and those of the formats
 */
export async function readStatic(
  files: ModelFiles,
  { path, config }: StaticSource,
  { modules, readTensors }: FolderContents,
  options: ReadOptions,
  file?: string,
): Promise<FoundModel> {
  const found = file ?? (await findCheckpoint(files, await files.list(path.replace(/\/$/, '')), path))
  if (found === undefined) {
    throw new PipiloError(
      'MODEL_INVALID',
      `${files.label} has no table of tokens (${path}model.safetensors).`,
      {
        input: files.label,
      },
    )
  }
  const { strict = true, mode = 'inference' } = options
  if (mode === 'training') throw unsupported(files, 'is a table of tokens, which is not trained here')
  const checkpoint = await readTensors(file ?? path + found)
  const built = buildStaticEmbedding(checkpoint.tensors, { strict, mode })
  if (strict) refuseUnused(built.unused, files.label, 'StaticEmbedding')
  const { graph, tap } = withLayout(built.graph, 'token_embeddings', { modules: modules?.modules ?? [] })
  const text: TextPreprocessing = config
    ? { ...model2vecTexts, maxLength: limitOf(config, files) }
    : {
        maxLength: (await ownLimit(files, path)) ?? NO_LIMIT,
        specialTokens: false,
        ...(await readPrompts(files)),
      }
  const normalize = modules?.normalize ?? config?.['normalize'] === true
  const settings = [modules?.modules.map(({ kind, path: at }) => [kind, at]), config]
  return {
    graph,
    unused: built.unused,
    places: { tokenEmbeddings: built.tokenEmbeddings! },
    tokenizer: await tokenizerAsItIs(files, path),
    fingerprint: await fingerprint(['static', JSON.stringify(settings)], files, [
      ...checkpoint.paths,
      ...(modules?.paths ?? []),
    ]),
    weights: checkpoint.note ?? '',
    card: {
      description: `static embeddings of ${files.label}`,
      modality: 'text',
      licence: await readLicence(files),
      tap,
      penultimate: 'token_embeddings',
      pool: 'mean',
      normalize,
      dimensions: 0,
      text,
      notes: config
        ? `Used as model2vec does: unknown words left out, ${text.maxLength === NO_LIMIT ? 'all' : text.maxLength} tokens.`
        : 'Used as sentence-transformers does: all tokens, without special ones.',
    },
  }
}

/** Tokens that model2vec's `config.json` says. */
function limitOf({ max_length: limit }: Readonly<Record<string, unknown>>, files: ModelFiles): number {
  if (limit === null) return NO_LIMIT
  if (limit === undefined) return MODEL2VEC_TOKENS
  if (typeof limit === 'number' && Number.isSafeInteger(limit) && limit > 0) return limit
  throw unsupported(files, `says max_length ${JSON.stringify(limit)} (config.json)`)
}

/** The limit in the tokenizer's own file, which sentence-transformers leaves there. */
async function ownLimit(files: ModelFiles, path: string): Promise<number | undefined> {
  const at = await firstPresent(files, [`${path}tokenizer.json`, 'tokenizer.json'])
  if (at === undefined) return undefined
  const { truncation } = await readJsonObject(files, at)
  const limit = isObject(truncation) ? truncation['max_length'] : undefined
  return typeof limit === 'number' && limit > 0 ? limit : undefined
}
