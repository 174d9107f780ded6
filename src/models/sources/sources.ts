// Sources of models: names parsed into npm, file, web and hub sources, and resolved to files.
import { readdir } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expandHome } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'
import type { ModelFiles } from '../files.ts'
import { kindOf, withFile } from './files.ts'
import type { Repository, RepositoryOptions } from './hub/repository.ts'
import { unescaped } from './unescaped.ts'

/** Source of a model, parsed from its name. */
export type Source =
  | { readonly kind: 'npm'; readonly specifier: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'url'; readonly url: string }
  | {
      readonly kind: 'hub'
      readonly name: string
      readonly revision?: string | undefined
      readonly file?: string | undefined
    }

/**
 * The source that a model's name stands for, or undefined for a bare name that is no path.
 *
 * @example
 * ```ts
 * parseSource('hf:owner/name@v1/onnx/model.onnx')   // { kind: 'hub', name: 'owner/name', revision: 'v1', file: 'onnx/model.onnx' }
 * ```
 *
 * @remarks
 * `npm:package/path`; `file:path`, `file://…` and what begins with `.`, `/` or `~`; `https:…` (`http:` on the loopback
 * address); `hf:owner/name[@revision][/file]`, where a revision with slashes is written with `%2F`, except `refs/pr/1`.
 *
 * @throws PipiloError `INPUT_INVALID` for a prefix that is not known, or with nothing behind it
 */
export function parseSource(name: string): Source | undefined {
  if (/^(\.|\/|~(?:$|[/\\]))/.test(name) || isAbsolute(name)) return { kind: 'file', path: expandHome(name) }
  const [, scheme, rest] = /^([a-z][a-z0-9+-]+):(.*)$/is.exec(name) ?? []
  if (scheme === undefined) return undefined
  if (!rest)
    throw new PipiloError('INPUT_INVALID', `'${name}' names nothing after '${scheme}:'.`, { input: name })
  switch (scheme.toLowerCase()) {
    case 'npm':
      return { kind: 'npm', specifier: rest }
    case 'file':
      return { kind: 'file', path: rest.startsWith('//') ? pathOf(name) : expandHome(rest) }
    case 'http':
    case 'https':
      return { kind: 'url', url: name }
    case 'hf':
      return parseHub(rest)
    default:
      throw new PipiloError('INPUT_INVALID', `'${scheme}:' is not a source of models.`, {
        input: name,
        hint: 'Known: npm:, file:, https:, hf:.',
      })
  }
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url)
  } catch (cause) {
    throw new PipiloError('INPUT_INVALID', `'${url}' names no file on this machine.`, { input: url, cause })
  }
}

function parseHub(text: string): Source {
  const pattern = /^([^/@]+(?:\/[^/@]+)?)(?:@(refs\/(?:pr|convert)\/[^/]+|[^/]+))?(?:\/(.+))?$/
  const [, name, revision, file] = pattern.exec(text) ?? []
  if (!name) {
    throw new PipiloError('INPUT_INVALID', `'hf:${text}' does not name a model on the hub.`, {
      input: text,
      hint: 'It looks like hf:owner/name, hf:owner/name@revision or hf:owner/name@revision/file.',
    })
  }
  return { kind: 'hub', name, revision: revision && unescaped(revision, `hf:${text}`), file }
}

/**
 * The files of a source. Nothing is fetched from the hub but the list of files; one file is fetched from a URL.
 *
 * @throws PipiloError `FILE_NOT_FOUND`, `MODEL_UNKNOWN`, and those of the hub
 */
export async function resolveSource(source: Source, options: RepositoryOptions = {}): Promise<ModelFiles> {
  switch (source.kind) {
    case 'npm': {
      const { findInPackage } = await import('./npm.ts')
      return localFiles(findInPackage(source.specifier), `npm:${source.specifier}`)
    }
    case 'file':
      return localFiles(source.path, source.path)
    case 'url': {
      const { fetchUrl } = await import('./hub/url.ts')
      const path = await fetchUrl(source.url, options)
      const only = basename(path)
      return onDisk({
        label: source.url,
        file: only,
        list: async (folder) => (folder === '' ? [only] : []),
        has: async (file) => file === only,
        get: async (file) => join(dirname(path), file),
      })
    }
    case 'hub': {
      const revision = source.revision ?? options.revision
      const { openRepository } = await import('./hub/repository.ts')
      const repository = await openRepository(source.name, { ...options, revision })
      const label = `hf:${source.name}${revision ? `@${revision}` : ''}`
      const has = (path: string) => repository.files.includes(path)
      if (source.file && !has(source.file)) {
        throw new PipiloError('FILE_NOT_FOUND', `${label} has no file ${source.file}.`, {
          input: source.file,
        })
      }
      return onDisk({
        label,
        file: source.file,
        list: async (folder) => namesIn(repository.files, folder),
        async has(path) {
          if (has(path)) return true
          // A partial download may lack this file, and then the mean would be taken in silence.
          if (!(await lacks(repository, path))) throw unknownPooling(label)
          return false
        },
        get: (path) => repository.get(path),
      })
    }
  }
}

/** True if a repository lacks a file. Only for `modules.json`, which says how a model pools, does it have to be certain. */
async function lacks(repository: Repository, path: string): Promise<boolean> {
  return path !== 'modules.json' || repository.lacks(path)
}

function unknownPooling(label: string): PipiloError {
  return new PipiloError(
    'OFFLINE',
    `The cache does not tell how ${label} is pooled: modules.json is not in it.`,
    {
      input: label,
      hint: 'Open it once with a network; or open its folder in the cache by file:, which pools by the mean.',
    },
  )
}

async function localFiles(path: string, label: string): Promise<ModelFiles> {
  const kind = await kindOf(path)
  if (!kind) {
    throw new PipiloError('FILE_NOT_FOUND', `${label} does not exist.`, {
      input: label,
      hint: 'Check the path.',
    })
  }
  const folder = kind === 'folder' ? path : dirname(path)
  // Exports lie in a folder of their own below the configuration and tokenizer that belong to them.
  const inner = kind === 'file' && basename(folder) === 'onnx' ? 'onnx/' : ''
  const root = inner ? dirname(folder) : folder
  return onDisk({
    label,
    folder: root,
    file: kind === 'file' ? inner + basename(path) : undefined,
    async list(folder) {
      const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(() => [])
      return entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name)
    },
    has: async (file) => (await kindOf(join(root, file))) === 'file',
    get: async (file) => join(root, file),
  })
}

/** The files of a model that lie on a disk once they are got. */
function onDisk(files: Omit<ModelFiles, 'open' | 'graph' | 'keep'>): ModelFiles {
  return {
    ...files,
    open: async (path, use) => withFile(isAbsolute(path) ? path : await files.get(path), use),
    async graph(path) {
      const { readOnnx } = await import('../../graph/files/index.ts')
      return readOnnx(await files.get(path))
    },
    async keep(text) {
      const { keepTokenizer } = await import('./keptTokenizer.ts')
      return keepTokenizer(text)
    },
  }
}

function namesIn(files: readonly string[], folder: string): string[] {
  const prefix = folder === '' ? '' : `${folder}/`
  return files
    .filter((file) => file.startsWith(prefix))
    .map((file) => file.slice(prefix.length))
    .filter((file) => !file.includes('/'))
}
