// Collections of the paths that match patterns.
import { checkOption, checkOptions, is, type OptionTable, PipiloError } from '../base/index.ts'
import { type DataCollection, dc } from './collection.ts'

export interface GlobOptions {
  /** Folder in which to look; paths are relative to the process's folder all the same. Default: the process's folder. */
  readonly cwd?: string
  /** Patterns of what to leave out. */
  readonly ignore?: readonly string[]
  /** Absolute paths. Default `false`. */
  readonly absolute?: boolean
  /** Files and folders whose name begins with a dot, too. Default `false`. */
  readonly dot?: boolean
}

const globOptionTypes: OptionTable<GlobOptions> = {
  cwd: is.text,
  ignore: is.listOf(is.text),
  absolute: is.flag,
  dot: is.flag,
}

/**
 * Paths of the files that match patterns, as a collection: sorted by their characters, each once.
 *
 * @example
 * ```ts
 * const vectors = await glob('photos/*.jpg', 'scans/**' + '/*.{png,tif}').imageDecode().imageEmbedding.timm().toList()
 * ```
 *
 * @remarks
 * `*` stays within a folder, `**` goes into folders, `{a,b}`, `[abc]`, `!(…)` as in a shell; `/` on every platform. A
 * pattern that begins with `!` leaves out. A folder stands for the files in it.
 *
 * @throws PipiloError `FILE_NOT_FOUND`, when read, if no pattern matched any file, or a pattern without wildcards
 *   did not (then it is the name of a file that is missing). Other patterns may match nothing.
 */
export function glob(...patterns: [string, ...(string | GlobOptions)[]]): DataCollection<string> {
  const last = patterns.at(-1)
  const options = last === undefined || typeof last === 'string' ? {} : last
  checkOptions<GlobOptions>('glob', options, globOptionTypes)
  checkOption('patterns', typeof last === 'string' ? patterns : patterns.slice(0, -1), is.listOf(is.name, 1))
  const wanted = patterns.filter((pattern) => typeof pattern === 'string')
  return dc({ [Symbol.asyncIterator]: () => paths(wanted, options) })
}

async function* paths(
  patterns: readonly string[],
  options: GlobOptions,
): AsyncGenerator<string, void, undefined> {
  const { isAbsolute, join, resolve } = await import('node:path')
  const { glob: find, isDynamicPattern } = await import('tinyglobby')
  const { cwd = '', absolute = false, dot = false } = options
  const excluded = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1))
  const ignore = [...(options.ignore ?? []), ...excluded]
  const found = new Set<string>()
  for (const pattern of patterns) {
    if (pattern.startsWith('!')) continue
    const matches = await find(pattern, { cwd: resolve(cwd), ignore, dot, onlyFiles: true })
    if (matches.length === 0 && !isDynamicPattern(pattern)) throw nothing([pattern], cwd)
    const whole = absolute || isAbsolute(pattern)
    for (const path of matches) found.add(whole ? resolve(cwd, path) : join(cwd, path))
  }
  if (found.size === 0) throw nothing(patterns, cwd)
  yield* [...found].sort((a, b) => (a < b ? -1 : 1))
}

function nothing(patterns: readonly string[], cwd: string): PipiloError {
  const names = patterns.map((pattern) => `'${pattern}'`).join(', ')
  return new PipiloError('FILE_NOT_FOUND', `No file matches ${names}${cwd && ` in ${cwd}`}.`, {
    input: patterns.join(' '),
    hint: 'Patterns are relative to the working directory, or to cwd; quote them in a shell.',
  })
}
